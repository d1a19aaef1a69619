"""The MovieLens sample that travels inside the package.

100,004 ratings by 671 viewers of 9,066 films, collected by GroupLens between 1995 and 2016 and
taken here from the R package ``dslabs``. Its licence is its own: read ``LICENSE-movielens.md``
beside this file. ``scripts/make_movielens_sample.py`` made the files.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import NamedTuple


class SamplePaths(NamedTuple):
    """Where the Parquet files of the sample are: each fills the table it is named after.

    Attributes
    ----------
    users
        ``user_id`` int64; one row a viewer, nothing else is known about them.
    items
        ``item_id`` int64, ``title`` string and ``year`` int32 (both null for the same 5 films),
        ``genres`` list of string (empty where none is listed); one row a film, sorted by id.
    ratings
        ``user_id`` int64, ``item_id`` int64, ``rating`` float32 (0.5 to 5 in halves), ``rated_at``
        timestamp in UTC, to the second; one row a rating, sorted by viewer and then by time; no
        viewer has rated a film twice.
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
