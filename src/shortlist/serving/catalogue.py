"""Items and users in replies: titles, features, searches; the fields of a filter; the map."""

from __future__ import annotations

import datetime as dt
import math
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property, lru_cache, reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.data.arrow_types import is_list, is_number, is_text, is_time
from shortlist.data.columns.labels import labels_of
from shortlist.data.columns.titles import TITLES, title_column
from shortlist.data.dataset import Dataset
from shortlist.data.moments import as_datetime
from shortlist.data.vocabulary import UNKNOWN, Id
from shortlist.explore.items import (
    first_values,
    item_factors,
    labels,
    principal_coordinates,
)
from shortlist.models.base import Model
from shortlist.serving.recent import RecentInteractions
from shortlist.serving.replies import (
    FieldInfo,
    FieldLabels,
    HistoryItem,
    Item,
    ItemSummary,
    Map,
    Point,
    User,
    UserSummary,
)

MAX_SUMMARIES = 131_072  # of items, kept in memory
MAX_POINTS = 5_000
MAX_GROUPS = 50
MAX_VALUES = 200  # of a category; a text column with more distinct values is free text


class Catalogue:
    """The items of a data set as replies show them.

    ``titles`` are their features ``title`` or ``name``; if items have neither, the ids and the
    first few feature values.
    """

    def __init__(self, data: Dataset) -> None:
        self.data = data
        self._ids = data.items.ids.to_pylist()
        title = title_column(data.item_features)
        features = pa.table({}) if data.item_features is None else data.item_features
        names = [name for name in features.column_names if name != title]
        self._columns = {name: features.column(name).combine_chunks() for name in names}
        self.titles = labels(data)
        self._folded = pa.array([fold(text) for text in self.titles], pa.string())
        self._folded_ids = pa.array([fold(str(key)) for key in self._ids], pa.string())
        self.summary = lru_cache(MAX_SUMMARIES)(self._summary)

    def _summary(self, row: int) -> ItemSummary:
        """Return id, title and features of an item. Do not change them: they are cached."""
        features = {name: json_value(column[row].as_py()) for name, column in self._columns.items()}
        return {"item_id": self._ids[row], "title": self.titles[row], "features": features}

    @cached_property
    def user_texts(self) -> pa.Array:
        """The id of each user as text, for the search."""  # (n_users,)
        return self.data.users.ids.cast(pa.string())

    def item(self, row: int) -> Item:
        """Return an item with the number of its interactions."""
        return {**self.summary(row), "interactions": int(self.data.item_counts[row])}

    def search(self, text: str, limit: int) -> NDArray[np.intp]:
        """Find items whose title contains every word, or whose id starts with the text.

        The order: the id or the title is the text; the title starts with it; a word of the title
        starts with it; all others. Within these groups the most popular item comes first. Case and
        full or half width do not matter. An empty text finds the most popular items.
        """  # (<= limit,)
        order = self.data.popularity_order
        folded = fold(text).strip()
        if not folded:
            return np.argsort(order)[:limit]
        matches = [pc.match_substring(self._folded, word) for word in folded.split()]
        by_id = pc.starts_with(self._folded_ids, folded)
        rows = np.flatnonzero(_as_numpy(pc.or_(reduce(pc.and_, matches), by_id)))
        titles = self._folded.take(pa.array(rows))
        ids = self._folded_ids.take(pa.array(rows))
        group = np.full(len(rows), 3)
        group[_as_numpy(pc.match_substring(titles, f" {folded}"))] = 2
        group[_as_numpy(pc.starts_with(titles, folded))] = 1
        group[_as_numpy(pc.or_(pc.equal(titles, folded), pc.equal(ids, folded)))] = 0
        return rows[np.lexsort((order[rows], group))[:limit]]


