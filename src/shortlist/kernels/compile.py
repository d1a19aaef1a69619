"""How every kernel is compiled: the one place with Numba flags.

Two decorators. :func:`kernel` makes a compiled entry point with exactly one specialisation, read
from its annotations; it is built at its first call (or read from Numba's cache on disk) and runs
without the interpreter lock, so ordinary threads run blocks of rows side by side
(:mod:`shortlist.kernels.threads`). :func:`inlined` makes a piece that kernels are built of.

Of the fast-math liberties only contraction is taken: ``a + b * c`` may become one fused
multiply-add, which a machine either has or has not. Sums keep their order (but for whole rows, see
:func:`reordering`), so no number depends on where a block of work ended. Division by zero gives
inf or NaN.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar, cast, get_args, get_type_hints

import numba
import numpy as np
from numba.core import event, types
from numpy.typing import NDArray

P = ParamSpec("P")
R = TypeVar("R")


def _read(scalar: Any, dimensions: int) -> Any:
    """Accept a C-contiguous array whether or not it may be written to (memory maps may not)."""
    return types.Array(scalar, dimensions, "C", readonly=True)


# What a kernel may take. The inputs also accept read-only arrays; results are written in place.
Mask = Annotated[NDArray[np.bool_], _read(types.boolean, 2)]
Indices = Annotated[NDArray[np.int32], _read(types.int32, 1)]
Pointers = Annotated[NDArray[np.int64], _read(types.int64, 1)]
Vector = Annotated[NDArray[np.float32], _read(types.float32, 1)]
Matrix = Annotated[NDArray[np.float32], _read(types.float32, 2)]
OutIndices = Annotated[NDArray[np.int32], types.int32[:, ::1]]
OutCounts = Annotated[NDArray[np.int64], types.int64[::1]]
OutMatrix = Annotated[NDArray[np.float32], types.float32[:, ::1]]
OutDoubles = Annotated[NDArray[np.float64], types.float64[::1]]
OutPartials = Annotated[NDArray[np.float64], types.float64[:, :, ::1]]
_SCALARS = {int: types.int64, float: types.float64, bool: types.boolean, type(None): types.void}

_FLAGS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
_building = threading.Lock()


def _signature(function: Callable[..., Any]) -> Any:
    hints = get_type_hints(function, include_extras=True)
    numba_types = {
        name: _SCALARS[hint] if hint in _SCALARS else get_args(hint)[1]
        for name, hint in hints.items()
    }
    result = numba_types.pop("return")
    return result(*numba_types.values())


def _compile(function: Callable[P, R]) -> Callable[P, R]:
    # Twice the decorator: the first, lazy, only to ask where its cache would be.
    try:
        folder = numba.njit(cache=True)(function).stats.cache_path
    except RuntimeError:  # Numba found no place it may write to: compile for this process only
        cache = False
    else:
        cache = True
        forget_outdated(Path(str(folder)), function.__name__, Path(__file__).parent)
    compiled = numba.njit(_signature(function), cache=cache, **_FLAGS)(function)
    return cast("Callable[P, R]", compiled)


def forget_outdated(cache: Path, name: str, sources: Path) -> None:
    """Delete the index of a kernel's compiled code that is older than any of the sources.

    Numba looks at the file a kernel stands in, and not at those with the pieces it is made of.
    """
    newest = max(source.stat().st_mtime for source in sources.glob("*.py"))
    for index in cache.glob(f"*.{name}-*.nbi"):
        if index.stat().st_mtime < newest:
            index.unlink(missing_ok=True)


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` for the types it is annotated with, at its first call.

    Compiled code is kept on disk beside the source (or in Numba's cache folder, where that is
    read-only) and read back by the next process.
    """
    built: list[Callable[P, R]] = []

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not built:
            with _building:
                if not built:
                    built.append(_compile(function))
        return built[0](*args, **kwargs)

    return call


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function that kernels call, compiled into them for the types they pass."""
    return cast("Callable[P, R]", numba.njit(**_FLAGS)(function))


def reordering(function: Callable[P, R]) -> Callable[P, R]:
    """As :func:`inlined`, and sums may be reordered: for reductions over a whole row.

    The order then depends on the length of the row and the processor, and on nothing else.
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
    """Call back once, when the first kernel is really compiled and not read from the cache.

    Parameters
    ----------
    callback
        Called without arguments just before the compiler starts, in the thread that compiles.

    Examples
    --------
    >>> with announce_compilation(lambda: print("compiling kernels, first run only")):
    ...     pass  # nothing is compiled here, so nothing is printed
    """
    listener = _OnCompile(callback)
    event.register("numba:compile", listener)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        event.unregister("numba:compile", listener)  # type: ignore[no-untyped-call]
