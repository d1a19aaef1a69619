"""Where blocks of rows are worked on: on this machine or on others, with the same results."""

from shortlist.engine.local import Engine, LocalEngine, current, use

__all__ = ["Engine", "LocalEngine", "current", "use"]
