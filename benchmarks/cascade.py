"""A cascade beside its stages and a blend by hand, on choices held out at random.

One random choice of every user is held out for the test. The cascade never sees it: all it learns,
it learns on rounds of its own within the training side. The blend by hand is what the participants
of the job competition used, ``user cosine + a * item cosine`` with each user's scores divided by
their largest, and ``a`` chosen on one choice of every user held out of the training side.

    python benchmarks/cascade.py --data jobs:0 jobs:1 jobs:2 ml-100k:0 --json cascade.json

``jobs:N`` is the synthetic job data of seed N; of ``ml-100k:N`` and ``sample:N`` (the films that
come with the library) the split is drawn by N.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import shortlist as sl
from shortlist.data.samples import generate_jobs, sample_paths
from shortlist.metrics.significance import bootstrap, interval, paired_p_value
from shortlist.models.base import Fitted, Model
from shortlist.models.cascade.candidates import unseen
from shortlist.models.config import ModelConfig, hyper
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, Scores
from shortlist.scoring.selection import dense, top_k
from shortlist.text import text_table

STAGES = ("UserCosine", "ItemCosine", "EASE")
SHARES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
METRICS = ("recall@5", "ndcg@10")


class BlendConfig(ModelConfig):
    """Settings of :class:`Blend`."""

    share: float = hyper(1.0, "What the item cosine weighs beside the user cosine.", ge=0)


@dataclass(frozen=True)
class BlendLearned:
    """The two."""

    models: tuple[Model[Any, Any], ...]


class Blend(Model[BlendConfig, BlendLearned]):
    """User cosine and item cosine, each by the largest unseen score of the user, added up."""

    def learn(self, data: sl.Dataset) -> Fitted[BlendLearned]:
        """Fit both."""
        return Fitted(BlendLearned((sl.UserCosine().fit(data), sl.ItemCosine().fit(data))))

    def score(self, profiles: Profiles) -> Scores:
        """Add them up."""
        total = np.zeros((len(profiles), self.data.n_items))
        for model, weight in zip(self.learned.models, (1.0, self.config.share), strict=True):
            block = dense(model.score(profiles))
            free = unseen(profiles, self.data.popularity_order)
            largest = np.maximum(top_k(DenseScores(block), free, 1).scores, 1e-12)
            total = total + weight * block / largest
        return DenseScores(np.asarray(total, dtype=np.float32))


def load(name: str, folder: Path) -> sl.Dataset:
    """Make the data set of a name like ``jobs:0``."""
    kind, seed = name.split(":")
    schema = "jobs" if kind == "jobs" else "movies"
    with sl.Store.create(folder / f"{kind}{seed}.duckdb", schema) as store:
        if kind == "jobs":
            store.load([generate_jobs(folder / f"tables{seed}", seed=int(seed))])
        else:
            store.load([sl.fetch(kind)] if kind != "sample" else list(sample_paths()))
        return store.dataset()


def by_hand(train: sl.Dataset, seed: int) -> Blend:
    """Choose the share on choices held out of the training side."""
    inner, validation = sl.split.leave_last_out(train, order="random", seed=1000 + seed)
    found = [
        sl.evaluate(Blend(share=share).fit(inner), inner, validation, k=5)["recall@5"]
        for share in SHARES
    ]
    return Blend(share=SHARES[int(np.argmax(found))])


def measure(name: str, data: sl.Dataset, models: list[str]) -> list[dict[str, Any]]:
    """Fit everything on one side, measure on the other; a row a model and metric."""
    seed = int(name.split(":")[1])
    train, test = sl.split.leave_last_out(data, order="random", seed=seed)
    fitted: dict[str, Model[Any, Any]] = {
        stage: getattr(sl, stage)().fit(train) for stage in STAGES
    }
    fitted["blend by hand"] = by_hand(train, seed).fit(train)
    seconds = {}
    for ranker in models:
        started = time.perf_counter()
        fitted[f"Cascade, {ranker}"] = sl.Cascade(ranker=ranker).fit(train)
        seconds[f"Cascade, {ranker}"] = time.perf_counter() - started
    reports = {one: sl.evaluate(model, train, test) for one, model in fitted.items()}
    main = reports[f"Cascade, {models[-1]}"]
    rows = []
    for one, report in reports.items():
        row: dict[str, Any] = {"data": name, "model": one, "fit_seconds": seconds.get(one)}
        for metric in METRICS:
            pair = [main.measures[metric], report.measures[metric]]
            figures = bootstrap(pair, seed=seed)
            low, high = interval(figures[:, 0] - figures[:, 1])
            row[metric] = report[metric]
            row[f"{metric} gain"] = main[metric] - report[metric]
            row[f"{metric} gain, interval"] = [low, high]
            row[f"{metric} p"] = paired_p_value(*pair)
        rows.append(row)
    last = fitted[f"Cascade, {models[-1]}"]
    if isinstance(last, sl.Cascade):
        print(f"\n{name}: {data}\n{last.handover(test)}\n", flush=True)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Line the rows up; the gains are the last cascade's over each model, in percent."""
    shown = []
    for row in rows:
        line = [f"{row['data']} {row['model']}"]
        for metric in METRICS:
            value, gain = row[metric], row[f"{metric} gain"]
            low, high = (100 * one / value for one in row[f"{metric} gain, interval"])
            same = gain == 0 and low == high == 0
            line += [f"{value:.4f}", "" if same else f"{100 * gain / value:+.1f}%"]
            line += ["" if same else f"[{low:+.1f}, {high:+.1f}]"]
        shown.append([*line, "" if row["fit_seconds"] is None else f"{row['fit_seconds']:.0f}"])
    header = ["", *(one for metric in METRICS for one in (metric, "cascade", "95%")), "fit s"]
    return text_table(header, shown)


def main() -> None:
    """Measure, print tables, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["jobs:0", "ml-100k:0"])
    parser.add_argument("--rankers", nargs="+", default=["linear", "trees"])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.data:
            rows += measure(name, load(name, Path(folder)), arguments.rankers)
            print(table(rows), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
