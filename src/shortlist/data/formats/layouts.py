"""The published layouts of each schema, and the recognition of text files.

A file named after a table of a schema needs no layout here: ``ratings.csv`` with the columns of the
table ``ratings`` is read as that table.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from types import MappingProxyType

from shortlist.data.formats.jobs import JOBS
from shortlist.data.formats.layout import RECBOLE, TABLE, Layout
from shortlist.data.formats.movies import MOVIES

LAYOUTS: Mapping[str, tuple[Layout, ...]] = MappingProxyType({"movies": MOVIES, "jobs": JOBS})
"""The published layouts by the name of their schema."""

READABLE = (
    ".csv, .tsv, .jsonl (each also with .gz), .parquet, a folder or pattern of these, a GroupLens "
    "file (u.data, u.item, u.user, ratings.dat, movies.dat, users.dat) or a RecBole file (.inter, "
    ".item, .user)"
)


def recognise(path: Path) -> Layout | None:
    """Return the layout of an existing text file, by its name and header; None if unsupported.

    CSV, TSV and RecBole files of any name can be read as plain tables.
    """
    for layout in chain.from_iterable(LAYOUTS.values()):
        if layout.names(path):
            shown = layout.selection(dict.fromkeys(layout.text(path).columns, "VARCHAR"))
            if not layout.header or set(layout.columns) <= set(shown):
                return layout
    return next((layout for layout in (RECBOLE, TABLE) if layout.names(path)), None)
