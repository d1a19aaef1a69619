"""What makes two fitted models give the same lists, as one hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from shortlist.bundle.parts import Storable, split

_ROWS = 1 << 16  # of a table at a time


def identity(model: Storable) -> str:
    """Return the SHA-256 of settings, data, features and learned parts; equal after a reload."""
    data, parts = model.data, split(model.learned)
    digest = hashlib.sha256()
    texts = [model.name, model.settings, data.fingerprint, parts.scalars, sorted(parts.arrays)]
    digest.update(json.dumps(texts, sort_keys=True, default=str).encode())
    for _, array in sorted(parts.arrays.items()):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    features = {"user features": data.user_features, "item features": data.item_features}
    for name, table in sorted((parts.tables | features).items()):
        if table is not None:
            digest.update(name.encode())
            for text in _rows(table):
                digest.update(text)
    return digest.hexdigest()


def _rows(table: pa.Table) -> Iterator[bytes]:
    """Yield the values of a table as text: its bytes differ under missing values."""
    yield repr(table.column_names).encode()
    for batch in table.to_batches(max_chunksize=_ROWS):
        yield "\n".join(map(str, batch.to_pylist())).encode() + b"\n"
