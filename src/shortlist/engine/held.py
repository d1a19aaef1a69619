"""States that stay where they are: the rows of a data set in parts, and what is learned of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from shortlist.progress import track

S = TypeVar("S")
T = TypeVar("T")
Q = TypeVar("Q")
A = TypeVar("A")


class State(Protocol):
    """What is held: some consecutive shards of the rows."""

    def changed(self) -> Any:
        """Return what steps change of it."""
        ...

    def restore(self, changed: Any) -> None:
        """Take back what :meth:`changed` returned."""
        ...


class Held(Generic[S]):
    """States, of which each holds some consecutive shards, in their order; here a single one."""

    def __init__(self, state: S) -> None:
        self._state = state

    def __len__(self) -> int:
        """Return the number of states; results must not depend on it."""
        return 1

    def each(self, task: Callable[[S], T]) -> list[T]:
        """Return the result of the task for each state, in order.

        Its arrays may be read-only and last as long as the states: copy what is kept longer.
        """
        return [task(self._state)]

    def add_up(
        self,
        add: Callable[[S, Q, A | None], A],
        questions: Sequence[Q],
        turn: Callable[[int, A], Q | None],
    ) -> None:
        """Ask all states in their order, each of which adds to the answer of those before it.

        ``add(state, question, answer)`` returns the answer with what this state adds; the first
        state gets None. The first questions are independent: while one is with the second state,
        the next one is with the first. ``turn(number, answer)`` gets the whole answer to a question
        in this process, and returns the next question in its place, or None.
        """
        for number, first in enumerate(questions):
            question: Q | None = first
            while question is not None:
                question = turn(number, add(self._state, question, None))

    def steps(
        self, step: Callable[[int, T], T], first: T, numbers: range, text: str
    ) -> Iterator[T]:
        """Yield ``first``, changed by each step in turn: ``value = step(number, value)``.

        A step works on the states, by the other methods. What is lost with a machine is computed
        again, so a step must depend on nothing but its arguments and the states.
        """
        value = first
        for number in track(numbers, text):
            value = step(number, value)
            yield value
