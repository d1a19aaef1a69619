"""The users in replies: a search by id, features and history."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.vocabulary import UNKNOWN, Id
from shortlist.serving.catalogue import json_value
from shortlist.serving.model_store import ServedModel
from shortlist.serving.recording import RecentInteractions, not_in
from shortlist.serving.replies import HistoryItem, User, Users


def find_users(served: ServedModel, recent: RecentInteractions, text: str, limit: int) -> Users:
    """Find users whose id contains the text: first ids that start with it, then in order of ids.

    Users who are only in memory come last. An empty text finds the users with the most
    interactions.
    """
    data, text = served.data, text.strip()
    new: list[Id] = []
    if not text:
        rows = np.argsort(-data.user_counts, kind="stable")[:limit]
    else:
        ids = served.user_texts
        starts = pc.starts_with(ids, text).to_numpy(zero_copy_only=False)
        contains = pc.match_substring(ids, text).to_numpy(zero_copy_only=False)
        rows = np.concatenate([np.flatnonzero(starts), np.flatnonzero(contains & ~starts)])[:limit]
        new = [user for user in recent.users() if user not in data.users and text in str(user)]
    known = data.users.take(rows).to_pylist()
    counts = [int(data.user_counts[row]) for row in rows]
    matches = [*zip(known, counts, strict=True), *((user, 0) for user in new)][:limit]
    return {
        "users": [
            {"user_id": user, "interactions": count + len(not_in(data, user, recent.of(user)))}
            for user, count in matches
        ]
    }


def describe_user(served: ServedModel, recent: RecentInteractions, user: Id) -> User:
    """Return the features and the history of a user, the latest interaction first.

    Raises
    ------
    UnknownIdError
        The user is neither in the data nor in memory.
    """
    data = served.data
    newer = not_in(data, user, recent.of(user))
    row = int(data.users.rows([user])[0])
    if row == UNKNOWN and not newer:
        data.users.require([user])
    history = [
        _history_item(served, item, latest.weight, latest.time, latest.record_id or None)
        for item, latest in reversed(newer.items())
    ]
    features: dict[str, Any] = {}
    if row != UNKNOWN:
        if data.user_features is not None:
            features = json_value(data.user_features.take(pa.array([row])).to_pylist()[0])
        matrix = data.matrix
        first, last = int(matrix.indptr[row]), int(matrix.indptr[row + 1])
        times = None if data.times is None else data.times[first:last]
        positions = data.positions[first:last]
        order = np.lexsort((positions,) if times is None else (positions, times))[::-1]
        ids = data.items.take(matrix.indices[first:last]).to_pylist()
        for n in order.tolist():
            if ids[n] not in newer:
                time = None if times is None else _datetime(int(times[n]))
                history.append(
                    _history_item(served, ids[n], float(matrix.data[first + n]), time, None)
                )
    return {"user_id": user, "features": features, "history": history}


def _history_item(
    served: ServedModel,
    item: Id,
    weight: float,
    time: dt.datetime | None,
    record_id: int | None,
) -> HistoryItem:
    title = served.catalogue.titles[int(served.data.items.rows([item])[0])]
    return {
        "item_id": item,
        "title": title,
        "weight": weight,
        "time": json_value(time),
        "record_id": record_id,
    }


def _datetime(microseconds: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=microseconds)
