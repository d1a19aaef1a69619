"""How kernels are compiled: the only place with Numba flags.

:func:`kernel` compiles a function for exactly the types in its annotations, at its first call, or
reads the compiled code from Numba's cache on disk. It runs without the interpreter lock, so
ordinary threads work on blocks of rows side by side (:mod:`shortlist.kernels.threads`).
:func:`inlined` marks the functions that kernels are made of.

Of the liberties of "fast math" only contraction is taken: ``a + b * c`` may become one fused
multiply-add. Sums keep their order, except in :func:`reordering`, so no result depends on where a
block of work ends. A division by zero returns inf or NaN.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast, get_args, get_type_hints

import numba
from numba.core import config, event, types

P = ParamSpec("P")
R = TypeVar("R")

_SCALARS = {int: types.int64, float: types.float64, bool: types.boolean, type(None): types.void}
_FLAGS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
_compiling = threading.Lock()


def _numba_type(hint: Any) -> Any:
    """Return the Numba type of an annotation: a scalar, an array, or a NamedTuple of arrays."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    if isinstance(hint, type) and issubclass(hint, tuple):
        fields = get_type_hints(hint, include_extras=True).values()
        parts = [_numba_type(field) for field in fields]
        return types.NamedTuple(parts, hint)  # type: ignore[no-untyped-call]
    return get_args(hint)[1]


def _signature(function: Callable[..., Any]) -> Any:
    hints = get_type_hints(function, include_extras=True)
    result = _numba_type(hints.pop("return"))
    return result(*(_numba_type(hint) for hint in hints.values()))


def _compile(function: Callable[P, R]) -> Callable[P, R]:
    # With bounds checks only in a cache of its own: Numba would mix both kinds of code in one.
    cache = not config.BOUNDSCHECK or bool(config.CACHE_DIR)  # type: ignore[attr-defined]
    if cache:
        try:  # this dispatcher is lazy and compiles nothing: it only knows where the cache is
            folder = numba.njit(cache=True)(function).stats.cache_path
        except RuntimeError:  # no folder may be written to: compile for this process only
            cache = False
        else:
            forget_outdated(Path(str(folder)), function.__name__, Path(__file__).parent)
    return cast("Callable[P, R]", numba.njit(_signature(function), cache=cache, **_FLAGS)(function))


def forget_outdated(cache: Path, name: str, sources: Path) -> None:
    """Delete the index of a kernel's compiled code if any source file is newer.

    Numba itself compares only the file that the kernel is in, not those of the functions it calls.
    """
    newest = max(source.stat().st_mtime for source in sources.glob("*.py"))
    for index in cache.glob(f"*.{name}-*.nbi"):
        if index.stat().st_mtime < newest:
            index.unlink(missing_ok=True)


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` for the types in its annotations, at its first call.

    A kernel does not check its arguments: only public functions that do so may call it. Compiled
    code is kept on disk beside the source (or in Numba's cache folder, where that is read-only),
    and the next process reads it.
    """
    compiled: list[Callable[P, R]] = []

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not compiled:
            with _compiling:
                if not compiled:
                    compiled.append(_compile(function))
        return compiled[0](*args, **kwargs)

    return call


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function that kernels call; it is compiled into each of them.

    Python code must not call it: that would compile it anew in every process.
    """
    return cast("Callable[P, R]", numba.njit(**_FLAGS)(function))


def reordering(function: Callable[P, R]) -> Callable[P, R]:
    """Mark as :func:`inlined` a function whose sums may be reordered, to use vector instructions.

    For reductions over a whole row: their order depends on the row's length and the processor only.
    """
    flags = _FLAGS | {"fastmath": {"contract", "reassoc"}}
    return cast("Callable[P, R]", numba.njit(**flags)(function))


class _OnCompile(event.Listener):
    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback

    def on_start(self, event: Any) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()

    def on_end(self, event: Any) -> None:
        pass


@contextmanager
def announce_compilation(callback: Callable[[], None]) -> Iterator[None]:
    """Call back once, before the first kernel is compiled that the cache does not hold.

    The callback runs in the thread that compiles.
    """
    with event.install_listener("numba:compile", _OnCompile(callback)):
        yield