def find_users(
    catalogue: Catalogue, recent: RecentInteractions, text: str, limit: int
) -> list[UserSummary]:
    """Find users by id or by a feature.

    First come ids that start with the text, then ids that contain it, then users with a feature
    whose text, or a label of whose list, contains it; each in the order of ids. Users who are only
    in memory come last. An empty text finds the users with the most interactions.
    """
    data, text = catalogue.data, text.strip()
    new: list[Id] = []
    if not text:
        rows = np.argsort(-data.user_counts, kind="stable")[:limit]
    else:
        ids = catalogue.user_texts
        starts = _as_numpy(pc.starts_with(ids, text))
        contains = _as_numpy(pc.match_substring(ids, text))
        rows = np.concatenate([np.flatnonzero(starts), np.flatnonzero(contains & ~starts)])[:limit]
        if len(rows) < limit and data.user_features is not None:
            described = rows_containing(data.user_features, text)
            described[rows] = False
            rows = np.concatenate([rows, np.flatnonzero(described)])[:limit]
        new = [user for user in recent.users() if user not in data.users and text in str(user)]
    known = data.users.take(rows).to_pylist()
    counts = [int(data.user_counts[row]) for row in rows]
    matches = [*zip(known, counts, strict=True), *((user, 0) for user in new)][:limit]
    return [
        {"user_id": user, "interactions": count + len(recent.lacking(data, user))}
        for user, count in matches
    ]


def rows_containing(features: pa.Table, text: str) -> NDArray[np.bool_]:
    """Return which rows have a text, or a label of a list, that contains the text in any case."""
    containing = np.zeros(features.num_rows, dtype=bool)
    for column in features.itercolumns():
        values, rows = column.combine_chunks(), None
        if is_list(values.type):
            values, rows = pc.list_flatten(values), pc.list_parent_indices(values)
        if is_text(values.type):
            hits = pc.fill_null(pc.match_substring(values, text, ignore_case=True), False)
            if rows is None:
                containing |= _as_numpy(hits)
            else:
                containing[rows.to_numpy()[_as_numpy(hits)]] = True
    return containing


def describe_user(catalogue: Catalogue, recent: RecentInteractions, user: Id) -> User:
    """Return the features and the history of a user, the latest interaction first.

    A user who is neither in the data nor in memory is an UnknownIdError.
    """
    data = catalogue.data
    newer = recent.lacking(data, user)
    row = int(data.users.rows([user])[0])
    if row == UNKNOWN and not newer:
        data.users.require([user])
    history = [
        _history_item(catalogue, item, entry.weight, entry.time, entry.record_id)
        for item, (entry, _) in reversed(newer.items())
    ]
    if row == UNKNOWN:
        return {"user_id": user, "features": {}, "history": history}
    [features] = describe_users(data, [user])
    fitted = slice(int(data.matrix.indptr[row]), int(data.matrix.indptr[row + 1]))
    times = None if data.times is None else data.times[fitted]
    positions = data.positions[fitted]
    ids = data.items.take(data.item_rows[fitted]).to_pylist()
    for n in np.lexsort((positions,) if times is None else (positions, times))[::-1].tolist():
        if ids[n] not in newer:
            time = None if times is None else as_datetime(int(times[n]))
            weight = float(data.weights[fitted][n])
            history.append(_history_item(catalogue, ids[n], weight, time, None))
    return {"user_id": user, "features": features, "history": history}


def _history_item(
    catalogue: Catalogue, item: Id, weight: float, time: dt.datetime | None, record_id: int | None
) -> HistoryItem:
    return {
        "item_id": item,
        "title": catalogue.titles[int(catalogue.data.items.rows([item])[0])],
        "weight": weight,
        "time": None if time is None else time.isoformat(),
        "record_id": record_id,
    }


def describe_users(data: Dataset, users: list[Id]) -> list[dict[str, Any]]:
    """Return the features of users, as far as they have any."""
    if data.user_features is None:
        return [{} for _ in users]
    features = data.user_features.take(pa.array(data.users.rows(users)))
    described: list[dict[str, Any]] = json_value(features.to_pylist())
    return described


def fold(text: str) -> str:
    """Return a form of a text that does not depend on case and width."""
    return unicodedata.normalize("NFKC", text).casefold()


