"""Where heavy work runs: a map over row-blocks, here or elsewhere, with the same results."""

from shortlist.engine.local import Engine, LocalEngine, current, use

__all__ = ["Engine", "LocalEngine", "current", "use"]
