"""Training of implicit ALS: users in shards that never move, and items that everyone gets.

A process holds the interactions and the vectors of the users of some consecutive shards. The users
are solved for where they are. The systems of the items are sums over users, so each process adds
its share: as many rounds as conjugate gradients need, of vectors of the items alone. What travels
does not grow with users or interactions. Results have the same bits for any number of processes.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from shortlist import engine
from shortlist.engine import Held
from shortlist.kernels.als_rounds import Descent, Sums, add_share, begin_sums, padded
from shortlist.kernels.products import (
    ShardSum,
    multiply,
    shard_count,
    shard_grams,
    shard_rows,
    total_gram,
)
from shortlist.kernels.types import Csr
from shortlist.models.ials.checkpoint import Checkpoint, Start
from shortlist.models.ials.least_squares import Basis, Solver, distinct, finite_rows, rotate
from shortlist.progress import track
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import consecutive_rows, csr_arrays, transposed

_PANEL_BYTES = 8 * 2**20  # of the vectors of items that travel together
_PER_STATE = 2  # panels for each process, at least: one is worked on while another travels
_FEWEST_ROWS = 64  # of a panel: a smaller one costs more to send than to compute


@dataclass
class Users:
    """The users of some consecutive shards."""

    solver: Solver
    by_user: csr_array  # (n, n_items)
    first: int  # shard
    rows: int  # of a shard
    vectors: Floats  # (n, f)
    factors: Floats = field(init=False)  # the same with columns of zeros, for a step of the items

    def changed(self) -> Floats:
        """Return the vectors."""
        return self.vectors

    def restore(self, changed: Floats) -> None:
        """Take back the vectors."""
        self.vectors = changed

    @cached_property
    def by_item(self) -> csr_array:
        """The interactions by item."""  # (n_items, n)
        return transposed(self.by_user)

    @cached_property
    def observed(self) -> Csr:
        """The same for kernels."""
        return csr_arrays(self.by_item)

    @property
    def penalties(self) -> NDArray[np.float64]:
        """The regularization of the users."""  # (n,)
        counts = np.diff(self.by_user.indptr)
        return self.solver.penalties(counts, self.by_user.shape[1])


class Question(NamedTuple):
    """Items that take a step, with what the users need to add their shares."""

    rows: NDArray[np.int32]  # (B,)
    vectors: Floats  # (B, w)
    shared: Floats  # (w,)
    penalties: Floats  # (B,)
    first: bool  # round


class Value(NamedTuple):
    """What an epoch leaves beside the vectors of the users where they are."""

    items: Floats  # (n_items, f)
    losses: tuple[float, ...]
    users: Floats | None = None  # (n_users, f), exact, after the last epoch


def alternate_in_shards(
    solver: Solver, by_user: csr_array, start: Start, epochs: int, checkpoint: Checkpoint | None
) -> Start:
    """Alternate between users and items, from some vectors, by conjugate gradients.

    The vectors of the users that it returns are exact for those of the items.
    """
    users, items, losses = start
    rows = shard_rows(len(users))

    def cut(shards: range) -> Users:
        span = slice(shards.start * rows, shards.stop * rows)
        return Users(solver, consecutive_rows(by_user, span), shards.start, rows, users[span])

    bounds = np.minimum(np.arange(shard_count(len(users)) + 1) * rows, len(users))
    work = np.diff(by_user.indptr[bounds].astype(np.int64) + bounds)
    with engine.current().hold(cut, work.tolist()) as held:
        step = partial(
            _step, solver=solver, by_user=by_user, held=held, epochs=epochs, checkpoint=checkpoint
        )
        numbers = range(len(losses) + 1, epochs + 2)
        last = deque(held.steps(step, Value(items, losses), numbers, solver.name), maxlen=1)
    items, losses, solved = last.pop()
    assert solved is not None
    return Start(solved, items, losses)


def _step(
    number: int,
    value: Value,
    *,
    solver: Solver,
    by_user: csr_array,
    held: Held[Users],
    epochs: int,
    checkpoint: Checkpoint | None,
) -> Value:
    """Improve users and items; after the last epoch solve for the users exactly."""
    if number > epochs:
        task = partial(_solve_users, items=value.items, basis=Basis.of(value.items))
        solved = held.each(task)
        users = _writable(solved[0]) if len(solved) == 1 else np.concatenate(solved)
        return value._replace(users=users)
    basis = solver.checked(Basis.of(value.items), by_user)
    items = multiply(value.items, basis.vectors)
    sums = held.each(partial(_improve_users, items=items, basis=basis))
    grams = [s._replace(sum=np.array(s.sum)) for part in sums for s in part]
    products = total_gram(grams, items.shape[1])
    basis = solver.checked(Basis.of_gram(products), by_user)
    penalties = held.each(partial(_rotate_users, basis=basis))
    items, losses = improve_items(solver, by_user, held, rotate(items, basis), basis)
    penalty = math.fsum(each for part in penalties for each in part)
    following = Value(items, (*value.losses, float(losses.sum()) + penalty))
    if checkpoint is not None:
        parts = held.each(partial(_write_users, checkpoint=checkpoint, epoch=number))
        names = [name for part in parts for name in part]
        checkpoint.finish(number, following.items, following.losses, names)
    return following


# --- where the users are


def _improve_users(users: Users, *, items: Floats, basis: Basis) -> list[ShardSum]:
    """Improve the users in the basis of the items; return sums of their Gram matrices."""
    start = rotate(_writable(users.vectors), basis)
    users.vectors, _ = users.solver.improve(users.by_user, start, items, basis)
    return shard_grams(users.vectors, users.rows, users.first)


def _rotate_users(users: Users, *, basis: Basis) -> list[float]:
    """Rotate the users into a basis of their own; return the penalties of the shards."""
    rotate(users.vectors, basis)
    users.factors = padded(users.vectors)
    sums, penalties = [], users.penalties
    for start in range(0, len(users.vectors), users.rows):
        rows = slice(start, start + users.rows)
        squares = np.square(users.vectors[rows], dtype=np.float64).sum(axis=1)
        sums.append(float((squares * penalties[rows]).sum()))
    return sums


def _solve_items(
    users: Users, *, items: Floats, basis: Basis
) -> tuple[Floats, NDArray[np.float64]]:
    return users.solver.improve(users.by_item, _writable(items), users.vectors, basis)


def _add_share(users: Users, question: Question, sums: Sums | None) -> Sums:
    """Add what the users add to a step of some items."""
    if sums is None:
        sums = begin_sums(question.vectors, question.shared, question.penalties)
    else:
        sums = Sums(*map(np.array, sums))  # those from another process are read-only
    rows, vectors, first = question.rows, question.vectors, question.first
    add_share(users.observed, rows, users.factors, vectors, first, sums)
    return sums


def _choices_of(users: Users, *, items: NDArray[np.int32]) -> tuple[csr_array, Floats]:
    """Return the interactions of some items, and the vectors of their users."""
    matrix = csr_array(users.by_item[items])
    chosen, known = distinct(matrix.indices, len(users.vectors))
    compact = csr_array((matrix.data, known, matrix.indptr), (len(items), len(chosen)))
    return compact, users.vectors[chosen]


def _write_users(users: Users, *, checkpoint: Checkpoint, epoch: int) -> list[str]:
    return checkpoint.write_users(epoch, users.first * users.rows, users.vectors)


def _solve_users(users: Users, *, items: Floats, basis: Basis | None) -> Floats:
    return users.solver.exactly(users.by_user, items, basis, _writable(users.vectors))


def _writable(vectors: Floats) -> Floats:
    """Return vectors that may be overwritten: a copy where they are another process's."""
    return np.require(vectors, requirements=["C", "W"])


