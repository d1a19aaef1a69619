"""One training step of a collaborative filtering network, compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from shortlist.data.vocabulary import Rows
from shortlist.kernels import ncf_examples, ncf_rows
from shortlist.kernels.ncf_rows import BLOCK
from shortlist.kernels.ncf_tower import CHUNK
from shortlist.kernels.threads import over_rows
from shortlist.kernels.tiles import padded, stride
from shortlist.kernels.updates import ADAM, bring_up_to_date, drift
from shortlist.models.towers.ncf_layout import COLUMNS, Layout
from shortlist.models.towers.ncf_network import Network
from shortlist.scoring.scores import Floats

TASKS = 16  # a batch is divided by its size alone, never by the threads
_WEIGHT_ROWS = 64


class State:
    """A parameter and what the optimiser remembers of it, as arrays that share its memory."""

    def __init__(self, value: Floats, first: Floats | None, second: Floats | None) -> None:
        self.value = value
        nothing = np.zeros((1,) * value.ndim, dtype=np.float32)
        self.first = nothing if first is None else first
        self.second = nothing if second is None else second


class Side:
    """Users or items: their table, and room for those that a batch names."""

    def __init__(self, network: Network, n_rows: int, most: int) -> None:
        row = stride(network.columns)
        self.touched = np.zeros(n_rows, dtype=np.int64)
        self.places = np.full(n_rows, -1, dtype=np.int32)
        self.rows, self.slots, self.order = (np.zeros(most, dtype=np.int32) for _ in range(3))
        self.pointers = np.zeros(most + 1, dtype=np.int64)
        self.gathered = np.zeros((most + BLOCK, row), dtype=np.float32)
        width = network.widths[0] if network.widths else 0
        self.halves = np.zeros((most + BLOCK, stride(width)), dtype=np.float32)
        size = (1 + padded(network.depth)) * stride(width)
        self.partial = np.zeros((TASKS, size), dtype=np.float32)
        self.squares = np.zeros(TASKS)
        self.count = 0

    def group(self, keys: Rows) -> None:
        """Find out which rows a batch names."""
        self.count = ncf_rows.grouped(
            keys, self.places, self.rows, self.slots, self.pointers, self.order
        )


class Step:
    """Takes the steps that PyTorch would take, on the same memory.

    Parameters
    ----------
    network
        What is trained.
    n_users, n_items
        How many rows there are.
    most
        How many samples a step may have.
    group
        A positive and its negatives: samples in a row with one user, the first of them positive.
    penalty
        Half of it times the mean over samples of the squared rows, and times ``|h - 1|^2`` of the
        product's head, is added to the loss.
    kind, rate
        The optimiser and its learning rate.
    """

    def __init__(
        self, network: Network, n_users: int, n_items: int, most: int, group: int, penalty: float,
        kind: int, rate: float,
    ) -> None:  # fmt: skip
        self.network, self.group, self.penalty = network, group, penalty
        self.kind, self.rate, self.most = kind, rate, most
        self.sides = Side(network, n_users, most), Side(network, n_items, most)
        width = stride(network.widths[0]) if network.widths else 1
        self.deltas = np.zeros((most, width), dtype=np.float32)
        self.errors = np.zeros(most, dtype=np.float32)
        self.losses = np.zeros(TASKS)
        self.head = np.ones(network.size, dtype=np.float32)
        self.layout = Layout(network)
        self.packed = np.zeros(0, dtype=np.float32)
        self.partial = np.zeros((TASKS, self.layout.n_sums), dtype=np.float32)
        self.begun, self.to_come = 0, np.zeros(1)

    def begin(self, tables: Sequence[State], weights: State, step: int, steps: int) -> None:
        """Prepare for an epoch: ``steps`` steps after the ``step``-th, on these parameters."""
        self.tables, self.weights, self.begun = tables, weights, step
        for side in self.sides:
            side.touched[:] = step
        if self.kind == ADAM:
            self.to_come = drift(step, step + steps + 1)
        self.packed = self.layout.packed(weights.value)

    def finish(self, step: int) -> None:
        """Bring all rows to where they are after the ``step``-th step."""
        if self.kind != ADAM:
            return
        for side, state in zip(self.sides, self.tables, strict=True):
            bring_up_to_date(
                state.value, state.first, state.second, side.touched, step, self.begun,
                self.to_come, self.rate,
            )  # fmt: skip

    def take(self, users: Rows, items: Rows, step: int) -> tuple[float, float]:
        """Take the ``step``-th step; give the mean log loss and the penalty before it.

        Parameters
        ----------
        users, items
            The samples, int32.  # (S,)
        step
            Its number, from 1.
        """
        tables, weights, layout = self.tables, self.weights, self.layout
        network, kind, rate = self.network, self.kind, self.rate
        n_samples = len(users)
        mine, theirs = self.sides
        sampled = (users, items)
        width = network.widths[0] if network.widths else 0
        size, biases, tower_at = network.size, network.biases, network.tower_at
        if network.weighted:
            self.head = weights.value[1 : 1 + size].copy()
        over_rows(_each(lambda which: self.sides[which].group(sampled[which])), len(self.sides), 1)
        bias_at = network.parts["bias_0"][0] if network.widths else -1
        blocks = [-(-side.count // BLOCK) for side in self.sides]

        def halve(start: int, stop: int) -> None:
            for which, low, high in _parts(start, stop, blocks[0]):
                side, state = self.sides[which], tables[which]
                ncf_rows.first_half(
                    low, high, side.count, side.rows, state.value, state.first, state.second,
                    side.touched, kind, step, self.begun, self.to_come, rate, side.gathered,
                    tower_at, network.depth, width, self.packed, int(layout.halves[which, 0]),
                    weights.value, -1 if which else bias_at, side.halves,
                )  # fmt: skip

        over_rows(halve, sum(blocks), 2)
        tasks = max(1, min(TASKS, n_samples // CHUNK))
        tower_head = network.parts["tower_head"][0]
        partial = self.partial[:tasks]
        over_rows(
            lambda start, stop: ncf_examples.examples_step(
                start, stop, tasks, n_samples, self.group, mine.slots, theirs.slots,
                mine.gathered, theirs.gathered, mine.halves, theirs.halves, size, biases,
                self.head, layout.layers, tower_head, weights.value, self.packed, self.errors,
                self.deltas, partial, self.losses,
            ),
            tasks,
            1,
        )  # fmt: skip
        row_tasks = [max(1, min(TASKS // 2, side.count // (BLOCK // 2))) for side in self.sides]

        def sum_rows(start: int, stop: int) -> None:
            for which, low, high in _parts(start, stop, row_tasks[0]):
                side, other, state = self.sides[which], self.sides[1 - which], tables[which]
                ncf_rows.second_half(
                    low, high, row_tasks[which], side.count, side.rows, side.pointers, side.order,
                    other.slots, side.gathered, other.gathered, self.errors, self.deltas, size,
                    biases, self.head, tower_at, network.depth, width, self.packed,
                    int(layout.halves[which, 1]), self.penalty / n_samples, kind, step, rate,
                    state.value, state.first, state.second, side.partial,
                    side.squares,
                )  # fmt: skip

        over_rows(sum_rows, sum(row_tasks), 1)
        head = weights.value[1 : 1 + size * network.weighted].astype(np.float64) - 1
        n_rows = len(layout.rows) // COLUMNS
        over_rows(
            lambda start, stop: ncf_rows.sum_up(
                start, stop, layout.rows, COLUMNS, partial, mine.partial[: row_tasks[0]],
                theirs.partial[: row_tasks[1]], weights.value, weights.first, weights.second,
                self.penalty, kind, step, rate, self.packed,
            ),
            n_rows,
            _WEIGHT_ROWS,
        )  # fmt: skip
        squares = sum(
            float(side.squares[:count].sum())
            for side, count in zip(self.sides, row_tasks, strict=True)
        )
        log_loss = float(self.losses[:tasks].sum()) / n_samples
        return log_loss, self.penalty / 2 * (squares / n_samples + float(head @ head))


def _each(work: Callable[[int], None]) -> Callable[[int, int], None]:
    def call(start: int, stop: int) -> None:
        for one in range(start, stop):
            work(one)

    return call


def _parts(start: int, stop: int, of_users: int) -> list[tuple[int, int, int]]:
    """Say which blocks are of users (side 0), and which of items (side 1)."""
    parts = []
    if start < of_users:
        parts.append((0, start, min(stop, of_users)))
    if stop > of_users:
        parts.append((1, max(start, of_users) - of_users, stop - of_users))
    return parts
