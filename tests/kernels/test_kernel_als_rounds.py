"""Conjugate gradients in rounds have the bits of those in one pass, wherever observations lie."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_worlds import Sparse, seeds, sparse_floats
from numpy.typing import NDArray

from shortlist.kernels.als import solve_cg
from shortlist.kernels.als_rounds import Descent, add_share, begin_sums, padded
from shortlist.kernels.products import gram, shard_grams, shard_rows, total_gram
from shortlist.kernels.threads import thread_limit

Floats = NDArray[np.float32]


def in_rounds(
    weights: Floats, factors: Floats, common: Floats, weak: Floats, start: Floats, steps: int,
    left: float, cuts: list[int],
) -> tuple[Floats, NDArray[np.float64], list[int]]:  # fmt: skip
    """Solve with the columns in several places; also return how many rows each round had."""
    used = np.flatnonzero(weights.any(axis=1)).astype(np.int32)
    descent = Descent(start[used], common, weak[used], steps, left)
    asked: list[int] = []
    goes_on = True
    while goes_on:
        rows = used[descent.active]
        vectors, shared, own = descent.directions()
        sums = begin_sums(vectors, shared, own)
        for begin, end in pairwise(cuts):
            here = Sparse.of(np.ascontiguousarray(weights[:, begin:end])).csr
            add_share(here, rows, padded(factors[begin:end]), vectors, descent.first, sums)
        asked.append(len(rows))
        goes_on = descent.take_step(sums)
    solved, losses = np.zeros_like(start), np.zeros(len(start))
    solved[used], losses[used] = descent.vectors, descent.losses
    return solved, losses, asked


@settings(max_examples=30, deadline=None)
@given(
    seeds,
    st.integers(1, 20),
    st.integers(1, 60),
    st.integers(1, 40),
    st.integers(0, 5),
    st.sampled_from([0.0, 0.02, 0.5]),
    st.lists(st.integers(0, 60), max_size=5),
)
def test_rounds_have_the_bits_of_one_pass(
    seed: int, n_rows: int, n: int, f: int, steps: int, left: float, cuts: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    weights = sparse_floats(rng, (n_rows, n))
    factors = (rng.standard_normal((n, f)) / 3).astype(np.float32)
    common = rng.uniform(0.1, 1, f).astype(np.float32)
    weak = rng.uniform(0.5, 2, n_rows).astype(np.float32)
    start = rng.standard_normal((n_rows, f)).astype(np.float32)
    csr = Sparse.of(weights).csr
    solved, losses = solve_cg(csr, factors, common, weak, start, steps, left)
    ends = sorted({0, n, *(cut for cut in cuts if cut < n)})
    for limit in (1, 3):
        with thread_limit(limit):
            found = in_rounds(weights, factors, common, weak, start, steps, left, ends)
        assert found[0].tobytes() == solved.tobytes()
        assert found[1].tobytes() == losses.tobytes()
        assert len(found[2]) <= steps + 1
        assert found[2] == sorted(found[2], reverse=True)


def test_vectors_of_another_width_are_refused() -> None:
    vectors = np.ones((2, 9), np.float32)
    with pytest.raises(ValueError, match=r"w=9 is not a multiple of 8: pass padded\(vectors\)"):
        begin_sums(vectors, np.ones(9, np.float32), np.ones(2, np.float32))
    assert padded(vectors).shape == (2, 16)
    assert padded(vectors).sum() == 18


@pytest.mark.parametrize("n", [0, 5, 1_024, 7_000])
@pytest.mark.parametrize("f", [3, 300])
def test_gram_matrices_of_shards_add_up_to_the_same_bits(n: int, f: int) -> None:
    factors = np.random.default_rng(n).standard_normal((n, f)).astype(np.float32)
    rows = shard_rows(n)
    for cuts in ([0, 1], [0, 3, 5], [0, 1, 2, 3, 4, 5, 6]):
        ends = [cut * rows for cut in cuts if cut * rows < n] + [n]
        parts = [shard_grams(factors[a:b], rows, a // rows) for a, b in pairwise(ends)]
        found = total_gram([each for part in parts for each in part], f)
        assert found.tobytes() == gram(factors).tobytes()
    wide = factors.astype(np.float64)
    np.testing.assert_allclose(found, wide.T @ wide, atol=1e-3)
