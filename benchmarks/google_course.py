"""The four runs of Google's course on recommendation systems, on ML-100K, and known figures.

    python benchmarks/google_course.py [--seeds 3] [--json OUT]

(a), (b): squared error on known cells, 30 dimensions, 1,000 iterations, initial values with
standard deviation .5 and .05. (c): regularised, 35 dimensions, 2,000 iterations. (d): softmax with
genres and years, 35 dimensions, 3,000 iterations of 200 users. A seed draws the held-out tenth (of
the ratings; in (d) of the users), the initial values and the batches.

The course publishes no outputs. The known figures are from a reader's stored notebook and from
NumPy runs of the same losses. Ours differ in two ways that matter: (d) keeps the label out of its
own input, and items without ratings have no vector instead of a random one.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from course_data import ml_100k
from numpy.typing import NDArray
from scipy.stats import spearmanr

import shortlist as sl
from shortlist.progress import track
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.selection import dense
from shortlist.scoring.sparse import csr_arrays
from shortlist.text import text_table

Figures = dict[str, float]

KNOWN: dict[str, dict[str, str]] = {
    "a": {
        "train MSE": ".372-.381",
        "test MSE": "1.28-1.38",
        "train MSE, 500": ".50",
        "test MSE, 500": "1.23-1.32",
        "Spearman": "about -.2",
    },
    "b": {
        "train MSE": ".353-.355",
        "test MSE": ".950-.981",
        "train MSE, 500": ".60-.61",
        "test MSE, 500": ".838-.877",
        "Spearman": ".886",
    },
    "c": {
        "train MSE": "1.000-1.002",
        "test MSE": "2.421-2.426",
        "regularization": ".853",
        "gravity": "1.316-1.318",
        "total": "3.171",
        "Spearman": ".958",
        "mean of all pairs": ".59",
    },
    "d": {
        "train CE, 2000": "5.87",
        "test CE, 2000": "5.89",
        "train CE": "5.25 (with the leak: 5.34)",
        "test CE": "7.49 (with the leak: 5.73)",
        "test P@10, 2000": ".0120",
    },
}


def test_error(model: sl.MatrixFactorization, test: sl.Dataset) -> float:
    """Compute the mean squared error of the products without biases, as in the course."""
    users, items = model.user_vectors()[test.user_rows], model.item_vectors()[test.item_rows]
    return float(((np.einsum("nf,nf->n", users, items) - test.weights) ** 2).mean())


def popularity_rank(model: sl.MatrixFactorization) -> float:
    norms = sl.explore.norms(model)
    return float(spearmanr(norms["interactions"].to_numpy(), norms["norm"].to_numpy()).statistic)


def last(model: sl.MatrixFactorization, column: str) -> float:
    """Return a metric of the last iteration."""
    value: float = model.history[column][-1].as_py()
    return value


def observed(data: sl.Dataset, seed: int, init_std: float) -> Figures:
    train, test = sl.split.random(data, 0.1, seed=seed)
    model = sl.MatrixFactorization(
        loss="observed", embedding_size=30, init_std=init_std, epochs=501,
        optimizer="sgd", learning_rate=10.0, seed=seed,
    ).fit(train)  # fmt: skip
    figures = {"train MSE, 500": last(model, "loss"), "test MSE, 500": test_error(model, test)}
    model.resume(500)
    figures |= {"train MSE": last(model, "loss"), "test MSE": test_error(model, test)}
    return figures | {"Spearman": popularity_rank(model)}


def regularized(data: sl.Dataset, seed: int) -> Figures:
    train, test = sl.split.random(data, 0.1, seed=seed)
    model = sl.MatrixFactorization(
        loss="regularized", regularization=0.1, gravity=1.0, embedding_size=35, init_std=0.05,
        epochs=2001, optimizer="sgd", learning_rate=20.0, seed=seed,
    ).fit(train)  # fmt: skip
    near = sl.explore.neighbors(model, "Aladdin", k=5).table["title"].to_pylist()
    print(f"    neighbours of Aladdin by cosine, seed {seed}: {', '.join(near)}")
    everything = model.user_vectors() @ model.item_vectors().T
    return {
        "train MSE": last(model, "observed"),
        "test MSE": test_error(model, test),
        "regularization": last(model, "regularization"),
        "gravity": last(model, "gravity"),
        "total": last(model, "loss"),
        "Spearman": popularity_rank(model),
        "mean of all pairs": float(everything.mean()),
    }


def softmax(data: sl.Dataset, seed: int) -> Figures:
    rng = np.random.default_rng(seed)
    held = np.isin(data.user_rows, rng.permutation(data.n_users)[: data.n_users // 10])
    train, test = data.select(~held), data.select(held)
    model = sl.MatrixFactorization(
        loss="softmax", embedding_size=35, genre_size=3, year_size=2, layers=1,
        init_std=0.88 / np.sqrt(35),  # of the course's normal, truncated at two deviations
        optimizer="adagrad", learning_rate=8.0, batch_size=200,
        epochs=400, seed=seed,  # an epoch is 5 steps
    ).fit(train)  # fmt: skip
    figures = softmax_figures(model, test, seed, ", 2000")
    model.resume(200)
    return figures | softmax_figures(model, test, seed, "")


def softmax_figures(
    model: sl.MatrixFactorization, test: sl.Dataset, seed: int, suffix: str
) -> Figures:
    """Compute the loss in training, and that of unseen users without the label in their history."""
    kept, labels = without_a_label(test, np.random.default_rng(seed))
    logits = dense(model.score(Profiles.new(kept.matrix[np.unique(kept.user_rows)])))
    rows = np.arange(len(labels))
    total = np.log(np.exp(logits.astype(np.float64)).sum(axis=1))
    ranks = (logits > logits[rows, labels][:, np.newaxis]).sum(axis=1)
    losses = model.history["loss"].to_numpy()
    return {
        f"train CE{suffix}": float(losses[-20:].mean()),  # noisy: one label per user and epoch
        f"test CE{suffix}": float((total - logits[rows, labels]).mean()),
        f"test P@10{suffix}": float((ranks < 10).mean() / 10),
    }


def without_a_label(
    test: sl.Dataset, rng: np.random.Generator
) -> tuple[sl.Dataset, NDArray[np.int64]]:
    """Remove one interaction of each user; return the rest, and the removed items."""
    indptr, indices, _ = csr_arrays(test.matrix)
    users = np.flatnonzero(np.diff(indptr) > 1)
    removed = rng.integers(indptr[users], indptr[users + 1])
    kept = np.isin(test.user_rows, users)
    kept[removed] = False
    return test.select(kept), indices[removed].astype(np.int64)


RUNS: dict[str, tuple[str, Callable[[sl.Dataset, int], Figures]]] = {
    "a": ("observed, std .5, 1,000 iterations", lambda data, seed: observed(data, seed, 0.5)),
    "b": ("observed, std .05, 1,000 iterations", lambda data, seed: observed(data, seed, 0.05)),
    "c": ("regularized, 2,000 iterations", regularized),
    "d": ("softmax, 3,000 iterations", softmax),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", default="".join(RUNS), help="the runs (default: abcd)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    data = ml_100k()
    results: dict[str, Any] = {}
    for name in options.runs:
        title, run = RUNS[name]
        started = time.perf_counter()
        print(f"({name}) {title}")
        figures = [run(data, seed) for seed in track(range(options.seeds), f"run {name}")]
        seconds = (time.perf_counter() - started) / options.seeds
        values = {key: [run_figures[key] for run_figures in figures] for key in figures[0]}
        rows = [
            [key, f"{min(ours):.4f} to {max(ours):.4f}", KNOWN[name].get(key, "")]
            for key, ours in values.items()
        ]
        print(text_table([f"{options.seeds} seeds", "ours", "known"], rows))
        print(f"    {seconds:.1f} s per seed\n")
        results[name] = {"title": title, "seconds": seconds, "ours": values, "known": KNOWN[name]}
    if options.json:
        options.json.write_text(json.dumps(results, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
