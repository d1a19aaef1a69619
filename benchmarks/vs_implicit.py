"""Our kernels side by side with `implicit`, on one synthetic matrix, in one process.

    pip install -e ".[bench]"
    python benchmarks/vs_implicit.py [--repeats 5] [--json OUT]

Both get two threads and the same work, run alternately, and must agree on the result. BLAS gets one
thread, as `implicit` recommends (its own threads call BLAS). The last lines compare the kernels
with the peak rates of this machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from shortlist.kernels.als import solve_cg, solve_cholesky
from shortlist.kernels.products import gram, multiply
from shortlist.kernels.similarity import neighbors
from shortlist.kernels.threads import thread_limit
from shortlist.kernels.topk import topk_factors
from shortlist.kernels.types import Csr
from shortlist.scoring.selection import Eligible

THREADS = 2
FACTORS, REGULARIZATION, CONFIDENCE = 64, 10.0, 2.0
Floats = NDArray[np.float32]
Answer = tuple[NDArray[np.int32], Floats]


def synthetic(n_users: int, n_items: int, n: int, seed: int) -> csr_matrix:
    """Draw ``n`` distinct pairs; users' activity is log-normal, items' popularity a power law."""
    rng = np.random.default_rng(seed)
    activity = rng.lognormal(sigma=1.0, size=n_users)
    popularity = rng.permutation((np.arange(n_items) + 50.0) ** -0.9)
    pairs = np.empty(0, np.int64)
    while len(pairs) < n:
        users = rng.choice(n_users, n, p=activity / activity.sum())
        items = rng.choice(n_items, n, p=popularity / popularity.sum())
        pairs = np.union1d(pairs, users * n_items + items)
    pairs = np.sort(rng.choice(pairs, n, replace=False))
    matrix = csr_matrix(
        (np.ones(n, np.float32), (pairs // n_items, pairs % n_items)), (n_users, n_items)
    )
    matrix.sort_indices()
    return matrix


def parts(matrix: csr_matrix) -> Csr:
    return Csr(
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int32, copy=False),
        matrix.data.astype(np.float32, copy=False),
    )


def our_neighbors(matrix: csr_matrix, n: int) -> Answer:
    norms = np.sqrt(matrix.multiply(matrix).sum(axis=1)).A1
    scale = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0).astype(np.float32)
    no_exclusion = np.full(matrix.shape[0], -1, np.int32)  # as implicit does
    return neighbors(parts(matrix), parts(matrix.T.tocsr()), scale, scale, 0.0, no_exclusion, n)


def their_neighbors(matrix: csr_matrix, n: int) -> csr_matrix:
    model = CosineRecommender(K=n, num_threads=THREADS)
    model.fit(matrix.T.tocsr(), show_progress=False)
    return csr_matrix(model.similarity)


def our_als(matrix: csr_matrix, start: tuple[Floats, Floats], cg: bool, steps: int) -> Any:
    # `implicit` fits observed pairs to 1 with weight c and adds x^2 over the others; we add it
    # over all. With one c for all pairs its half-step is ours for weights c - 1, times c / (c - 1).
    weighted = matrix * np.float32(CONFIDENCE - 1)
    by_user, by_item = parts(weighted), parts(weighted.T.tocsr())
    stretch = np.float32(CONFIDENCE / (CONFIDENCE - 1))
    x, y = start

    def half_step(observed: Csr, own: Floats, other: Floats) -> tuple[Floats, Floats]:
        with threadpool_limits(1):
            values, directions = np.linalg.eigh(gram(other))
        turn = directions.astype(np.float32)
        other = multiply(other, turn)
        regularization = np.full(len(own), REGULARIZATION, np.float32)
        common = (observed, other, values.astype(np.float32), regularization)
        if cg:
            return stretch * solve_cg(*common, multiply(own, turn) / stretch, 2)[0], other
        return stretch * solve_cholesky(*common), other

    for _ in range(steps):
        x, y = half_step(by_user, x, y)
        y, x = half_step(by_item, y, x)
    return x, y


def their_als(matrix: csr_matrix, start: tuple[Floats, Floats], cg: bool, steps: int) -> Any:
    model = AlternatingLeastSquares(
        factors=FACTORS, regularization=REGULARIZATION, iterations=steps, use_cg=cg,
        alpha=CONFIDENCE, num_threads=THREADS, random_state=0,
    )  # fmt: skip
    model.user_factors, model.item_factors = start[0].copy(), start[1].copy()
    model.fit(matrix, show_progress=False)
    return model.user_factors, model.item_factors


def als_loss(matrix: csr_matrix, factors: tuple[Floats, Floats]) -> float:
    """Compute the objective of `implicit`, in float64."""
    x, y = (array.astype(np.float64) for array in factors)
    coo = matrix.tocoo()
    observed = np.einsum("nf,nf->n", x[coo.row], y[coo.col])
    everywhere = ((x.T @ x) * (y.T @ y)).sum()
    fit = (CONFIDENCE * (1 - observed) ** 2 - observed**2).sum()
    return float(fit + everywhere + REGULARIZATION * ((x**2).sum() + (y**2).sum()))


def our_topk(matrix: csr_matrix, factors: tuple[Floats, Floats], k: int) -> Answer:
    x, y = factors
    n_items = len(y)
    return topk_factors(
        x, np.ascontiguousarray(y.T), np.zeros(n_items, np.float32),
        Eligible.excluding(*parts(matrix)[:2], np.arange(n_items, dtype=np.int32)), k,
    )  # fmt: skip


def their_topk(matrix: csr_matrix, model: AlternatingLeastSquares, k: int) -> Answer:
    everyone = np.arange(matrix.shape[0])
    ids, scores = model.recommend(everyone, matrix, N=k, filter_already_liked_items=True)
    return ids, scores


def same_neighbors(ours: Answer, theirs: csr_matrix) -> bool:
    """Whether both have the same similarities; neighbours with equal ones may differ."""
    rows, values = ours
    for b in range(0, len(rows), 7):
        expected = np.sort(theirs.data[theirs.indptr[b] : theirs.indptr[b + 1]])[::-1]
        if not np.allclose(values[b, : (rows[b] >= 0).sum()], expected, rtol=1e-4):
            return False
    return True


def same_lists(ours: Answer, theirs: Answer) -> bool:
    """Whether both list the same items, except for ties at the end of the list."""
    for rows, scores, ids, their_scores in zip(*ours, *theirs, strict=True):
        if not np.allclose(scores, their_scores, rtol=1e-4, atol=1e-6):
            return False
        clear = scores > scores[-1] + 1e-4 * abs(scores[-1])
        if not set(rows[clear].tolist()) <= set(ids.tolist()):
            return False
    return True


def alternate(
    ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int
) -> tuple[list[float], list[float], Any, Any]:
    """Run both once to warm up, then alternately."""
    our_answer, their_answer = ours(), theirs()
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for run, spent in zip((ours, theirs), seconds, strict=True):
            started = time.perf_counter()
            run()
            spent.append(time.perf_counter() - started)
    return *seconds, our_answer, their_answer


def best_of(run: Callable[[], Any], repeats: int) -> float:
    spent = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        spent.append(time.perf_counter() - started)
    return min(spent)


def machine(repeats: int) -> dict[str, float]:
    """Measure the peak rates of this machine: float32 matrix products and copying memory."""
    a = np.ones((3000, 3000), np.float32)
    source, target = np.ones(2**26, np.float32), np.zeros(2**26, np.float32)
    with threadpool_limits(THREADS, user_api="blas"):
        product = best_of(lambda: a @ a, repeats)
    copied = best_of(lambda: np.copyto(target, source), repeats)
    return {
        "sgemm_gflops": 2 * 3000**3 / product / 1e9,
        "copy_gbs": 2 * source.nbytes / copied / 1e9,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=30_000)
    parser.add_argument("--items", type=int, default=8_000)
    parser.add_argument("--interactions", type=int, default=2_000_000)
    parser.add_argument("--steps", type=int, default=2, help="ALS iterations")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()

    matrix = synthetic(arguments.users, arguments.items, arguments.interactions, seed=0)
    transposed = matrix.T.tocsr()
    rng = np.random.default_rng(1)
    x, y = (rng.uniform(0, 0.1, (n, FACTORS)).astype(np.float32) for n in matrix.shape)
    start = x, y
    results: list[dict[str, Any]] = []

    def compare(
        name: str, ours: Callable[[], Any], theirs: Callable[[], Any],
        agree: Callable[[Any, Any], bool],
    ) -> Any:  # fmt: skip
        our_seconds, their_seconds, our_answer, their_answer = alternate(
            ours, theirs, arguments.repeats
        )
        our_median, their_median = statistics.median(our_seconds), statistics.median(their_seconds)
        same = agree(our_answer, their_answer)
        results.append(
            {"task": name, "shortlist_s": our_median,
             "implicit_s": their_median, "ratio": their_median / our_median,
             "agree": same, "shortlist_all_s": our_seconds, "implicit_all_s": their_seconds}
        )  # fmt: skip
        ratio = f"{their_median / our_median:>8.2f}x"
        print(f"{name:<34}{our_median:>11.3f}{their_median:>11.3f}{ratio}  {same}", flush=True)
        return our_answer

    print(
        f"{arguments.users} x {arguments.items}, {matrix.nnz} interactions, {THREADS} threads, "
        f"median of {arguments.repeats}"
    )
    print(f"{'':<34}{'shortlist s':>11}{'implicit s':>11}{'ratio':>9}  same result")
    with threadpool_limits(1, user_api="blas"), thread_limit(THREADS):
        for cg in (True, False):
            compare(
                f"ALS {FACTORS} factors, {arguments.steps} steps, {'CG' if cg else 'Cholesky'}",
                partial(our_als, matrix, start, cg, arguments.steps),
                partial(their_als, matrix, start, cg, arguments.steps),
                lambda a, b: als_loss(matrix, a) <= 1.0001 * als_loss(matrix, b),
            )
        compare(
            "item cosine, top 50",
            lambda: our_neighbors(transposed, 50),
            lambda: their_neighbors(transposed, 50), same_neighbors,
        )  # fmt: skip
        compare(
            "user cosine, top 50",
            lambda: our_neighbors(matrix, 50), lambda: their_neighbors(matrix, 50), same_neighbors,
        )  # fmt: skip
        factors = our_als(matrix, start, True, 3)
        model = AlternatingLeastSquares(factors=FACTORS, num_threads=THREADS)
        model.user_factors, model.item_factors = factors
        compare(
            "top 20 for all users, seen removed",
            lambda: our_topk(matrix, factors, 20), lambda: their_topk(matrix, model, 20),
            same_lists,
        )  # fmt: skip
    limits = machine(arguments.repeats)
    topk_gflops = 2 * arguments.users * arguments.items * FACTORS / results[-1]["shortlist_s"] / 1e9
    print(
        f"\npeak rates of this machine: sgemm {limits['sgemm_gflops']:.0f} GFLOP/s on {THREADS} "
        f"threads, copy {limits['copy_gbs']:.1f} GB/s on one; top 20 reaches {topk_gflops:.0f} "
        f"GFLOP/s, selection and filtering included"
    )
    if arguments.json is not None:
        report = {"results": results, "machine": limits, "topk_gflops": topk_gflops}
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
