"""iALS beside irspack and implicit: seconds of one fit, and the quality of its lists.

    SHORTLIST_DATA=FOLDER python benchmarks/als_speed.py [--data ml-1m,sports,tail]
        [--factors 64,256,1024] [--epochs 15] [--peers FOLDER] [--json OUT]

All get two threads, the same training data, factors, epochs, weight of unobserved pairs and
regularization, and run in turns in one process; implicit has one penalty for all rows, the mean of
ours. A peer that cannot be imported is left out; ``--peers`` is a folder to import them from.
NDCG@20 is over the full catalogue without seen items, for a fifth of the interactions held out at
random. "tail" is synthetic: 30,000 x 41,000, a million interactions, items rare and popular.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from boards.data_sets import READERS
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix
from threadpoolctl import threadpool_limits

import shortlist as sl
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Vocabulary
from shortlist.kernels.threads import thread_limit
from shortlist.metrics.ranking import discounted_gain, ideal_gain
from shortlist.scoring.scores import FactorScores, ItemFactors
from shortlist.scoring.selection import Eligible, top_k
from shortlist.scoring.sparse import csr_arrays

THREADS, REGULARIZATION, ALL_ZEROS, CUTOFF = 2, 0.003, 20.0, 20
KINDS = "user", "item"
Floats = NDArray[np.float32]
Vectors = tuple[Floats, Floats]


def tail(n_users: int = 30_000, n_items: int = 41_000, n: int = 1_000_000) -> csr_array:
    """Draw check-ins: everyone is at home in three of 300 regions, and items are rare or not."""
    rng = np.random.default_rng(0)
    regions = 300
    region = rng.integers(0, regions, n_items)
    popularity = (rng.permutation(n_items) + 20.0) ** -0.8
    activity = rng.lognormal(0, 0.9, n_users)
    weight = (np.arange(regions) + 5.0) ** -0.6
    home = rng.choice(regions, (n_users, 3), p=weight / weight.sum())
    members = [np.flatnonzero(region == number) for number in range(regions)]
    pairs = np.empty(0, np.int64)
    while len(pairs) < n:
        users = rng.choice(n_users, n // 2, p=activity / activity.sum())
        which = home[np.arange(n_users)[users], rng.choice(3, n // 2, p=[0.6, 0.25, 0.15])]
        items = np.empty(n // 2, np.int64)
        for number, inside in enumerate(members):
            there = np.flatnonzero(which == number)
            chances = popularity[inside] / popularity[inside].sum()
            items[there] = rng.choice(inside, len(there), p=chances)
        pairs = np.union1d(pairs, users * n_items + items)
    pairs = rng.choice(pairs, n, replace=False)
    cells = np.ones(n, np.float32), (pairs // n_items, pairs % n_items)
    return csr_array(cells, shape=(n_users, n_items))


def split(matrix: csr_array) -> tuple[csr_matrix, csr_matrix]:
    """Hold out a fifth of the cells at random."""
    cells = matrix.tocoo()
    held_out = np.random.default_rng(1).random(cells.nnz) < 0.2
    train, test = (
        csr_matrix(
            (np.ones(part.sum(), np.float32), (cells.row[part], cells.col[part])), cells.shape
        )
        for part in (~held_out, held_out)
    )
    return train, test


def ndcg(train: csr_matrix, test: csr_matrix, vectors: Vectors) -> float:
    """Return the mean NDCG@20 of the users with held-out cells."""
    users = np.flatnonzero(np.diff(test.indptr))
    seen, truth = csr_arrays(csr_array(train[users])), csr_array(test[users])
    n_items = train.shape[1]
    scores = FactorScores(
        np.ascontiguousarray(vectors[0][users], np.float32),
        ItemFactors.from_rows(np.ascontiguousarray(vectors[1], np.float32)),
    )
    order = np.arange(n_items, dtype=np.int32)
    rows = top_k(scores, Eligible.excluding(seen.indptr, seen.indices, order), CUTOFF).rows
    lengths = np.diff(truth.indptr)
    keys = np.repeat(np.arange(len(users)), lengths) * n_items + truth.indices
    found = np.isin(np.arange(len(users))[:, np.newaxis] * n_items + rows, keys)
    gains = (found * discounted_gain(np.arange(1, CUTOFF + 1), CUTOFF)).sum(axis=1)
    return float((gains / ideal_gain(lengths, CUTOFF)).mean())


def dataset(matrix: csr_matrix) -> Dataset:
    users, items = (
        Vocabulary(pa.array(range(count)), kind=kind)
        for count, kind in zip(matrix.shape, KINDS, strict=True)
    )
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))
    order = np.arange(matrix.nnz)
    return Dataset(users, items, rows, matrix.indices, matrix.data, None, order)


def ours(train: csr_matrix, factors: int, epochs: int, alpha: float) -> Vectors:
    with thread_limit(THREADS):
        model = sl.IALS(
            embedding_size=factors,
            epochs=epochs,
            regularization=REGULARIZATION,
            unobserved_weight=alpha,
        ).fit(dataset(train))
    return model.user_vectors(), model.item_vectors()


def irspack(train: csr_matrix, factors: int, epochs: int, alpha: float) -> Vectors:
    from irspack import IALSRecommender

    model = IALSRecommender(
        train, n_components=factors, alpha0=alpha, reg=REGULARIZATION, train_epochs=epochs,
        n_threads=THREADS,
    )  # fmt: skip
    model.learn()
    return model.get_user_embedding(), model.get_item_embedding()


def implicit(train: csr_matrix, factors: int, epochs: int, alpha: float) -> Vectors:
    from implicit.als import AlternatingLeastSquares

    mean = train.nnz / train.shape[0] + alpha * train.shape[1]
    model = AlternatingLeastSquares(
        factors=factors, regularization=REGULARIZATION * mean / alpha, alpha=1 / alpha,
        iterations=epochs, num_threads=THREADS, random_state=0,
    )  # fmt: skip
    with threadpool_limits(1):
        model.fit(train, show_progress=False)
    return model.user_factors, model.item_factors


FITS: dict[str, Callable[[csr_matrix, int, int, float], Vectors]] = {
    "shortlist": ours,
    "irspack": irspack,
    "implicit": implicit,
}


def read(name: str) -> csr_array:
    """Return all interactions of a data set before its test."""
    if name == "tail":
        return tail()
    return READERS[name](Path(os.environ["SHORTLIST_DATA"])).train.choices


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", default="ml-1m,sports,tail")
    parser.add_argument("--factors", default="64,256,1024")
    parser.add_argument("--fits", default=",".join(FITS))
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.peers:
        sys.path.append(str(given.peers))
    fits = {name: FITS[name] for name in given.fits.split(",")}
    tiny = csr_matrix(np.eye(30, dtype=np.float32))
    for name in list(fits):
        try:  # also compiles ours
            fits[name](tiny, 8, 1, 0.1)
        except ImportError as error:
            print(f"{name}: {error}")
            del fits[name]
    found: list[dict[str, Any]] = []
    for data in given.data.split(","):
        train, test = split(read(data))
        active = int((np.diff(train.indptr) > 0).sum())
        alpha = ALL_ZEROS * train.nnz / (active * train.shape[1])
        for factors in map(int, given.factors.split(",")):
            for _ in range(given.repeats):
                for name, fit in fits.items():
                    started, used = time.perf_counter(), time.process_time()
                    vectors = fit(train, factors, given.epochs, alpha)
                    seconds, cpu = time.perf_counter() - started, time.process_time() - used
                    quality = ndcg(train, test, vectors)
                    row = {"data": data, "factors": factors, "fit": name, "seconds": seconds}
                    found.append(row | {"cpu": cpu, "ndcg": quality, "epochs": given.epochs})
                    print(
                        f"{data:7} {factors:5} {name:10} {seconds:8.2f} s "
                        f"{cpu:8.2f} CPU s  NDCG@20 {quality:.4f}",
                        flush=True,
                    )
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
