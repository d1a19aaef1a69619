"""Create the MovieLens sample of this package from the Debian package r-cran-dslabs.

Install the extra ``samples``, download the Debian package and run::

    apt-get download r-cran-dslabs=0.7.4-1
    python scripts/make_movielens_sample.py r-cran-dslabs_0.7.4-1_all.deb

This needs ``dpkg-deb``, which is part of Debian and Ubuntu (elsewhere, install ``dpkg``). It writes
``users.parquet``, ``items.parquet`` and ``ratings.parquet`` to the sample folder of the package, or
to the folder given as the second argument. The same .deb and pyarrow give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import rdata

from shortlist.errors import InputError
from shortlist.files import atomic_file

SAMPLES = Path(__file__).parents[1] / "src/shortlist/data/samples/movielens"
DEB_SHA256 = "c3f93382c44d4581de9561792a87b110cb239c70771cac5ad63fa0a259e71ef3"
DATA = "./usr/lib/R/site-library/dslabs/data"


def deb_files(deb: Path, *names: str) -> list[bytes]:
    """Read data files out of the .deb."""
    digest = hashlib.sha256(deb.read_bytes()).hexdigest()
    if digest != DEB_SHA256:
        raise InputError(
            f"{deb} is not r-cran-dslabs 0.7.4-1: its SHA-256 is {digest}, not {DEB_SHA256}",
            remedy="apt-get download r-cran-dslabs=0.7.4-1",
        )
    tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], check=True, capture_output=True)
    contents = []
    with tarfile.open(fileobj=io.BytesIO(tar.stdout)) as archive:
        for name in names:
            member = archive.extractfile(f"{DATA}/{name}")
            assert member is not None, name
            contents.append(member.read())
    return contents


def lazy_data(index: bytes, database: bytes, name: str) -> Any:
    """Read one object of an R lazy-load database.

    The index maps each name to (offset, length) in the database; the bytes there are the size of
    the object (four, big-endian), then the object, zlib-compressed, in R's serialised form.
    """
    entries = rdata.conversion.convert(rdata.parser.parse_data(index, extension=".rds"))
    offset, length = (int(number) for number in entries["variables"][name])
    block = database[offset : offset + length]
    content = zlib.decompress(block[4:])
    assert len(content) == int.from_bytes(block[:4], "big"), f"{name} is damaged"
    return rdata.conversion.convert(rdata.parser.parse_data(content, extension=".rds"))


def sample_tables(frame: pd.DataFrame) -> dict[str, pa.Table]:
    """Split the one wide table into viewers, films and ratings."""
    films = frame.drop_duplicates("movieId").sort_values("movieId")
    genres = films["genres"].astype(str).str.replace("(no genres listed)", "", regex=False)
    genre_lists = [text.split("|") if text else [] for text in genres]
    # Sorted by viewer, then time: differences of neighbouring times are small, and so is the file.
    ratings = frame.sort_values(["userId", "timestamp", "movieId"])
    milliseconds = pa.array(ratings["timestamp"].to_numpy("int64") * 1000)
    return {
        "users": pa.table({"user_id": pa.array(ratings["userId"].unique(), pa.int64())}),
        "items": pa.table(
            {
                "item_id": pa.array(films["movieId"], pa.int64()),
                "title": pa.array(films["title"].str.strip(), pa.string()),
                "year": pa.array(films["year"], pa.int32()),
                "genres": pa.array(genre_lists, pa.list_(pa.string())),
            }
        ),
        "ratings": pa.table(
            {
                "user_id": pa.array(ratings["userId"], pa.int64()),
                "item_id": pa.array(ratings["movieId"], pa.int64()),
                "rating": pa.array(ratings["rating"], pa.float64()).cast(pa.float32()),
                "rated_at": milliseconds.cast(pa.timestamp("ms", "UTC")),
            }
        ),
    }


def main(arguments: list[str]) -> None:
    """Read the .deb and write the three files."""
    if len(arguments) not in (1, 2):
        sys.exit(__doc__)
    folder = Path(arguments[1]) if len(arguments) == 2 else SAMPLES
    index, database = deb_files(Path(arguments[0]), "Rdata.rdx", "Rdata.rdb")
    for name, table in sample_tables(lazy_data(index, database, "movielens")).items():
        # Store sorted numbers as differences, and repeated values in a dictionary.
        sorted_columns = {"users": ["user_id"], "items": ["item_id"]}
        differences = sorted_columns.get(name, ["user_id", "rated_at"])
        repeating = {"items": ["year", "genres.list.element"], "ratings": ["item_id", "rating"]}
        with atomic_file(folder / f"{name}.parquet") as partial:
            pq.write_table(
                table,
                partial,
                compression="zstd",
                compression_level=19,
                use_dictionary=repeating.get(name, False),
                column_encoding=dict.fromkeys(differences, "DELTA_BINARY_PACKED"),
            )


if __name__ == "__main__":
    main(sys.argv[1:])
