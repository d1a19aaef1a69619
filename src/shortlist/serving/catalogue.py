"""The items as people see them: titles, fields, and a search by title."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.explore.labels import labels, title_column
from shortlist.serving.plain import json_bytes, plain_value


class Catalogue:
    """The items of a data set, ready to be shown.

    Parameters
    ----------
    data
        Whose items.

    Attributes
    ----------
    titles
        The title of each item: its feature ``title`` or ``name``; where items have neither, the id
        and the first few feature values.  # (n_items,)

    Examples
    --------
    >>> log = pa.table({"user_id": [1, 1], "item_id": [7, 8]})
    >>> films = pa.table({"item_id": [7, 8], "title": ["Heat", "괴물"], "year": [1995, 2006]})
    >>> catalogue = Catalogue(Dataset.from_tables(log, items=films))
    >>> catalogue.search("괴", limit=5).tolist()
    [1]
    >>> catalogue.openings([0])[0].decode()
    '{"item_id":7,"title":"Heat","features":{"year":1995}'
    """

    def __init__(self, data: Dataset) -> None:
        self._data = data
        ids = data.items.ids.to_pylist()
        features = data.item_features
        title = title_column(data)
        names = [] if features is None else features.column_names
        others = [name for name in names if name != title]
        self._features = features.select(others) if features is not None and others else None
        self._ids = ids
        self.titles = labels(data)
        self._folded = pa.array([fold(one) for one in self.titles], pa.string())
        self._folded_ids = pa.array([fold(str(one)) for one in ids], pa.string())
        self._openings: list[bytes | None] = [None] * len(ids)

    def openings(self, rows: Sequence[int]) -> list[bytes]:
        """Give ``{"item_id":..,"title":..,"features":{..}`` of items, the brace left open.

        Each is written once and kept.
        """
        missing = [row for row in dict.fromkeys(rows) if self._openings[row] is None]
        if missing:
            described: list[dict[str, Any]] = [{} for _ in missing]
            if self._features is not None:
                described = self._features.take(pa.array(missing)).to_pylist()
            for row, features in zip(missing, described, strict=True):
                item = {
                    "item_id": self._ids[row],
                    "title": self.titles[row],
                    "features": plain_value(features),
                }
                self._openings[row] = json_bytes(item)[:-1]
        return [self._openings[row] or b"" for row in rows]

    def items_json(self, rows: Sequence[int]) -> bytes:
        """Give items with how often each was chosen, as a JSON list."""
        counts = self._data.item_counts
        closed = [
            b'%s,"interactions":%d}' % (opening, counts[row])
            for row, opening in zip(rows, self.openings(rows), strict=True)
        ]
        return b"[" + b",".join(closed) + b"]"

    def search(self, text: str, limit: int) -> NDArray[np.intp]:
        """Find items: every word occurs in the title, or the id starts with the text.

        An id or a title that is the text comes first, then titles that start with it, then those
        with a word that does, then the others; of equals the most chosen. Upper and lower case,
        full and half width are the same. No text: the most chosen items.
        """  # (<= limit,)
        order = self._data.popularity_order
        wanted = fold(text).strip()
        if not wanted:
            return np.argsort(order)[:limit]
        found = pc.match_substring(self._folded, wanted)
        for number, word in enumerate(words := wanted.split()):
            if len(words) > 1:
                has_word = pc.match_substring(self._folded, word)
                found = has_word if number == 0 else pc.and_(found, has_word)
        by_id = pc.starts_with(self._folded_ids, wanted)
        rows = np.flatnonzero(_array(pc.or_(found, by_id)))
        titles = self._folded.take(pa.array(rows))
        ids = self._folded_ids.take(pa.array(rows))
        place = np.full(len(rows), 3)
        place[_array(pc.match_substring(titles, f" {wanted}"))] = 2
        place[_array(pc.starts_with(titles, wanted))] = 1
        place[_array(pc.or_(pc.equal(titles, wanted), pc.equal(ids, wanted)))] = 0
        return rows[np.lexsort((order[rows], place))[:limit]]


def fold(text: str) -> str:
    """Give text in a form in which spellings of the same word are equal.

    Examples
    --------
    >>> fold("Ｓtraße")
    'strasse'
    """
    return unicodedata.normalize("NFKC", text).casefold()


def _array(mask: pa.Array) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = mask.to_numpy(zero_copy_only=False)
    return found
