"""Which engine is in use, and engines by their names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from shortlist.engine.base import Engine, LocalEngine
from shortlist.engine.ray_engine import RayEngine
from shortlist.errors import ConfigError

_current: ContextVar[Engine] = ContextVar("engine", default=LocalEngine())  # noqa: B039 - stateless


def current() -> Engine:
    """Return the engine in use."""
    return _current.get()


@contextmanager
def use(engine: Engine | str | None) -> Iterator[None]:
    """Use an engine, given or named, for everything inside the ``with`` block; None: no change."""
    if engine is None:
        yield
        return
    token = _current.set(named(engine) if isinstance(engine, str) else engine)
    try:
        yield
    finally:
        _current.reset(token)


def named(name: str) -> Engine:
    """Return the engine of a name: ``local``, ``ray`` or ``ray://host:port``."""
    if name == "local":
        return LocalEngine()
    if name == "ray" or name.startswith("ray://"):
        return RayEngine(None if name == "ray" else name)
    raise ConfigError(
        f"there is no engine {name!r}",
        remedy="write local, ray, or ray://HOST:PORT",
        parameter="engine",
    )
