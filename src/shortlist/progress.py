"""A progress bar for work that takes longer than a second."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
Description: TypeAlias = str | Callable[[], str]

_DELAY = 1.0  # seconds before the bar appears
_active = ContextVar("active", default=False)  # nested bars would overwrite each other


def track(steps: Iterable[T], description: Description, total: int | None = None) -> Iterator[T]:
    """Yield the steps; after one second, show a progress bar on stderr if it is a terminal.

    A bar inside another bar is not shown. A function as ``description`` is called again after every
    step; ``total`` is the number of steps, if ``steps`` has no length.
    """
    if _active.get() or not sys.stderr.isatty():
        yield from steps
        return
    if total is None and isinstance(steps, Sized):
        total = len(steps)
    token = _active.set(True)
    try:
        yield from _with_bar(steps, description, total)
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
