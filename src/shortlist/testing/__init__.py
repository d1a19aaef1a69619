"""Tests for models: the contract that every model must pass, and small data sets.

::

    from functools import partial

    from shortlist.models.ease import EASE
    from shortlist.testing import ModelContract


    class TestEASE(ModelContract):
        model = partial(EASE, regularization=1.0)

Needs pytest. To see the compared values of failing assertions, put
``pytest.register_assert_rewrite("shortlist.testing")`` into ``conftest.py``.
"""

from shortlist.testing.contract import ModelContract
from shortlist.testing.subject import best_items, best_users, like_items
from shortlist.testing.worlds import World, checkerboard, of_matrix, small_world, tiny

__all__ = [
    "ModelContract",
    "World",
    "best_items",
    "best_users",
    "checkerboard",
    "like_items",
    "of_matrix",
    "small_world",
    "tiny",
]
