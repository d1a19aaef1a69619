"""ML-100K as in the Google course: ratings, and the genres and years of the films."""

from __future__ import annotations

import tempfile
from pathlib import Path

import shortlist as sl


def ml_100k() -> sl.Dataset:
    """Load the 100,000 ratings with the items' genres and years."""
    with (
        tempfile.TemporaryDirectory() as folder,
        sl.Store.create(Path(folder) / "films.duckdb", "movies") as store,
    ):
        store.load([sl.fetch("ml-100k")])
        return store.dataset()
