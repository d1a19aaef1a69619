from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from shortlist.data.store.store import Store
from shortlist.errors import InputError
from shortlist.models.ease import EASE
from shortlist.models.popularity import Popularity
from shortlist.recommend.query import Query
from shortlist.recommend.result import Recommendations
from shortlist.scoring.selection import Best
from shortlist.testing import small_world, tiny

EASE_OF_SMALL_WORLD = EASE(regularization=2.0).fit(small_world().data)


def blocks(*padded: list[list[int]]) -> list[Any]:
    """Blocks of rows, with scores to match; lists that begin with an odd row are popular items."""
    made = []
    for one in padded:
        rows = np.array(one, dtype=np.int32)
        scores = np.where(rows >= 0, -rows, np.nan).astype(np.float32)
        made.append((Best(rows, scores), rows[:, 0] % 2 == 1))
    return made


def assembled(*padded: list[list[int]]) -> Recommendations:
    users = ["ann", "bob", "cat"]
    model = Popularity().fit(tiny(*((user, 2**62 + row) for row, user in enumerate(users))))
    return Recommendations.assemble(blocks(*padded), ("user_id", pa.array(users)), model, k=2)


def test_blocks_become_one_tidy_table() -> None:
    found = assembled([[2, 0], [1, -1]], [[-1, -1]])
    assert found.table.to_pylist() == [
        {"user_id": "ann", "item_id": 2**62 + 2, "rank": 1, "score": -2.0, "source": "Popularity"},
        {"user_id": "ann", "item_id": 2**62, "rank": 2, "score": 0.0, "source": "Popularity"},
        {"user_id": "bob", "item_id": 2**62 + 1, "rank": 1, "score": -1.0, "source": "popularity"},
    ]
    assert found.column("rank") == [1, 2, 1]
    assert len(found) == 3
    assert repr(found) == "Recommendations(3 rows, 2 lists by user_id)"
    assert found.to_arrow() is found.table


@pytest.mark.parametrize("padded", [[], [[[-1, -1]]], [[[-1, -1]], [[-1, -1]]]])
def test_an_empty_result_keeps_its_types(padded: list[Any]) -> None:
    found = assembled(*padded)
    assert found.table.num_rows == 0
    assert found.table.schema == assembled([[0, 1]]).table.schema
    assert found.to_pandas().dtypes["score"] == np.float32
    assert found.to_polars().schema["item_id"] == pl.Int64
    assert repr(found) == "Recommendations(0 rows, 0 lists by user_id)"


def test_frames() -> None:
    found = EASE_OF_SMALL_WORLD.recommend(["u03", "u01"], k=2)
    pandas_frame, polars_frame = found.to_pandas(), found.to_polars()
    assert isinstance(pandas_frame, pd.DataFrame)
    assert isinstance(polars_frame, pl.DataFrame)
    columns = ["user_id", "item_id", "rank", "score", "source"]
    assert list(pandas_frame.columns) == polars_frame.columns == columns
    assert pandas_frame["user_id"].tolist() == ["u03", "u03", "u01", "u01"]
    assert pandas_frame["rank"].dtype == np.int32
    assert polars_frame["score"].dtype == pl.Float32
    assert polars_frame.to_arrow().to_pylist() == found.table.to_pylist()
    assert pa.Table.from_pandas(pandas_frame).to_pylist() == found.table.to_pylist()


class TestWrite:
    found = assembled([[2, 0], [1, -1]])

    def test_parquet(self, tmp_path: Path) -> None:
        target = tmp_path / "lists.parquet"
        assert self.found.write(target) == target
        assert pq.read_table(target).equals(self.found.table)

    def test_csv(self, tmp_path: Path) -> None:
        self.found.write(str(tmp_path / "lists.CSV"))
        with (tmp_path / "lists.CSV").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert rows[0] == {
            "user_id": "ann", "item_id": str(2**62 + 2), "rank": "1", "score": "-2",
            "source": "Popularity",
        }  # fmt: skip
        assert len(rows) == 3

    def test_ids_that_csv_must_quote(self, tmp_path: Path) -> None:
        odd = 'a, "b"\nc — 한국'
        model = Popularity().fit(tiny((odd, "tea"), ("bob", odd)))
        model.recommend([odd]).write(tmp_path / "lists.csv")
        with (tmp_path / "lists.csv").open(encoding="utf-8", newline="") as file:
            assert [row["user_id"] for row in csv.DictReader(file)] == [odd]

    def test_in_the_place_of_an_older_file(self, tmp_path: Path) -> None:
        (tmp_path / "lists.csv").write_text("old")
        self.found.write(tmp_path / "lists.csv")
        assert (tmp_path / "lists.csv").read_text().startswith('"user_id","item_id"')
        assert [file.name for file in tmp_path.iterdir()] == ["lists.csv"]

    @pytest.mark.parametrize("name", ["lists.xlsx", "lists", ".parquet"])
    def test_an_unknown_ending(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(InputError) as error:
            self.found.write(tmp_path / name)
        ending = Path(name).suffix
        assert str(error.value) == (
            f"cannot tell from {ending!r} how to write {tmp_path / name}\n"
            "  to do: name a .parquet, .csv, .duckdb or .sqlite file, or a database's URL"
        )
        assert not any(tmp_path.iterdir())

    def test_a_folder_that_does_not_exist(self, tmp_path: Path) -> None:
        with pytest.raises(InputError) as error:
            self.found.write(tmp_path / "no" / "lists.csv")
        assert str(error.value) == (
            f"the folder {tmp_path / 'no'} does not exist\n"
            "  to do: create it, or choose another folder"
        )
        assert not any(tmp_path.iterdir())

    @pytest.mark.parametrize("ending", ["csv", "parquet"])
    def test_nothing_half_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
    ) -> None:
        target = tmp_path / f"lists.{ending}"
        target.write_text("old")

        def fails(table: Any, path: Path, **options: Any) -> None:
            path.write_text("half")
            raise OSError("no space left on device")

        monkeypatch.setattr(pa.csv, "write_csv", fails)
        monkeypatch.setattr(pq, "write_table", fails)
        with pytest.raises(OSError, match="no space left"):
            self.found.write(target)
        assert target.read_text() == "old"
        assert [file.name for file in tmp_path.iterdir()] == [target.name]


