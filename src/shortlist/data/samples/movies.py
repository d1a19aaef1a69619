"""The MovieLens sample that is part of the package.

It holds 100,004 ratings of 9,066 films by 671 viewers, collected by GroupLens from 1995 to 2016,
and was taken from the R package ``dslabs`` by ``scripts/make_movielens_sample.py``. It has a
licence of its own: see ``LICENSE-movielens.md`` in this folder.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from shortlist.data.dataset import Dataset


class SamplePaths(NamedTuple):
    """The Parquet files of the sample; each is named after the table that it fills.

    Attributes
    ----------
    users
        ``user_id`` int64; one row per viewer, without features.
    items
        ``item_id`` int64, ``title`` string and ``year`` int32 (both null for the same 5 films),
        ``genres`` list of string (empty for some films); one row per film, sorted by id.
    ratings
        ``user_id`` int64, ``item_id`` int64, ``rating`` float32 (0.5 to 5 in halves), ``rated_at``
        timestamp in UTC, to the second; one row per rating, sorted by viewer, then by time; no
        viewer rated a film twice.
    """

    users: Path
    items: Path
    ratings: Path


def sample_paths() -> SamplePaths:
    """Return the paths of the bundled MovieLens sample.

    Examples
    --------
    >>> import pyarrow.parquet as pq
    >>> sample = sample_paths()
    >>> [pq.read_metadata(path).num_rows for path in sample]
    [671, 9066, 100004]
    >>> pq.read_table(sample.items).slice(0, 1).to_pylist()[0]["title"]
    'Toy Story'
    """
    folder = Path(str(files(__package__))) / "movielens"
    return SamplePaths(*(folder / f"{name}.parquet" for name in SamplePaths._fields))


def films() -> Dataset:
    """Return the bundled MovieLens sample: ratings as weights, times, titles, years and genres.

    Examples
    --------
    >>> films()
    Dataset(671 users, 9066 items, 100004 interactions)
    """
    sample = sample_paths()
    return Dataset.from_tables(
        sample.ratings, sample.users, sample.items, weight="rating", time="rated_at"
    )
