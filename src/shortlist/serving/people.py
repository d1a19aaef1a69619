"""The users as people see them: a search by id, and what is known of one."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.vocabulary import UNKNOWN, Id
from shortlist.serving.plain import plain_value
from shortlist.serving.recent import Recent, new_to
from shortlist.serving.served import Served


def find_users(served: Served, recent: Recent, text: str, limit: int) -> list[dict[str, Any]]:
    """Find users whose id contains the text: those who start with it first, then by id.

    No text: the users with the most interactions.
    """
    data, wanted = served.data, text.strip()
    if not wanted:
        rows = np.argsort(-data.user_counts, kind="stable")[:limit]
    else:
        ids = served.user_texts
        starts = pc.starts_with(ids, wanted).to_numpy(zero_copy_only=False)
        within = pc.match_substring(ids, wanted).to_numpy(zero_copy_only=False)
        rows = np.concatenate([np.flatnonzero(starts), np.flatnonzero(within & ~starts)])[:limit]
    new = [
        one for one in recent.users() if one not in data.users and wanted in str(one)
    ] if wanted else []  # fmt: skip
    found = data.users.take(rows).to_pylist()
    counts = [int(data.user_counts[row]) for row in rows]
    hits = [*zip(found, counts, strict=True), *((one, 0) for one in new)][:limit]
    return [
        {"user_id": one, "interactions": count + len(new_to(data, one, recent.of(one)))}
        for one, count in hits
    ]


def describe_user(served: Served, recent: Recent, user: Id) -> dict[str, Any]:
    """Give the features and the history of a user, the latest choice first.

    Raises
    ------
    UnknownIdError
        The user is neither in the data nor has recorded anything since.
    """
    data = served.data
    fresh = new_to(data, user, recent.of(user))
    row = int(data.users.rows([user])[0])
    if row == UNKNOWN and not fresh:
        data.users.require([user])
    history = [
        _entry(served, item, choice.weight, choice.time) for item, choice in reversed(fresh.items())
    ]
    features: dict[str, Any] = {}
    if row != UNKNOWN:
        if data.user_features is not None:
            features = plain_value(data.user_features.take(pa.array([row])).to_pylist()[0])
        matrix = data.matrix
        first, last = int(matrix.indptr[row]), int(matrix.indptr[row + 1])
        times = None if data.times is None else data.times[first:last]
        positions = data.positions[first:last]
        order = np.lexsort((positions,) if times is None else (positions, times))[::-1]
        ids = data.items.take(matrix.indices[first:last]).to_pylist()
        for n in order.tolist():
            if ids[n] not in fresh:
                time = None if times is None else _moment(int(times[n]))
                history.append(_entry(served, ids[n], float(matrix.data[first + n]), time))
    return {"user_id": user, "features": features, "history": history}


def _entry(served: Served, item: Id, weight: float, time: dt.datetime | None) -> dict[str, Any]:
    title = served.catalogue.titles[int(served.data.items.rows([item])[0])]
    return {"item_id": item, "title": title, "weight": weight, "time": plain_value(time)}


def _moment(microseconds: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=microseconds)