def _as_numpy(mask: pa.Array) -> NDArray[np.bool_]:
    array: NDArray[np.bool_] = mask.to_numpy(zero_copy_only=False)
    return array


def json_value(value: Any) -> Any:
    """Return a cell of an Arrow table as JSON represents it: dates as ISO text, NaN as null."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return value.total_seconds()
        case Decimal():
            return json_value(float(value))
        case bytes():
            return value.hex()
        case list() | tuple():
            return [json_value(element) for element in value]
        case dict():
            return {str(name): json_value(element) for name, element in value.items()}
        case _:
            return value


def describe_fields(features: pa.Table | None) -> list[FieldInfo]:
    """Describe each column of a table of features: its name, its kind, its values or its bounds."""
    if features is None:
        return []
    labels = labels_of(features)
    return [
        {**_field(name, features.column(name)), **_labels(labels.get(name, {}))}
        for name in features.column_names
    ]


def _labels(words: Mapping[str, str]) -> FieldLabels:
    """Return the label of a column and those of its values, as far as there are any."""
    labels: FieldLabels = {}
    if "" in words:
        labels["label"] = words[""]
    if of_values := {value: label for value, label in words.items() if value}:
        labels["labels"] = of_values
    return labels


def _field(name: str, column: pa.ChunkedArray) -> FieldInfo:
    kind = column.type
    if pa.types.is_boolean(kind):
        return {"name": name, "kind": "flag"}
    if is_number(kind) or is_time(kind):
        if pa.types.is_floating(kind):
            column = column.filter(pc.is_finite(column))
        least, greatest = map(json_value, pc.min_max(column).as_py().values())
        described: FieldInfo = {"name": name, "kind": "number" if is_number(kind) else "date"}
        return {**described, "min": least, "max": greatest}
    if is_list(kind):
        values = _by_frequency(pc.list_flatten(column))[:MAX_VALUES]
        return {"name": name, "kind": "list", "values": values}
    if is_text(kind):
        values = _by_frequency(column)
        if len(values) <= min(MAX_VALUES, max(2, len(column) // 2)):
            return {"name": name, "kind": "category", "values": values}
    return {"name": name, "kind": "text"}


def _by_frequency(column: pa.ChunkedArray) -> list[Any]:
    """Return the values, the most frequent first; equally frequent values in order."""
    counted = pc.value_counts(column.drop_null())
    values, counts = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
    pairs = sorted(zip(values, counts, strict=True), key=lambda pair: (-pair[1], str(pair[0])))
    return [json_value(value) for value, _ in pairs]


def item_map(model: Model[Any, Any], catalogue: Catalogue) -> Map:
    """Return the map of the most popular items, for a model with vectors."""
    data = model.data
    rows = np.sort(np.argsort(data.popularity_order)[:MAX_POINTS])
    coordinates = principal_coordinates(item_factors(model)[rows])
    groups = _groups(data, rows)
    ids = data.items.take(rows).to_pylist()
    points: list[Point] = [
        {
            "item_id": ids[n],
            "title": catalogue.titles[row],
            "x": round(float(coordinates[n, 0]), 5),
            "y": round(float(coordinates[n, 1]), 5),
            "interactions": int(data.item_counts[row]),
            "group": groups[n],
        }
        for n, row in enumerate(rows)
    ]
    return {"points": points}


def _groups(data: Dataset, rows: NDArray[np.intp]) -> list[str | None]:
    """Return the group of each item: its first value in the first column with few values."""
    if data.item_features is not None:
        table, limit = data.item_features.take(pa.array(rows)), min(MAX_GROUPS, len(rows) // 2)
        for name in table.column_names:
            column = first_values(table.column(name))
            is_group = name not in (*TITLES, title_column(table)) and is_text(column.type)
            if is_group and 1 < len(column.unique()) <= limit:
                return [json_value(value) for value in column.to_pylist()]
    return [None] * len(rows)
