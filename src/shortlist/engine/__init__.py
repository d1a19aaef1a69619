"""Where work is done: on this machine or on others, with the same results."""

from shortlist.engine.base import Engine, LocalEngine
from shortlist.engine.choice import current, use
from shortlist.engine.held import Held
from shortlist.engine.ray_engine import RayEngine

__all__ = ["Engine", "Held", "LocalEngine", "RayEngine", "current", "use"]
