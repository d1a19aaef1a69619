"""Explore what a model with vectors has learned: lists by any measure, neighbours, norms, maps.

Results are tables; :func:`plot_norms` and :func:`plot_map` draw them (extra ``plots``). For models
with users and items in one vector space, such as ``MatrixFactorization`` and ``IALS``.
"""

from shortlist.explore.maps import item_map, norms, plot_map, plot_norms
from shortlist.explore.nearest import Neighbors, for_user, neighbors, scores

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
