"""Pairs of a user and an item whose rating is asked for."""

from __future__ import annotations

from collections.abc import Iterable

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id, Rows
from shortlist.errors import InputError


def required_pairs(data: Dataset, users: Iterable[Id], items: Iterable[Id]) -> tuple[Rows, Rows]:
    """Give the rows of users and items that are asked about in pairs.

    Raises
    ------
    UnknownIdError
        A user or an item is unknown.
    InputError
        The lengths differ.
    """  # (n,), (n,)
    user_rows, item_rows = data.users.require(users), data.items.require(items)
    if len(user_rows) != len(item_rows):
        raise InputError(
            f"{len(user_rows)} users and {len(item_rows)} items to predict",
            remedy="pass one item for each user: the pairs are (users[n], items[n])",
        )
    return user_rows, item_rows
