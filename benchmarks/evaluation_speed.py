"""A full evaluation with ten metrics beside RecTools and LensKit: seconds and the figures.

    python benchmarks/evaluation_speed.py [--data ml-1m,sparse] [--rounds 3]
        [--rectools PYTHON] [--lenskit PYTHON] [--out docs/performance.md]

Each library runs in its own Python and process, kept between the rounds; all take turns. The data
sets are those of `speed.py`; both write a section of the same page.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pages import write_section

K = 10
DATA = ("ml-1m", "sports", "dense", "sparse")  # of speed.py, those that are there
ABOUT = (
    "All start from the same vectors of users and items (iALS, 64 factors) and evaluate every "
    "user with a held-out choice at list length 10. Ours ranks the held-out choice in the full "
    "catalogue and computes thirteen metrics; the second row adds bootstrap intervals of the "
    "eleven with a value per user, over all users and in groups by activity, which the others "
    "do not give. RecTools makes top-10 lists with its ranker and computes ten metrics of them."
    " LensKit gets finished lists and computes ten metrics. NDCG is that of each library's "
    "definition. Written by `python benchmarks/evaluation_speed.py`."
)


def rectools(folder: Path) -> dict[str, float]:
    """Compute ten metrics with RecTools."""
    import numpy as np
    import pandas as pd
    from rectools import metrics
    from rectools.models.rank import Distance, ImplicitRanker
    from scipy.sparse import csr_matrix

    truth, train = (pd.read_csv(folder / f"{name}.csv") for name in ("truth", "train"))
    vectors = [np.load(folder / f"{name}.npy") for name in ("users", "items")]
    ones = np.ones(len(train), np.float32)
    seen = csr_matrix(
        (ones, (train["user_id"], train["item_id"])), (len(vectors[0]), len(vectors[1]))
    )
    tested = truth["user_id"].unique()
    wanted = {
        "hit_rate": metrics.HitRate(k=K),
        "recall": metrics.Recall(k=K),
        "precision": metrics.Precision(k=K),
        "ndcg": metrics.NDCG(k=K, divide_by_achievable=True),
        "map": metrics.MAP(k=K),
        "mrr": metrics.MRR(k=K),
        "novelty": metrics.MeanInvUserFreq(k=K),
        "popularity": metrics.AvgRecPopularity(k=K),
        "serendipity": metrics.Serendipity(k=K),
        "coverage": metrics.CatalogCoverage(k=K),
    }
    catalog = train["item_id"].unique()
    started = time.perf_counter(), time.process_time()
    ranker = ImplicitRanker(Distance.DOT, *vectors, num_threads=2)
    users, items, scores = ranker.rank(tested, k=K, filter_pairs_csr=seen[tested])
    lists = pd.DataFrame({"user_id": users, "item_id": items, "score": scores})
    lists["rank"] = lists.groupby("user_id", sort=False).cumcount() + 1
    ranked = time.perf_counter()
    values = metrics.calc_metrics(wanted, lists, truth, train, catalog)
    return _figures(values, *started) | {"metrics": time.perf_counter() - ranked}


def lenskit(folder: Path) -> dict[str, float]:
    """Compute ten metrics with LensKit."""
    import pandas as pd
    from lenskit import metrics
    from lenskit.data import ItemListCollection

    lists, truth = (pd.read_csv(folder / f"{name}.csv") for name in ("lists", "truth"))
    started = time.perf_counter(), time.process_time()
    given = ItemListCollection.from_df(lists, ["user_id"])
    wanted = ItemListCollection.from_df(truth, ["user_id"])
    analysis = metrics.RunAnalysis()
    for metric in (
        metrics.Hit(K), metrics.Recall(K), metrics.Precision(K), metrics.NDCG(K), metrics.RBP(K),
        metrics.RecipRank(K), metrics.Recall(5), metrics.DCG(K), metrics.Hit(5),
        metrics.NDCG(5),
    ):  # fmt: skip
        analysis.add_metric(metric)
    summary = analysis.measure(given, wanted).list_summary()["mean"]
    names = {f"Hit@{K}": "hit_rate", f"Recall@{K}": "recall", f"NDCG@{K}": "ndcg"}
    return _figures({names.get(name, name): value for name, value in summary.items()}, *started)


PEERS: dict[str, Callable[[Path], dict[str, float]]] = {"rectools": rectools, "lenskit": lenskit}


def _figures(values: Any, clock: float, processor: float) -> dict[str, float]:
    seconds = {"seconds": time.perf_counter() - clock, "cpu": time.process_time() - processor}
    return seconds | {name: float(value) for name, value in dict(values).items()}


def serve(peer: str, folder: Path) -> None:
    """Evaluate once for each line read; answer with the figures. Runs in the Python of a peer."""
    import warnings

    warnings.simplefilter("ignore")
    for _ in sys.stdin:
        print(json.dumps(PEERS[peer](folder)), flush=True)


class Peer:
    """Another library, in a process of its own."""

    def __init__(self, name: str, python: str, folder: Path) -> None:
        command = [python, str(Path(__file__).resolve()), "--serve", name, str(folder)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self) -> dict[str, float]:
        """Evaluate."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("again\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("{"):
                figures: dict[str, float] = json.loads(line)
                return figures
        raise RuntimeError("the other library failed: see its messages above")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def compare(name: str, rounds: int, pythons: dict[str, str]) -> list[str]:
    """Evaluate one model by all libraries, in turns; return a table. The first round warms up."""
    import tempfile

    import numpy as np
    import pyarrow as pa
    import pyarrow.csv
    from peers import THREADS
    from speed import world_of

    import shortlist as sl
    from shortlist.kernels.threads import thread_limit

    world = world_of(name)
    users, items = world.truth.nonzero()
    truth = sl.Dataset.from_tables(pa.table({"user_id": users, "item_id": items}))
    train, test = sl.split.given(world.data, truth)
    settings = {"regularization": 0.003, "unobserved_weight": 0.1, "weighting": "binary"}
    model = sl.IALS(embedding_size=64, epochs=8, **settings).fit(train)

    def ours(intervals: bool) -> dict[str, float]:
        started = time.perf_counter(), time.process_time()
        with thread_limit(THREADS):
            report = sl.evaluate(model, train, test, k=(K,))
            figures = {metric: report[metric] for metric in report.names}
            if intervals:
                report.to_arrow()
        return _figures({"ndcg": figures[f"ndcg@{K}"]}, *started)

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tested = pa.array(test.users.ids).filter(pa.array(test.user_counts > 0))
        lists = model.recommend(tested.to_pylist(), k=K).table
        pairs = dict(zip(("user_id", "item_id"), world.matrix.nonzero(), strict=True))
        tables = {
            "lists": lists.select(["user_id", "item_id", "rank", "score"]),
            "truth": pa.table({"user_id": users, "item_id": items}),
            "train": pa.table(pairs).append_column("weight", pa.array([1.0] * len(train))),
        }
        for part, table in tables.items():
            pyarrow.csv.write_csv(table, folder / f"{part}.csv")
        np.save(folder / "users.npy", model.user_vectors())
        np.save(folder / "items.npy", model.item_vectors())
        runners: dict[str, Any] = {
            "shortlist": lambda: ours(False),
            "shortlist, with intervals": lambda: ours(True),
        }
        runners |= {peer: Peer(peer, python, folder) for peer, python in pythons.items()}
        found: dict[str, list[dict[str, float]]] = {peer: [] for peer in runners}
        for turn in range(1 + rounds):
            for peer, run in runners.items():
                figures = run()
                if turn:
                    found[peer].append(figures)
        for peer in pythons:
            runners[peer].close()
    base = {key: statistics.median(run[key] for run in found["shortlist"]) for key in TIMES}
    lines = [
        f"### {name}", "",
        f"{len(tested):,} users, {train.n_items:,} items; {THREADS} threads, load "
        f"{os.getloadavg()[0]:.0f} when it ended, median of {rounds}.", "",
        "| | seconds [least, most] | CPU seconds | times ours, clock / CPU | NDCG@10 |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    for peer, runs in found.items():
        clock, processor = (statistics.median(run[key] for run in runs) for key in TIMES)
        spread = [run["seconds"] for run in runs]
        ratios = f"{clock / base['seconds']:.1f} / {processor / base['cpu']:.1f}"
        lines.append(
            f"| {peer} | {clock:.2f} [{min(spread):.2f}, {max(spread):.2f}] | {processor:.2f} "
            f"| {ratios} | {runs[0]['ndcg']:.4f} |"
        )
    alone = [statistics.median(run["metrics"] for run in found[peer])
             for peer in pythons if "metrics" in found[peer][0]]  # fmt: skip
    lines += ["", *(f"The metrics of RecTools alone: {seconds:.2f} s." for seconds in alone)]
    return [*lines, ""]


TIMES = ("seconds", "cpu")


def main() -> None:
    """Compare on each data set."""
    from speed import sources

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=",".join(name for name in DATA if name in sources()))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("docs/performance.md"))
    for peer in PEERS:
        parser.add_argument(f"--{peer}", metavar="PYTHON")
    options = vars(parser.parse_args())
    pythons = {peer: options[peer] for peer in PEERS if options[peer]}
    lines: list[str] = []
    for name in options["data"].split(","):
        lines += compare(name, options["rounds"], pythons)
    print("\n".join(lines))
    write_section(options["out"], "evaluation", ["## Full evaluation", "", ABOUT, "", *lines])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
