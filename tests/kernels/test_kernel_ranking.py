from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_worlds import Selection, seeds

from shortlist.kernels.ranking import midranks
from shortlist.kernels.threads import thread_limit


@settings(max_examples=80, deadline=None)
@given(seeds, st.integers(0, 12), st.integers(0, 40), st.integers(1, 6))
def test_midranks_equal_brute_force(seed: int, n_queries: int, n_items: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    block = rng.integers(0, levels, (n_queries, n_items)).astype(np.float32)
    chosen = Selection.random(rng, n_queries, n_items)
    true = [
        rng.integers(0, n_items, rng.integers(0, 5)).tolist() if n_items else []
        for _ in range(n_queries)
    ]
    true_indptr = np.concatenate([[0], np.cumsum([len(t) for t in true])]).astype(np.int64)
    ranks, candidates = midranks(
        block,
        true_indptr,
        np.array([item for items in true for item in items], np.int32),
        chosen.eligible,
    )
    expected = []
    for query in range(n_queries):
        allowed = chosen.candidates(query)
        assert candidates[query] == len(allowed)
        for item in true[query]:
            if item not in allowed:
                expected.append(np.inf)
                continue
            # the mean of the best and the worst place that ties allow
            best = 1 + sum(block[query, other] > block[query, item] for other in allowed)
            worst = sum(block[query, other] >= block[query, item] for other in allowed)
            expected.append((best + worst) / 2)
    assert ranks.tolist() == expected


def test_equal_scores_rank_everything_in_the_middle() -> None:
    chosen = Selection.everything(1, 5)
    ranks, candidates = midranks(
        np.zeros((1, 5), np.float32), np.array([0, 2]), np.array([0, 4], np.int32),
        chosen.eligible,
    )  # fmt: skip
    assert ranks.tolist() == [3.0, 3.0]
    assert candidates.tolist() == [5]


def test_midranks_do_not_depend_on_threads_or_batches() -> None:
    rng = np.random.default_rng(1)
    block = rng.integers(0, 50, (101, 700)).astype(np.float32)
    chosen = Selection.random(rng, 101, 700)
    true_indptr = np.arange(102, dtype=np.int64)
    true = rng.integers(0, 700, 101).astype(np.int32)
    with thread_limit(1):
        ranks, candidates = midranks(block, true_indptr, true, chosen.eligible)
    with thread_limit(2):
        for start, stop in [(0, 101), (0, 1), (1, 60), (60, 101)]:
            some, counts = midranks(
                block[start:stop], true_indptr[: stop - start + 1], true[start:stop],
                chosen.part(start, stop).eligible,
            )  # fmt: skip
            np.testing.assert_array_equal(some, ranks[start:stop])
            np.testing.assert_array_equal(counts, candidates[start:stop])
