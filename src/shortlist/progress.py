"""One progress bar for everything that takes longer than a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextvars import ContextVar
from typing import TypeAlias, TypeVar

T = TypeVar("T")

_PATIENCE = 1.0  # seconds of silence before a bar appears
_showing = ContextVar("showing", default=False)  # a bar inside a bar would redraw over it


Description: TypeAlias = str | Callable[[], str]


def track(steps: Iterable[T], description: Description, total: int | None = None) -> Iterator[T]:
    """Yield the steps; after a second of work, show a bar on stderr if that is a terminal.

    Parameters
    ----------
    steps
        What to iterate over.
    description
        What the bar says it is doing, in a few words; a function is asked again after every step.
    total
        How many steps there are, where ``steps`` has no length.

    Examples
    --------
    >>> list(track(range(3), "counting"))
    [0, 1, 2]
    """
    if _showing.get() or not sys.stderr.isatty():
        yield from steps
        return
    if total is None and isinstance(steps, Sized):
        total = len(steps)
    token = _showing.set(True)
    try:
        yield from _with_bar(steps, description, total)
    finally:
        _showing.reset(token)


def _with_bar(steps: Iterable[T], description: Description, total: int | None) -> Iterator[T]:
    started, iterator, done = time.monotonic(), iter(steps), 0
    for step in iterator:
        yield step
        done += 1
        if time.monotonic() - started > _PATIENCE:
            break
    else:
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(_told(description), total=total, completed=done)
        for step in iterator:
            yield step
            bar.update(task, advance=1, description=_told(description))


def _told(description: Description) -> str:
    return description if isinstance(description, str) else description()
