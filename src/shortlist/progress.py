"""A progress bar for work that takes longer than a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextvars import ContextVar
from typing import TypeAlias, TypeVar

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
    started, iterator, done = time.monotonic(), iter(steps), 0
    for step in iterator:
        yield step
        done += 1
        if time.monotonic() - started > _DELAY:
            break
    else:
        return
    from rich import progress  # slow to import, and most work is done by now
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )

    def label() -> str:
        return description() if callable(description) else description

    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label(), total=total, completed=done)
        for step in iterator:
            yield step
            bar.update(task, advance=1, description=label())
