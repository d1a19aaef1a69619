"""Sums of cosines within lists, against sets."""

from __future__ import annotations

from itertools import combinations
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_worlds import Sparse, seeds, sparse_floats

from shortlist.kernels.diversity import pair_similarities


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(0, 9), st.integers(1, 20), st.integers(1, 70), st.integers(0, 8))
def test_pair_similarities_equal_brute_force(
    seed: int, n_lists: int, n_items: int, width: int, k: int
) -> None:
    rng = np.random.default_rng(seed)
    members = Sparse.of(sparse_floats(rng, (n_items, width)))
    lists = np.full((n_lists, k), -1, np.int32)
    for row in lists:
        length = int(rng.integers(0, min(k, n_items) + 1))
        row[:length] = rng.choice(n_items, length, replace=False)
    sums = pair_similarities(lists, members.indptr, members.indices, width)
    sets = [
        set(members.indices[members.indptr[item] : members.indptr[item + 1]].tolist())
        for item in range(n_items)
    ]
    for row, found in zip(lists, sums, strict=True):
        for length in range(1, k + 1):
            expected = 0.0
            for one, other in combinations([sets[item] for item in row[:length] if item >= 0], 2):
                expected += len(one & other) / sqrt(max(len(one) * len(other), 1))
            assert found[length - 1] == pytest.approx(expected, rel=2e-7)  # vectors are float32
