"""Q6: what a sparse matrix speeds up, and what drawing negatives costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import dok_array
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

import shortlist as sl

from .bench import FILMS, JOBS, Bench
from .document import Section, Table
from .measure import percent

NEGATIVES = 4  # for each interaction
DRAWN = 40_000  # negatives drawn by the slow ways; the fast ones draw those of an epoch
READ = 40_000  # examples read one by one; slices read those of an epoch
BATCH = 256  # as on the page about NCF that the notes follow
REPEATS = 3  # the fastest counts

Rows: TypeAlias = NDArray[np.int64]
BY_ONE, SLICES = "example by example", "slices of tensors"
NO_REJECTION, SET = "no rejection", "Python set"
CSR, DOK = "CSR, element by element", "DOK, element by element"
SORTED, BITMAP = "sorted keys, all at once", "bitmap, all at once"


def answer(bench: Bench) -> Section:
    """Time the ways of drawing, and the ways of reading batches."""
    drawing = {world.name: _drawing(world.data) for world in bench}
    reading = {world.name: _reading(world.data) for world in bench}
    faster = {name: result[SET] / result[SORTED] for name, result in drawing.items()}
    agreed = bench.claim(
        all(result[CSR] == max(result.values()) for result in drawing.values()),
        "The notes are right: looking up the elements of a sparse matrix one by one is the "
        "slowest way.",
    )
    speed = bench.claim(
        min(faster.values()) > 5,
        "Looking up all negatives at once helps: a search in the sorted keys is "
        f"{faster[FILMS]:.0f} and {faster[JOBS]:.0f} times as fast as a Python set "
        f"({FILMS} and {JOBS}).",
    )
    ways = {name: (result[BY_ONE], result[SLICES]) for name, result in reading.items()}
    epoch = bench.claim(
        all(slow > 5 * fast for slow, fast in ways.values()),
        "The same holds for reading the examples: one by one they take "
        + " and ".join(f"{slow / fast:.0f}" for slow, fast in ways.values())
        + " times as long as slices of whole tensors.",
    )
    return Section(
        title="Q6. Does a sparse matrix make it faster?",
        summary="no; drawing, looking up and reading everything at once does.",
        quotes=[
            (
                "sparse 매트릭스로 만든다고 해도 딱히 빨라질만한게 없네, 네거티브 샘플링 할때만 "
                "매트릭스 사용하고 다른때는 사용 안함",
                "Making it a sparse matrix speeds nothing up; it is used in negative sampling and "
                "nowhere else.",
            )
        ],
        setup=f"{NEGATIVES} negatives for every interaction, drawn again if the user has the "
        "item, as in the notes' NCF; then reading the examples. The code that is measured is "
        "that of this study, not of the library.",
        results=[
            _table("µs per negative", drawing),
            "Reading the examples (user, item, label):",
            _table("µs per example", reading),
        ],
        answer=f"{agreed} {speed} {epoch}",
        reference=_reference(bench, drawing),
    )


def _reference(bench: Bench, drawing: Mapping[str, Mapping[str, float]]) -> str:
    """Compare the order of the ways, and the share of false negatives, with the reference."""
    data = {world.name: world.data for world in bench}
    density = {
        name: result.n_interactions / result.n_users / result.n_items
        for name, result in data.items()
    }
    drawn = {
        name: float((result.user_counts[result.user_rows] / result.n_items).mean())
        for name, result in data.items()
    }
    order = bench.claim(
        all(
            result[SET] > result[SORTED] > result[BITMAP] > result[NO_REJECTION]
            for result in drawing.values()
        ),
        "The order is that of the reference except for DOK, which took .7 (size of ML-1M) and "
        ".3 (jobs) times as long as the set there, and here "
        + " and ".join(
            f"{result[DOK] / result[SET]:.1f} ({name})" for name, result in drawing.items()
        )
        + " times.",
    )
    share = bench.claim(
        all(drawn[name] > 1.5 * density[name] for name in data),
        "Without rejection, more negatives are false than the reference says (6% and .12%, the "
        f"density of the matrix): {percent(drawn[FILMS])} ({FILMS}) and {percent(drawn[JOBS])} "
        f"({JOBS}), because users with many interactions also get most of the negatives.",
    )
    return f"{order} {share}"


def _table(unit: str, results: dict[str, dict[str, float]]) -> Table:
    ways = next(iter(results.values()))
    return Table(
        ["way", *(f"{name}: {unit}" for name in results)],
        [[way, *(f"{result[way]:.3f}" for result in results.values())] for way in ways],
    )


def _drawing(data: sl.Dataset) -> dict[str, float]:
    """Time each way, in microseconds per negative."""
    every = np.repeat(data.user_rows.astype(np.int64), NEGATIVES)
    some = np.random.default_rng(0).permutation(every)[:DRAWN]
    matrix = data.matrix
    cells: dict[str, Container[tuple[int, int]]] = {
        DOK: dok_array(matrix),
        SET: set(zip(data.user_rows.tolist(), data.item_rows.tolist(), strict=True)),
    }
    keys = data.user_rows.astype(np.int64) * data.n_items + data.item_rows
    bitmap = np.zeros((data.n_users, data.n_items), dtype=bool)
    bitmap[data.user_rows, data.item_rows] = True

    def by_keys(users: Rows, items: Rows) -> NDArray[np.bool_]:
        pair_keys = users * data.n_items + items
        position = np.minimum(np.searchsorted(keys, pair_keys), len(keys) - 1)
        return np.asarray(keys[position] == pair_keys)

    def by_bitmap(users: Rows, items: Rows) -> NDArray[np.bool_]:
        return np.asarray(bitmap[users, items])

    ways: dict[str, tuple[Rows, Callable[[Rows], Rows]]] = {
        CSR: (some, lambda users: _one_by_one(users, data.n_items, lambda u, i: matrix[u, i] != 0)),
        SET: (some, lambda users: _one_by_one(users, data.n_items, _asks(cells[SET]))),
        DOK: (some, lambda users: _one_by_one(users, data.n_items, _asks(cells[DOK]))),
        SORTED: (every, lambda users: _all_at_once(users, data.n_items, by_keys)),
        BITMAP: (every, lambda users: _all_at_once(users, data.n_items, by_bitmap)),
        NO_REJECTION: (every, lambda users: _drawn(users, data.n_items)),
    }
    results = {}
    for name, (users, draw) in ways.items():
        results[name], items = _timed(draw, users)
        assert name == NO_REJECTION or not bitmap[users, items].any()
    return results


def _asks(cells: Container[tuple[int, int]]) -> Callable[[int, int], bool]:
    return lambda user, item: (user, item) in cells


def _one_by_one(users: Rows, n_items: int, chosen: Callable[[int, int], bool]) -> Rows:
    rng = np.random.default_rng(1)
    items = np.empty(len(users), dtype=np.int64)
    for row, user in enumerate(users.tolist()):
        item = int(rng.integers(n_items))
        while chosen(user, item):
            item = int(rng.integers(n_items))
        items[row] = item
    return items


def _all_at_once(
    users: Rows, n_items: int, chosen: Callable[[Rows, Rows], NDArray[np.bool_]]
) -> Rows:
    rng = np.random.default_rng(1)
    items = rng.integers(0, n_items, len(users))
    again = np.flatnonzero(chosen(users, items))
    while len(again):
        items[again] = rng.integers(0, n_items, len(again))
        again = again[chosen(users[again], items[again])]
    return items


def _drawn(users: Rows, n_items: int) -> Rows:
    return np.random.default_rng(1).integers(0, n_items, len(users))


def _timed(work: Callable[[Any], Any], given: Any) -> tuple[float, Any]:
    """Return the shortest of several times, in microseconds per element, and the result."""
    times, result = [], None
    for _ in range(REPEATS):
        started = time.perf_counter()
        result = work(given)
        times.append(time.perf_counter() - started)
    return 1e6 * min(times) / len(given), result


class _Examples(TorchDataset[tuple[int, int, float]]):
    """Examples that are read one at a time, as in the notes' page on NCF."""

    def __init__(self, users: Rows, items: Rows, labels: NDArray[np.float32]) -> None:
        self.users, self.items, self.labels = users, items, labels

    def __len__(self) -> int:
        return len(self.users)

    def __getitem__(self, row: int) -> tuple[int, int, float]:
        return int(self.users[row]), int(self.items[row]), float(self.labels[row])


def _reading(data: sl.Dataset) -> dict[str, float]:
    """Time the batches of an epoch, in microseconds per example."""
    n_examples = data.n_interactions * (1 + NEGATIVES)
    rng = np.random.default_rng(0)
    users = rng.integers(0, data.n_users, n_examples)
    items = rng.integers(0, data.n_items, n_examples)
    labels = rng.integers(0, 2, n_examples).astype(np.float32)
    few = _Examples(users[:READ], items[:READ], labels[:READ])
    one_by_one, _ = _timed(lambda examples: [None for _ in DataLoader(examples, BATCH)], few)
    tensors = [torch.from_numpy(column) for column in (users, items, labels)]

    def slices(order: torch.Tensor) -> None:
        shuffled = [tensor[order] for tensor in tensors]
        for start in range(0, len(order), BATCH):
            _ = [tensor[start : start + BATCH] for tensor in shuffled]

    at_once, _ = _timed(
        slices, torch.randperm(n_examples, generator=torch.Generator().manual_seed(0))
    )
    return {BY_ONE: one_by_one, SLICES: at_once}
