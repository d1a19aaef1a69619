"""Training in shards: the same bits for any number of places that hold the users."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from shortlist import engine
from shortlist.data.dataset import Dataset
from shortlist.engine import Held
from shortlist.errors import NumericalError
from shortlist.kernels.als_rounds import padded
from shortlist.kernels.products import ShardSum, added, shard_count, shard_rows, total_gram
from shortlist.models.ials.least_squares import Basis, Solver
from shortlist.models.ials.model import IALS
from shortlist.models.ials.shards import Users, improve_items
from shortlist.testing import of_matrix

SETTINGS: dict[str, Any] = {
    "embedding_size": 12,
    "epochs": 3,
    "regularization": 0.02,
    "unobserved_weight": 0.1,
    "weighting": "binary",
}


def again(value: Any) -> Any:
    """Return a copy with read-only arrays, as after a way between processes."""
    parts: list[Any] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=parts.append)
    return pickle.loads(head, buffers=[bytes(part.raw()) for part in parts])


class Places(Held[Any]):
    """Several states in this process; what passes between them is copied."""

    def __init__(self, states: list[Any]) -> None:
        self.states = states
        self.asked: list[int] = []  # the rows of each question

    def __len__(self) -> int:
        return len(self.states)

    def each(self, task: Callable[[Any], Any]) -> list[Any]:
        return [again(again(task)(state)) for state in self.states]

    def add_up(
        self,
        add: Callable[[Any, Any, Any], Any],
        questions: Sequence[Any],
        turn: Callable[[int, Any], Any],
    ) -> None:
        waiting = dict(enumerate(questions))
        while waiting:  # a round of all questions, the last one first
            for number in sorted(waiting, reverse=True):
                question, answer = again(waiting.pop(number)), None
                self.asked.append(len(question.rows))
                for state in self.states:
                    answer = again(add(state, question, answer))
                following = turn(number, answer)
                if following is not None:
                    waiting[number] = following

    def steps(
        self, step: Callable[[int, Any], Any], first: Any, numbers: range, text: str
    ) -> Iterator[Any]:
        """Lose the states once in each step, after they have changed."""
        value = first
        for number in numbers:
            before = again([state.changed() for state in self.states])
            step(number, value)
            for state, changed in zip(self.states, before, strict=True):
                state.restore(changed)
            value = step(number, value)
            yield value


class InPlaces(engine.LocalEngine):
    """Holds shards in some places, cut at some shards."""

    def __init__(self, *cuts: int) -> None:
        super().__init__()
        self.cuts = cuts
        self.held: list[Places] = []

    def hold(self, cut: Callable[[range], Any], work: Sequence[int]) -> AbstractContextManager[Any]:
        ends = sorted({0, *(at for at in self.cuts if at < len(work)), len(work)})
        self.held.append(Places([again(cut(range(*pair))) for pair in pairwise(ends)]))
        return nullcontext(self.held[-1])


def world(n_users: int = 5_500, n_items: int = 70, weights: bool = False) -> Dataset:
    """Six shards, items that all have chosen and items that few have, and one without users."""
    rng = np.random.default_rng(0)
    chosen = rng.random((n_users, n_items)) < rng.random(n_items) ** 4 * 0.5
    chosen[:, 0], chosen[0] = True, True
    return of_matrix(chosen * (rng.uniform(0.5, 5, chosen.shape) if weights else 1.0))


@pytest.mark.parametrize("cuts", [(3,), (1, 2, 3, 4, 5), (2, 5)])
@pytest.mark.parametrize(
    "settings",
    [{}, {"embedding_size": 16, "cg_steps": 1}, {"weighting": "weighted", "epochs": 2}],
    ids=["default", "one step", "weighted"],
)
def test_any_number_of_places_gives_the_same_bits(
    cuts: tuple[int, ...], settings: dict[str, Any]
) -> None:
    data = world(weights="weighting" in settings)
    model, where = IALS(**SETTINGS | settings), InPlaces(*cuts)
    there = IALS(**model.get_params()).fit(data, engine=where)
    here = model.fit(data)
    assert len(where.held[0]) == len(cuts) + 1
    assert there.learned.users.tobytes() == here.learned.users.tobytes()
    assert there.learned.items.tobytes() == here.learned.items.tobytes()
    assert there.history.equals(here.history)


def test_items_leave_the_rounds_when_they_are_good_enough() -> None:
    where = InPlaces(3)
    IALS(**SETTINGS | {"epochs": 1}).fit(world(), engine=where)
    asked = where.held[0].asked[::2]  # each step is taken twice, in one panel of 64 and one of six
    assert asked[0] + where.held[0].asked[1] == 70
    assert min(where.held[0].asked) < 64
    assert max(where.held[0].asked) == 64


@pytest.mark.parametrize("largest", [2.0, np.inf])
def test_items_beyond_float32_are_solved_in_float64_wherever_their_users_are(
    largest: float,
) -> None:
    rng = np.random.default_rng(0)
    weights = (rng.random((600, 20)) < 0.3) * rng.uniform(1, 2, (600, 20)).astype(np.float32)
    weights[9, 3] = largest
    by_user = csr_array(weights)
    solver = Solver("IALS", 6, 0.02, 0.1, 1.0, None)
    vectors, items = (rng.standard_normal((n, 6)).astype(np.float32) for n in (600, 20))
    items[3] = np.nan
    basis = Basis.of(vectors)
    assert basis is not None
    found = []
    for cuts in ([0, 600], [0, 256, 600]):
        states = [
            Users(solver, by_user[start:stop], start // 256, 256, vectors[start:stop])
            for start, stop in pairwise(cuts)
        ]
        for state in states:
            state.factors = padded(state.vectors)
        held = Places(states)
        if np.isinf(largest):
            with pytest.raises(NumericalError, match=r"a largest weight of inf\n  to do: choose a"):
                improve_items(solver, by_user, held, items, basis)
            continue
        found.append(improve_items(solver, by_user, held, items, basis))
    for solved, losses in found:
        assert solved.tobytes() == found[0][0].tobytes()
        assert losses.tobytes() == found[0][1].tobytes()
        wide = vectors.astype(np.float64)
        system = (wide.T * weights[:, 3]) @ wide + 0.1 * np.diag(basis.values)
        system += 0.02 * (np.count_nonzero(weights[:, 3]) + 0.1 * 600) * np.eye(6)
        best = np.linalg.solve(system, wide.T @ weights[:, 3])
        np.testing.assert_allclose(solved[3], best, rtol=1e-5)


def test_a_state_here_is_asked_until_there_are_no_questions() -> None:
    told: list[tuple[int, int]] = []

    def turn(number: int, answer: int) -> int | None:
        told.append((number, answer))
        return answer if answer < 20 else None

    Held(3).add_up(lambda state, question, before: state * question, [2, 5], turn)
    assert told == [(0, 6), (0, 18), (0, 54), (1, 15), (1, 45)]


def test_shards_are_at_most_256_and_multiples_of_1024_rows() -> None:
    counts = [shard_count(rows) for rows in (0, 1, 1_024, 1_025, 262_144, 262_145)]
    assert counts == [0, 1, 1, 2, 256, 129]
    sizes = [shard_rows(rows) for rows in (0, 262_144, 262_145, 100_000_000)]
    assert sizes == [1_024, 1_024, 2_048, 391_168]


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7, 200])
def test_sums_of_shards_do_not_depend_on_who_holds_them(count: int) -> None:
    rng = np.random.default_rng(count)
    values = rng.standard_normal(count) * 10.0 ** rng.integers(-8, 8, count)

    def sums(*ends: int) -> float:
        met = [
            added(ShardSum(0, at, np.array([[values[at]]])) for at in range(*pair))
            for pair in pairwise(sorted({0, *(end for end in ends if end < count), count}))
        ]
        assert all(len(part) <= 14 for part in met)
        return float(total_gram([each for part in met for each in part], 1)[0, 0])

    assert len({sums(), sums(1), sums(2, 5), sums(3, 64, 100), sums(*range(count))}) == 1
    assert sums() == pytest.approx(values.sum(), rel=1e-12, abs=1e-6)
