from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pytest

from shortlist import compare, engine, tune
from shortlist.data import split
from shortlist.models.registry import model_class
from shortlist.recommend.query import Query
from shortlist.testing import of_matrix, small_world
from shortlist.testing.subject import assert_same_lists, lists_of
from shortlist.tuning.budget import TimeBudget

P = TypeVar("P")
T = TypeVar("T")


def blocks(n_rows: int, *, block_bytes: int, bytes_per_row: int) -> list[range]:
    local = engine.LocalEngine(block_bytes=block_bytes)
    return list(local.map_rows(lambda block: block, n_rows, bytes_per_row, "testing"))


def test_blocks_cover_the_rows_in_order() -> None:
    assert blocks(10, block_bytes=40, bytes_per_row=10) == [range(4), range(4, 8), range(8, 10)]
    assert blocks(10, block_bytes=100, bytes_per_row=10) == [range(10)]
    assert blocks(10, block_bytes=99, bytes_per_row=10) == [range(9), range(9, 10)]


def test_a_block_has_a_row_however_little_there_is() -> None:
    assert blocks(3, block_bytes=1, bytes_per_row=10**12) == [range(1), range(1, 2), range(2, 3)]
    assert blocks(3, block_bytes=0, bytes_per_row=0) == [range(1), range(1, 2), range(2, 3)]


def test_no_rows_no_blocks() -> None:
    assert blocks(0, block_bytes=100, bytes_per_row=10) == []


def test_blocks_run_when_they_are_asked_for() -> None:
    done: list[range] = []
    results = engine.LocalEngine(block_bytes=1).map_rows(done.append, 3, 1, "testing")
    assert done == []
    next(results)
    assert done == [range(1)]


def test_an_engine_is_used_inside_the_block_only() -> None:
    default, outer, inner = engine.current(), engine.LocalEngine(1), engine.LocalEngine(2)
    with engine.use(outer):
        assert engine.current() is outer
        with engine.use(inner):
            assert engine.current() is inner
        assert engine.current() is outer
        with suppress(KeyError), engine.use(inner):
            raise KeyError
        assert engine.current() is outer
    assert engine.current() is default


class SizedEngine(engine.LocalEngine):
    """Notes how much memory a row is said to take."""

    def __init__(self) -> None:
        super().__init__()
        self.row_bytes: dict[str, int] = {}

    def map_rows(
        self,
        task: Callable[[range], T],
        n_rows: int,
        bytes_per_row: int,
        description: str,
        least: int = 1,
    ) -> Iterator[T]:
        self.row_bytes[description] = bytes_per_row
        return super().map_rows(task, n_rows, bytes_per_row, description, least)


def test_memory_of_a_row_counts_the_catalogue_only_where_rows_of_it_are_written() -> None:
    n_items = 10_000
    choices = np.zeros((3, n_items))
    choices[:, :2] = 1
    sparse = model_class("ItemCosine")(neighbors=5, weighting="binary", shrinkage=0)
    sparse.fit(of_matrix(choices))
    sized = SizedEngine()
    with engine.use(sized):
        sparse.recommend(k=2)
        assert sized.row_bytes["recommending"] < n_items
        sparse.recommend(queries=[Query(user=0, allow=[0, 1])], k=2)
        assert sized.row_bytes["recommending"] > n_items  # each query may have a mask of its own
        sparse.audience([0], k=2)
        assert sized.row_bytes["audience"] > 8 * n_items


@pytest.mark.parametrize(
    ("given", "bytes_per_row", "sizes"),
    [
        (None, 2**20, [64, 36]),  # as many rows as take 64 MiB
        (None, 2**24, [16] * 6 + [4]),  # 4 would, but a task may ask for 16
        (2**26, 2**24, [4] * 25),
        (1, 2**24, [1] * 100),
    ],
)
def test_rows_of_a_block(given: int | None, bytes_per_row: int, sizes: list[int]) -> None:
    blocks = engine.LocalEngine(given).map_rows(len, 100, bytes_per_row, "testing", 16)
    assert list(blocks) == sizes


def test_pieces_run_in_order_when_they_are_asked_for() -> None:
    done: list[str] = []
    results = engine.LocalEngine().map(done.append, ["first", "second"], 0, "testing")
    assert done == []
    assert list(results) == [None, None]
    assert done == ["first", "second"]


class RemoteEngine(engine.Engine):
    """Passes task and results on as bytes, and runs pieces side by side, the last one first."""

    def __init__(self) -> None:
        self.descriptions: list[str] = []

    def map(
        self, task: Callable[[P], T], pieces: Sequence[P], bytes_each: int, description: str
    ) -> Iterator[T]:
        self.descriptions.append(description)
        sent = pickle.dumps(task)

        def run(piece: bytes) -> bytes:
            return pickle.dumps(pickle.loads(sent)(pickle.loads(piece)))

        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(run, map(pickle.dumps, reversed(pieces))))
        for result in reversed(results):
            value: T = pickle.loads(result)
            yield value

    def block_rows(self, n_rows: int, bytes_per_row: int, least: int) -> int:
        return 7


@pytest.mark.parametrize("name", ["Popularity", "UserCosine", "ItemCosine", "EASE", "IALS"])
def test_tasks_can_run_in_another_process(name: str) -> None:
    """As on a cluster: a task carries all it needs, and depends on nothing else."""
    remote, kind = RemoteEngine(), model_class(name)
    local = kind().fit(small_world().data)
    with engine.use(remote):
        fitted = kind().fit(small_world().data)
        lists: dict[str, Any] = lists_of(fitted)
    assert_same_lists(local, fitted)
    for request, table in lists_of(local).items():
        assert table.combine_chunks().equals(pa.table(lists[request]).combine_chunks())
    assert {"recommending", "audience"} <= set(remote.descriptions)


def test_models_can_be_fitted_in_other_processes() -> None:
    train, test = split.leave_last_out(small_world().data, order="row")
    remote, names = RemoteEngine(), ["Popularity", "ItemCosine", "EASE"]
    models = [[model_class(name)() for name in names] for _ in range(2)]
    local, elsewhere = (
        compare(each, train, test, engine=where)
        for each, where in zip(models, (None, remote), strict=True)
    )
    assert remote.descriptions[0] == "fitting Popularity, ItemCosine, EASE"
    assert elsewhere.to_arrow().equals(local.to_arrow())
    assert all(seconds is not None and seconds > 0 for seconds in elsewhere.fit_seconds.values())
    for here, there in zip(*models, strict=True):
        assert there.data is train
        assert_same_lists(here, there)


def test_trials_can_run_in_other_processes() -> None:
    remote, data = RemoteEngine(), small_world().data
    local, elsewhere = (
        tune("EASE", data, trials=12, folds=2, seconds=600, engine=where)
        for where in (None, remote)
    )
    plain = [
        [trial.model_dump(exclude={"seconds"}) for trial in t.trials] for t in (local, elsewhere)
    ]
    assert plain[0] == plain[1]
    assert elsewhere.check == local.check
    whole = [text for text in remote.descriptions if text.startswith("tuning")]
    assert whole[:3] == [
        "tuning EASE, trials 0, 1, 2, 3, 4",
        "tuning EASE, trials 5, 6, 7, 8, 9",
        "tuning EASE, trials 10",
    ]


def test_a_budget_keeps_its_time_in_another_process() -> None:
    budget = TimeBudget(0.05)
    sent = pickle.dumps(budget)
    assert pickle.loads(sent).left() == pytest.approx(budget.left(), abs=0.02)
    time.sleep(0.06)
    assert pickle.loads(sent).left() < 0
