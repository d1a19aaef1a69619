"""What a training depends on, as hashes: the interactions, their order, and the features."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from shortlist.data.dataset import Dataset

OTHER = {
    "data": "other interactions: other tables, or rows were added since",
    "features": "other features of users or items",
    "order": "the same interactions in another order",
}
"""How the data differs where the hashes of a key do, for messages."""

_ROWS = 1 << 16  # of a column, made text at a time


def identity_of(data: Dataset) -> dict[str, str]:
    """Return the hashes of all that a training reads from a data set, ready for JSON.

    They are equal for equal values, however the tables were read: in chunks, with dictionaries, or
    in another order of rows where times say the order.

    >>> first = Dataset.from_tables({"user_id": [1, 1], "item_id": ["a", "b"]})
    >>> second = Dataset.from_tables({"user_id": [1, 1], "item_id": ["b", "a"]})
    >>> [key for key, value in identity_of(first).items() if identity_of(second)[key] != value]
    ['order']
    """
    order = np.ascontiguousarray(data.recency.data, dtype="<i4")
    return {
        "data": data.fingerprint,
        "features": _features_hash(data),
        "order": hashlib.sha256(order.data).hexdigest(),
    }


def _features_hash(data: Dataset) -> str:
    """Hash the names and values of the features, which a data set's fingerprint does not include.

    The order of the columns counts: networks draw their first weights in it.
    """
    digest = hashlib.sha256()
    for table in (data.user_features, data.item_features):
        columns = {} if table is None else dict(zip(table.column_names, table.columns, strict=True))
        for name, column in columns.items():
            digest.update(json.dumps(name).encode())
            for start in range(0, len(column), _ROWS):
                values = column.slice(start, _ROWS).to_pylist()
                digest.update(json.dumps(values, default=str).encode())
        digest.update(b"-")
    return digest.hexdigest()
