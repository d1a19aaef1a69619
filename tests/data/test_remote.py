"""Tables named by URIs of Arrow's file systems are read like local files."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from object_store import Bucket

import shortlist as sl
from shortlist.data.remote import is_remote, shown
from shortlist.data.sources import is_table
from shortlist.errors import InputError

LINES = "user_id,item_id,n\n007,a,1\n8,b,2\n007,b,3\n"


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz", "log.parquet", "logs"])
def test_a_uri_is_read_like_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    match name:
        case "log.csv":
            path.write_text(LINES)
        case "log.csv.gz":
            path.write_bytes(gzip.compress(LINES.encode()))
        case "log.parquet":
            table = {"user_id": ["007", "8", "007"], "item_id": ["a", "b", "b"], "n": [1, 2, 3]}
            pq.write_table(pa.table(table), path)
        case _:
            (path / "deep").mkdir(parents=True)
            (path / "1.csv").write_text("user_id,item_id,n\n007,a,1\n")
            (path / "deep" / "2.csv").write_text("user_id,item_id,n\n8,b,2\n007,b,3\n")
    data = sl.Dataset.from_tables(path.as_uri(), weight="n")
    assert data.to_arrow().to_pydict() == {
        "user_id": ["007", "007", "8"],  # a number would have lost its zeros
        "item_id": ["a", "b", "b"],
        "weight": [1.0, 3.0, 2.0],
    }
    assert data.fingerprint == sl.Dataset.from_tables(path, weight="n").fingerprint
    assert is_table(path.as_uri())
    assert sl.look(path.as_uri()).data.n_users == 2


def test_partitioned_parquet_in_an_object_store(tmp_path: Path, bucket: Bucket) -> None:
    """As a lake keeps a log: a folder of files for each day, whose name is a column."""
    rng = np.random.default_rng(0)
    log = pa.table(
        {
            "user_id": rng.integers(40, size=500),
            "item_id": rng.integers(30, size=500),
            "day": np.sort(rng.integers(20261101, 20261108, size=500)),
        }
    )
    pq.write_to_dataset(log, tmp_path / "log", partition_cols=["day"])
    paths = sorted((tmp_path / "log").rglob("*.parquet"))
    assert len(paths) == 7
    for path in paths:
        bucket.write(str(path.relative_to(tmp_path)), path.read_bytes())
    there = sl.Dataset.from_tables(bucket.uri("log"), weight="day")
    here = sl.Dataset.from_tables(log, weight="day")
    assert there.fingerprint == here.fingerprint
    lists = [sl.ItemCosine(neighbors=9).fit(data).recommend(k=3).table for data in (there, here)]
    assert lists[0].equals(lists[1])
    with pytest.raises(InputError, match=r"s3://board/none cannot be read: there is no such file"):
        sl.Dataset.from_tables(bucket.uri("none"))


def test_what_is_wrong_is_said_without_keys(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv cannot be read: there is no such file"):
        sl.Dataset.from_tables((tmp_path / "none.csv").as_uri())
    (tmp_path / "bad.csv").write_text("user_id,item_id\n1,2\n,3\n")
    with pytest.raises(InputError) as error:
        sl.Dataset.from_tables((tmp_path / "bad.csv").as_uri())
    assert f"interactions {(tmp_path / 'bad.csv').as_uri()}, row 2" in str(error.value)
    assert shown("s3://key:secret@bucket/a.csv?region=x") == "s3://bucket/a.csv"
    assert not is_remote("postgresql://host/shop")
    assert not is_remote(tmp_path)


def test_ids_iterate_and_tables_carry_them() -> None:
    items = {"item_id": ["b", "a"], "year": [2001, 1999]}
    data = sl.Dataset.from_tables({"user_id": [2, 1], "item_id": ["a", "b"]}, items=items)
    assert (list(data.users), list(data.items)) == ([1, 2], ["a", "b"])
    assert data.user_table().to_pydict() == {"user_id": [1, 2]}
    assert data.item_table().to_pydict() == {"item_id": ["a", "b"], "year": [1999, 2001]}