# --- where the items are


def improve_items(
    solver: Solver, by_user: csr_array, held: Held[Users], items: Floats, basis: Basis
) -> tuple[Floats, NDArray[np.float64]]:
    """Improve the items in the basis of the users; return them, and their losses.

    ``items`` may be overwritten.
    """
    if len(held) == 1:  # in one pass, which is faster: no vector has to leave its row
        solved, losses = held.each(partial(_solve_items, items=items, basis=basis))[0]
        return _writable(solved), losses
    counts = np.bincount(by_user.indices, minlength=len(items))
    penalties = solver.penalties(counts, by_user.shape[0])
    solved, losses = _descend(solver, held, np.flatnonzero(counts), items, penalties, basis)
    failed = np.flatnonzero(~finite_rows(solved)).astype(np.int32)
    if len(failed):
        parts = held.each(partial(_choices_of, items=failed))
        matrix = csr_array(hstack([part[0] for part in parts], format="csr"))
        fixed = np.concatenate([part[1] for part in parts])
        solved[failed], losses[failed] = solver.solve_failed(
            matrix, penalties[failed], fixed, basis
        )
        if not np.isfinite(solved[failed]).all():
            raise solver.unsolvable(by_user)
    return solved, losses


def _descend(
    solver: Solver,
    held: Held[Users],
    rows: NDArray[np.integer],
    items: Floats,
    penalties: NDArray[np.float64],
    basis: Basis,
) -> tuple[Floats, NDArray[np.float64]]:
    """Improve rows of the items in panels, each through all users in turn; all others are zero."""
    shared = solver.shared(basis).astype(np.float32)
    fair = -(-len(rows) // (_PER_STATE * len(held)))
    most = max(1, _PANEL_BYTES // (4 * items.shape[1]))
    size = min(most, max(_FEWEST_ROWS, fair))
    panels = [rows[start : start + size].astype(np.int32) for start in range(0, len(rows), size)]
    descents = [
        Descent(
            items[panel],
            shared,
            penalties[panel].astype(np.float32),
            solver.max_steps,
            solver.tolerance,
        )
        for panel in panels
    ]

    def question(n: int) -> Question:
        descent = descents[n]
        return Question(panels[n][descent.active], *descent.directions(), descent.first)

    def following(n: int, sums: Sums) -> Question | None:
        return question(n) if descents[n].take_step(sums) else None

    held.add_up(_add_share, [question(n) for n in range(len(panels))], following)
    vectors, losses = np.zeros(items.shape, np.float32), np.zeros(len(items))
    for panel, descent in zip(panels, descents, strict=True):
        vectors[panel], losses[panel] = descent.vectors, descent.losses
    return vectors, losses


# --- without shards


def alternate_by_rows(
    solver: Solver, by_user: csr_array, start: Start, epochs: int, checkpoint: Checkpoint | None
) -> Start:
    """Alternate as :func:`alternate_in_shards`, with every row solved exactly: vectors travel."""
    users, items, losses = start
    by_item = transposed(by_user)
    penalties = solver.penalties(np.diff(by_user.indptr), by_user.shape[1])
    for number in track(range(len(losses) + 1, epochs + 1), solver.name):
        basis = solver.checked(Basis.of(items), by_user)
        items = multiply(items, basis.vectors)
        users, _ = solver.improve(by_user, None, items, basis)
        basis = solver.checked(Basis.of(users), by_item)
        users = multiply(users, basis.vectors)
        items, item_losses = solver.improve(by_item, None, users, basis)
        penalty = float(penalties @ np.square(users, dtype=np.float64).sum(axis=1))
        losses = (*losses, float(item_losses.sum()) + penalty)
        if checkpoint is not None:
            names = checkpoint.write_users(number, 0, users)
            checkpoint.finish(number, items, losses, names)
    return Start(solver.exactly(by_user, items, Basis.of(items)), items, losses)
