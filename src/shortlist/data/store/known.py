"""What a check must know of the rows that the database has already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shortlist.data.store.staging import Staged

if TYPE_CHECKING:
    from shortlist.data.store.database import Database


def bring_known(database: Database, staged: Sequence[Staged]) -> None:
    """Bring the keys that staged rows may repeat or refer to onto the bench, and nothing else.

    Rows without a key of their own are compared as a whole: of those every column is brought.
    """
    catalogue = database.catalogue()
    needed: dict[str, set[str]] = {}
    for rows in staged:
        columns = needed.setdefault(rows.table.name, set())
        if rows.listed or rows.table.counted:
            columns.update(rows.columns)
        for key in rows.table.keys:
            if not rows.listed and set(key) <= set(rows.columns):
                columns.update(key)
        for reference in rows.table.foreign_keys:
            if set(reference.columns) <= set(rows.columns):
                needed.setdefault(reference.parent, set()).update(reference.parent_columns)
    for name, columns in needed.items():
        if columns:
            database.bring(catalogue[name], columns)