class TestRuns:
    def test_a_run_goes_into_a_store_with_what_made_it(self, tmp_path: Path) -> None:
        Store.create(tmp_path / "runs.duckdb", "runs").close()
        lists = EASE_OF_SMALL_WORLD.recommend(["u03", "u01"], k=2)
        lists.write(tmp_path / "runs.duckdb")
        EASE_OF_SMALL_WORLD.recommend(queries=[Query(history=["i03"])], k=1).write(
            tmp_path / "runs.duckdb"
        )
        with duckdb.connect(str(tmp_path / "runs.duckdb"), read_only=True) as db:
            runs = db.sql(
                "SELECT model, config, k, asked_by FROM recommendation_runs ORDER BY run_id"
            )
            open_ones = '"dislikes": "auto", "dropout": "auto"'
            settings = f'{{{open_ones}, "regularization": 2.0, "weighting": "auto"}}'
            assert runs.fetchall() == [
                ("EASE", settings, 2, "user_id"),
                ("EASE", settings, 1, "query"),
            ]
            written = db.sql(
                'SELECT user_id, item_id, "rank", score, source FROM recommendations '
                "WHERE run_id = (SELECT min(run_id) FROM recommendation_runs) "
                'ORDER BY user_id, "rank"'
            ).fetchall()
        rows = [tuple(row.values()) for row in lists.table.to_pylist()]
        expected = sorted(rows, key=lambda row: (row[0], row[2]))
        assert [row[:3] for row in written] == [row[:3] for row in expected]
        assert [row[3] for row in written] == pytest.approx([row[3] for row in expected])

    def test_only_lists_for_users_are_runs(self, tmp_path: Path) -> None:
        Store.create(tmp_path / "runs.duckdb", "runs").close()
        model = EASE_OF_SMALL_WORLD
        for lists, columns in (
            (model.audience(["i03"]), "item_id, user_id"),
            (model.similar(["i03"]), "query_item_id, item_id"),
        ):
            with pytest.raises(InputError) as error:
                lists.write(tmp_path / "runs.duckdb")
            assert str(error.value) == (
                "a store keeps lists of items for users or queries, and these are others\n"
                f"  where: columns {columns}\n"
                "  to do: name a .parquet or .csv file"
            )
        with duckdb.connect(str(tmp_path / "runs.duckdb"), read_only=True) as db:
            assert db.sql("SELECT count(*) FROM recommendation_runs").fetchall() == [(0,)]

    def test_a_length_of_numpy_is_noted_as_a_number(self, tmp_path: Path) -> None:
        Store.create(tmp_path / "runs.duckdb", "runs").close()
        k = np.int64(3)
        EASE_OF_SMALL_WORLD.recommend(["u03"], k=k).write(  # type: ignore[arg-type]
            tmp_path / "runs.duckdb"
        )
        with duckdb.connect(str(tmp_path / "runs.duckdb"), read_only=True) as db:
            assert db.sql("SELECT k FROM recommendation_runs").fetchall() == [(3,)]

    def test_a_store_that_does_not_exist(self, tmp_path: Path) -> None:
        with pytest.raises(InputError) as error:
            EASE_OF_SMALL_WORLD.recommend(["u03"]).write(tmp_path / "runs.duckdb")
        assert str(error.value).startswith(f"there is no database {tmp_path / 'runs.duckdb'}")
        assert not any(tmp_path.iterdir())


def test_other_libraries_read_the_table_as_it_is() -> None:
    lists = EASE_OF_SMALL_WORLD.recommend(k=2)
    assert pl.DataFrame(lists).equals(lists.to_polars())
    assert pa.table(lists).equals(lists.table)


def test_a_notebook_shows_the_first_rows() -> None:
    lists = EASE_OF_SMALL_WORLD.recommend(k=2)
    html = lists._repr_html_()
    assert html.startswith('<table><tr><th style="text-align:left">user_id</th>')
    assert html.endswith(f"<p>and {len(lists) - 20} more rows<br>{lists!r}</p>")
    assert html.count("<tr>") == 21
