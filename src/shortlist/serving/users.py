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
from shortlist.serving.replies import HistoryItem, User, UserSummary

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def find_users(
    served: ServedModel, recent: RecentInteractions, text: str, limit: int
) -> list[UserSummary]:
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
    return [
        {"user_id": user, "interactions": count + len(not_in(data, user, recent.of(user)))}
        for user, count in matches
    ]


def describe_user(served: ServedModel, recent: RecentInteractions, user: Id) -> User:
    """Return the features and the history of a user, the latest interaction first.

    A user who is neither in the data nor in memory is an UnknownIdError.
    """
    data = served.data
    newer = not_in(data, user, recent.of(user))
    row = int(data.users.rows([user])[0])
    if row == UNKNOWN and not newer:
        data.users.require([user])
    history: list[HistoryItem] = []

    def add(item: Id, weight: float, time: dt.datetime | None, record_id: int | None) -> None:
        title = served.catalogue.titles[int(data.items.rows([item])[0])]
        history.append(
            {
                "item_id": item,
                "title": title,
                "weight": weight,
                "time": None if time is None else time.isoformat(),
                "record_id": record_id,
            }
        )

    for item, latest in reversed(newer.items()):
        add(item, latest.weight, latest.time, latest.record_id or None)
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
                time = None if times is None else _EPOCH + dt.timedelta(microseconds=int(times[n]))
                add(ids[n], float(matrix.data[first + n]), time, None)
    return {"user_id": user, "features": features, "history": history}
