"""A cascade compared with its stages and with a manual blend, on random held-out choices.

One random choice of every user is held out for the test. The cascade is fitted on the training side
only, with held-out rounds of its own. The manual blend was used by participants of the job
competition: ``user cosine + a * item cosine``, each user's scores divided by their maximum, and
``a`` chosen on one choice of every user held out of the training side.

    python benchmarks/cascade.py --data jobs:0 jobs:1 jobs:2 ml-100k:0 --json cascade.json

``jobs:N`` is the synthetic job data of seed N. For ``ml-100k:N`` and ``sample:N`` (the films that
come with the library), N seeds the split.
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
from shortlist.metrics.bootstrap import bootstrap, interval
from shortlist.metrics.paired import paired_p_value
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

    share: float = hyper(1.0, "Weight of the item cosine; the user cosine has weight 1.", ge=0)


@dataclass(frozen=True)
class BlendLearned:
    """The two models."""

    models: tuple[Model[Any, Any], ...]


class Blend(Model[BlendConfig, BlendLearned]):
    """The sum of user and item cosine, each divided by the user's largest unseen score."""

    def learn(self, data: sl.Dataset) -> Fitted[BlendLearned]:
        """Fit both models."""
        return Fitted(BlendLearned((sl.UserCosine().fit(data), sl.ItemCosine().fit(data))))

    def score(self, profiles: Profiles) -> Scores:
        """Compute the weighted sum."""
        total = np.zeros((len(profiles), self.data.n_items))
        for model, weight in zip(self.learned.models, (1.0, self.config.share), strict=True):
            block = dense(model.score(profiles))
            eligible = unseen(profiles, self.data.popularity_order)
            largest = np.maximum(top_k(DenseScores(block), eligible, 1).scores, 1e-12)
            total = total + weight * block / largest
        return DenseScores(np.asarray(total, dtype=np.float32))


def load(name: str, folder: Path) -> sl.Dataset:
    """Load the data set of a name such as ``jobs:0``."""
    kind, seed = name.split(":")
    schema = "jobs" if kind == "jobs" else "movies"
    with sl.Store.create(folder / f"{kind}{seed}.duckdb", schema) as store:
        if kind == "jobs":
            store.load([generate_jobs(folder / f"tables{seed}", seed=int(seed))])
        else:
            store.load([sl.fetch(kind)] if kind != "sample" else list(sample_paths()))
        return store.dataset()


def manual_blend(train: sl.Dataset, seed: int) -> Blend:
    """Choose the weight on choices held out of the training side."""
    inner, validation = sl.split.leave_last_out(train, order="random", seed=1000 + seed)
    recalls = [
        sl.evaluate(Blend(share=share).fit(inner), inner, validation, k=5)["recall@5"]
        for share in SHARES
    ]
    return Blend(share=SHARES[int(np.argmax(recalls))])


def measure(name: str, data: sl.Dataset, models: list[str]) -> list[dict[str, Any]]:
    """Fit all models on the training side and measure them on the test side, one row per model."""
    seed = int(name.split(":")[1])
    train, test = sl.split.leave_last_out(data, order="random", seed=seed)
    fitted: dict[str, Model[Any, Any]] = {
        stage: getattr(sl, stage)().fit(train) for stage in STAGES
    }
    fitted["manual blend"] = manual_blend(train, seed).fit(train)
    seconds = {}
    for ranker in models:
        started = time.perf_counter()
        fitted[f"Cascade, {ranker}"] = sl.Cascade(stages=STAGES, ranker=ranker).fit(train)
        seconds[f"Cascade, {ranker}"] = time.perf_counter() - started
    reports = {label: sl.evaluate(model, train, test) for label, model in fitted.items()}
    main = reports[f"Cascade, {models[-1]}"]
    rows = []
    for label, report in reports.items():
        row: dict[str, Any] = {"data": name, "model": label, "fit_seconds": seconds.get(label)}
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
    """Format the rows; gains are those of the last cascade over each model, in percent."""
    shown = []
    for row in rows:
        line = [f"{row['data']} {row['model']}"]
        for metric in METRICS:
            value, gain = row[metric], row[f"{metric} gain"]
            low, high = (100 * bound / value for bound in row[f"{metric} gain, interval"])
            same = gain == 0 and low == high == 0
            line += [f"{value:.4f}", "" if same else f"{100 * gain / value:+.1f}%"]
            line += ["" if same else f"[{low:+.1f}, {high:+.1f}]"]
        shown.append([*line, "" if row["fit_seconds"] is None else f"{row['fit_seconds']:.0f}"])
    header = ["", *(name for metric in METRICS for name in (metric, "cascade", "95%")), "fit s"]
    return text_table(header, shown)


def main() -> None:
    """Measure, print tables, and write JSON on request."""
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
