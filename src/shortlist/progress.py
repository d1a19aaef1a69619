"""Progress of work that takes longer than a second: a bar on a terminal, or lines in a log."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
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


def show_progress(how: Literal["bar", "lines", "nothing"]) -> None:
    """Choose what the process shows: a bar on a terminal (the default), else lines, or nothing."""
    global _shown
    _shown = how


def track(steps: Iterable[T], description: Description, total: int | None = None) -> Iterator[T]:
    """Yield the steps; after one second, show a progress bar on stderr if it is a terminal.

    Where it is none and :func:`show_progress` asks for lines, one is written every few seconds.
    A bar inside another bar is not shown. A function as ``description`` is called again after every
    step; ``total`` is the number of steps, if ``steps`` has no length.
    """
    on_terminal = sys.stderr.isatty()
    if _active.get() or _shown == "nothing" or (_shown == "bar" and not on_terminal):
        yield from steps
        return
    if total is None and isinstance(steps, Sized):
        total = len(steps)
    token = _active.set(True)
    try:
        yield from (_with_bar if on_terminal else _with_lines)(steps, description, total)
    finally:
        _active.reset(token)


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
