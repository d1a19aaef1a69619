"""shortlist.spark: lists of a DataFrame. Skipped where PySpark or Java is not installed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shortlist import spark
from shortlist.errors import InputError
from shortlist.models.cosine import ItemCosine
from shortlist.models.registry import load
from shortlist.testing import small_world


class Frame:
    """As much of a DataFrame as is looked at first."""

    columns = ("customer", "day")


def test_a_frame_without_users(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        spark.recommend(tmp_path / "bundle", Frame())
    assert str(error.value) == (
        "the DataFrame has no column user_id, only customer, day\n"
        "  to do: rename it: df.withColumnRenamed('customer', 'user_id')"
    )


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    sql = pytest.importorskip("pyspark.sql", reason="PySpark is not installed")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    opened = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
    yield opened
    opened.stop()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # PySpark's own
@pytest.mark.parametrize("ids", ["text", "large"])
def test_lists_are_those_of_the_model(session: Any, ids: Any, tmp_path: Path) -> None:
    model = ItemCosine().fit(small_world(ids).data)
    bundle = model.save(tmp_path / "bundle")
    users = model.data.users.ids.to_pylist()
    strangers = ["nobody"] if ids == "text" else [7]
    frame = session.createDataFrame([(user,) for user in users + strangers], ["user_id"])
    rows = spark.recommend(bundle, frame.repartition(3), k=4).collect()
    key = {user: place for place, user in enumerate(users)}
    found = sorted((key[row["user_id"]], row["rank"], row["item_id"], row["score"]) for row in rows)
    table = load(bundle).recommend(k=4).table.to_pylist()
    expected = [(key[row["user_id"]], row["rank"], row["item_id"], row["score"]) for row in table]
    assert found == expected
    assert {row["source"] for row in rows} <= {"ItemCosine", "popularity"}
    kept = spark.recommend(bundle, frame, k=2, exclude_seen=False, where="year >= 1990").collect()
    same = model.recommend(k=2, exclude_seen=False, where="year >= 1990")
    assert {(r["user_id"], r["item_id"]) for r in kept} == set(
        zip(same.column("user_id"), same.column("item_id"), strict=True)
    )
