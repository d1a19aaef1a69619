"""Progress of work that takes longer than a second: a bar on a terminal, or lines in a log.

Work that takes minutes is announced: after some steps, one line says how long the rest will take.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
Description: TypeAlias = str | Callable[[], str]

_DELAY = 1.0  # seconds before the bar appears
_INTERVAL = 5.0  # seconds between two lines of a log
_shown: Literal["bar", "lines", "nothing"] = "bar"
_active = ContextVar("active", default=False)  # nested bars would overwrite each other
_measured = ContextVar("measured", default=False)  # whether work around this is announced
_announce: Callable[[str], None] | None = None

_TRUSTED = 2.0  # seconds of steps after which the time of the rest is estimated
_LONG = 60.0  # seconds that are worth announcing


def show_progress(how: Literal["bar", "lines", "nothing"]) -> None:
    """Choose what the process shows: a bar on a terminal (the default), else lines, or nothing."""
    global _shown
    _shown = how


def announce_time(say: Callable[[str], None] | None) -> None:
    """Choose what is called with a line about work that will take minutes; None: nothing."""
    global _announce
    _announce = say


def track(
    steps: Iterable[T],
    description: Description,
    total: int | None = None,
    *,
    alike: bool = True,
    work: Sequence[float] = (),
) -> Iterator[T]:
    """Yield the steps; after one second, show a progress bar on stderr if it is a terminal.

    Where it is none and :func:`show_progress` asks for lines, one is written every few seconds.
    A bar inside another bar is not shown. A function as ``description`` is called again after every
    step; ``total`` is the number of steps, if ``steps`` has no length. Steps that are not ``alike``
    do not tell how long the others take, so each announces its own time. Or ``work`` says how much
    each step is, and what follows after the last one.
    """
    if total is None and isinstance(steps, Sized):
        total = len(steps)
    if alike and total is not None and _announce is not None and not _measured.get():
        steps = _announced(steps, description, work or [1.0] * total, _announce)
    on_terminal = sys.stderr.isatty()
    if _active.get() or _shown == "nothing" or (_shown == "bar" and not on_terminal):
        yield from steps
        return
    token = _active.set(True)
    try:
        yield from (_with_bar if on_terminal else _with_lines)(steps, description, total)
    finally:
        _active.reset(token)


def _announced(
    steps: Iterable[T],
    description: Description,
    work: Sequence[float],
    say: Callable[[str], None],
) -> Iterator[T]:
    """Say once how long the rest takes."""
    token = _measured.set(True)
    try:
        pace = Pace(description, sum(work), say)
        for done, step in enumerate(steps):
            yield step
            pace.add(work[done])
    finally:
        _measured.reset(token)


class Pace:
    """Says once how long work will take, by the steps after the first, which may also compile."""

    def __init__(
        self,
        description: Description,
        total: float,
        say: Callable[[str], None],
        bound: str = "about",
    ) -> None:
        self._description, self._left, self._bound = description, total, bound
        self._say: Callable[[str], None] | None = say
        self._first: float | None = None
        self._done = 0.0  # since the first step

    def add(self, amount: float) -> None:
        """Count a step of this share of the total."""
        if self._say is None:
            return
        now = time.monotonic()
        self._left -= amount
        if self._first is None:
            self._first = now
            return
        self._done += amount
        if now - self._first >= _TRUSTED:
            left = (now - self._first) / self._done * self._left
            if left >= _LONG:
                text = self._description() if callable(self._description) else self._description
                self._say(f"{text}: {self._bound} {duration(left)} to go")
            self._say = None


def pace_of(description: Description, total: float, *, most: bool = False) -> Pace | None:
    """Return what announces work in steps that lie within those of a :func:`track`, if anything.

    With ``most`` the work may end early. The steps of the ``track`` around it are not ``alike``.
    """
    if _announce is None or _measured.get():
        return None
    return Pace(description, total, _announce, "at most" if most else "about")


def duration(seconds: float) -> str:
    """Return a time in words.

    >>> [duration(seconds) for seconds in (80, 600, 9_000)]
    ['80 s', '10 min', '2.5 h']
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _with_bar(steps: Iterable[T], description: Description, total: int | None) -> Iterator[T]:
    started, done, showing = time.monotonic(), 0, threading.Lock()
    bar: Progress | None = None

    def label() -> str:
        return description() if callable(description) else description

    def show() -> None:
        nonlocal bar
        with showing:
            if bar is None:
                bar = _new_bar()
                bar.add_task(label(), total=total, completed=done)
                bar.start()

    timer = threading.Timer(_DELAY, show)  # a step may take longer than that
    timer.daemon = True
    timer.start()
    try:
        for step in steps:
            yield step
            done += 1
            if bar is None and time.monotonic() - started > _DELAY:
                show()
            if bar is not None:
                bar.update(bar.task_ids[0], completed=done, description=label())
    finally:
        timer.cancel()
        timer.join()
        if bar is not None:
            bar.stop()


def _with_lines(steps: Iterable[T], description: Description, total: int | None) -> Iterator[T]:
    started, done, finished = time.monotonic(), 0, threading.Event()

    def write() -> None:
        while not finished.wait(_INTERVAL):
            label = description() if callable(description) else description
            steps_done = f"{done}" if total is None else f"{done} of {total}"
            seconds = time.monotonic() - started
            sys.stderr.write(f"{label}: {steps_done}, {seconds:.0f} s\n")
            sys.stderr.flush()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        for step in steps:
            yield step
            done += 1
    finally:
        finished.set()
        writer.join()


def _new_bar() -> Progress:
    from rich import progress  # slow to import
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    return progress.Progress(*columns, console=Console(stderr=True), transient=True)
