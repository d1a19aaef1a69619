"""Look at what a model with vectors has learned: lists by any measure, neighbours, norms, maps.

Everything comes as data; :func:`plot_norms` and :func:`plot_map` draw it (extra ``plots``). For
models that place users and items in one space: ``MatrixFactorization``, ``IALS``.
"""

from shortlist.explore.maps import item_map, norms
from shortlist.explore.nearest import Neighbors, for_user, neighbors, scores
from shortlist.explore.pictures import plot_map, plot_norms

__all__ = [
    "Neighbors",
    "for_user",
    "item_map",
    "neighbors",
    "norms",
    "plot_map",
    "plot_norms",
    "scores",
]
