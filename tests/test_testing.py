"""The contract fails for models with one defect each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from shortlist.data.dataset import Dataset
from shortlist.models.base import Fitted
from shortlist.models.ease import EASE, EASELearned
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, Scores
from shortlist.scoring.selection import dense
from shortlist.testing import ModelContract, checkerboard, small_world


class Drifting(EASE):
    """Changes its scores with every call."""

    calls = 0

    def score(self, profiles: Profiles) -> Scores:
        Drifting.calls += 1
        return DenseScores(dense(super().score(profiles)) + np.float32(Drifting.calls))


class Accumulating(EASE):
    """Adds to the result of the previous fit."""

    def learn(self, data: Dataset) -> Fitted[EASELearned]:
        learned = super().learn(data).learned
        if self._learned is not None and self._learned.weights.shape == learned.weights.shape:
            return Fitted(replace(learned, weights=learned.weights + self._learned.weights))
        weights = np.tile(learned.weights, (1, 1)) + len(data) * (self._learned is not None)
        return Fitted(replace(learned, weights=weights))


class BlockDependent(EASE):
    """Scores of a user depend on the other users of the block."""

    def score(self, profiles: Profiles) -> Scores:
        scores = dense(super().score(profiles))
        return DenseScores(scores - scores.mean(axis=0))


class Constant(EASE):
    """Scores are the same for all users."""

    def score(self, profiles: Profiles) -> Scores:
        scores = dense(super().score(profiles))
        return DenseScores(np.tile(np.arange(scores.shape[1], dtype=np.float32), (len(scores), 1)))


class RowDependent(EASE):
    """Scores depend on the row of the user, not on the history."""

    def score(self, profiles: Profiles) -> Scores:
        scores = dense(super().score(profiles))
        return DenseScores(
            scores * np.where(profiles.users < 0, -1, 1).astype(np.int8)[:, np.newaxis]
        )


class Double(EASE):
    """Scores in double precision, which the kernels do not accept."""

    def score(self, profiles: Profiles) -> Scores:
        return DenseScores(dense(super().score(profiles)).astype(np.float64))


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        (Drifting, lambda contract: contract.test_refitting_forgets_what_was_learned()),
        (Drifting, lambda contract: contract.test_asking_changes_nothing()),
        (Drifting, lambda contract: contract.test_threads_and_block_sizes(5, 2_000)),
        (Accumulating, lambda contract: contract.test_refitting_forgets_what_was_learned()),
        (BlockDependent, lambda contract: contract.test_one_at_a_time()),
        (BlockDependent, lambda contract: contract.test_threads_and_block_sizes(1, 1)),
        (Constant, lambda contract: contract.test_the_checkerboard_has_its_right_answer()),
        (
            RowDependent,
            lambda contract: contract.test_a_history_gets_the_list_of_the_user_who_has_it(),
        ),
        (Double, lambda contract: contract.test_scores_are_what_the_kernels_take()),
        (RowDependent, lambda contract: contract.test_the_registry_knows_the_model()),
    ],
)
def test_a_model_with_a_defect_fails(
    kind: type[EASE], test: Callable[[ModelContract], Any]
) -> None:
    class Contract(ModelContract):
        model = partial(kind, regularization=150.0, weighting="binary")

    with pytest.raises((AssertionError, ValueError)):
        test(Contract())


def test_the_checkerboard_leaves_one_item_out_per_user() -> None:
    world = checkerboard()
    matrix = world.data.matrix.toarray()
    assert matrix.sum(axis=0).tolist() == matrix.sum(axis=1).tolist() == [5.0] * 12
    for user, item in world.answers.items():
        row, column = int(str(user)[1:]), int(str(item)[1:])
        assert matrix[row, column] == 0
        assert row % 2 == column % 2
        assert (matrix[row, column % 2 :: 2].sum(), matrix[row].sum()) == (5, 5)
    assert len(set(world.answers.values())) == 12


def test_the_small_world_has_the_irregularities_of_real_tables() -> None:
    data, large = small_world().data, small_world("large").data
    assert data.user_counts.min() == data.item_counts.min() == 0
    assert data.weights.min() == 0
    assert len(set(data.weights.tolist())) > 5
    assert data.item_counts.max() >= 12
    assert large.users.ids[0].as_py() == 2**62
    assert float(2**62) == float(2**62 + 39)  # equal as float64
    assert large.matrix.toarray().tolist() == data.matrix.toarray().tolist()
    shuffled = small_world().shuffled(seed=1)
    assert not shuffled.interactions.equals(small_world().interactions)
    assert shuffled.data.fingerprint == data.fingerprint
