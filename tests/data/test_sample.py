"""The MovieLens sample of the package agrees with its licence note."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from shortlist import Dataset
from shortlist.data.samples import sample_paths


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return {name: pq.read_table(path) for name, path in sample_paths()._asdict().items()}


def test_every_rating_is_there_once(tables: dict[str, pa.Table]) -> None:
    ratings = tables["ratings"]
    assert ratings.num_rows == 100_004
    assert pc.count_distinct(ratings["user_id"]).as_py() == 671
    assert pc.count_distinct(ratings["item_id"]).as_py() == 9_066
    pairs = ratings.group_by(["user_id", "item_id"]).aggregate([])
    assert pairs.num_rows == 100_004
    assert [column.null_count for column in ratings.columns] == [0, 0, 0, 0]


def test_ratings_are_stars_and_moments(tables: dict[str, pa.Table]) -> None:
    ratings = tables["ratings"]
    counted = ratings.group_by("rating").aggregate([([], "count_all")]).sort_by("rating")
    assert counted.to_pydict() == {
        "rating": [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0],
        "count_all": [1101, 3326, 1687, 7271, 4449, 20064, 10538, 28750, 7723, 15095],
    }
    assert ratings.schema.field("rated_at").type == pa.timestamp("ms", "UTC")
    assert pc.min_max(ratings["rated_at"]).as_py() == {
        "min": datetime(1995, 1, 9, 11, 46, 49, tzinfo=UTC),
        "max": datetime(2016, 10, 16, 17, 57, 24, tzinfo=UTC),
    }
    first = ratings.slice(0, 1).to_pylist()[0]
    assert first == {
        "user_id": 1,
        "item_id": 2294,
        "rating": 2.0,
        "rated_at": datetime(2009, 12, 14, 2, 51, 48, tzinfo=UTC),
    }


def test_rows_are_in_order(tables: dict[str, pa.Table]) -> None:
    ratings = tables["ratings"]
    keys = ["user_id", "rated_at", "item_id"]
    assert ratings.equals(ratings.sort_by([(key, "ascending") for key in keys]))
    for name, key in (("users", "user_id"), ("items", "item_id")):
        ids = tables[name][key].to_pylist()
        assert ids == sorted(set(ids))
        assert set(ids) == set(ratings[key].to_pylist())


def test_titles_years_and_genres(tables: dict[str, pa.Table]) -> None:
    films = {film["item_id"]: film for film in tables["items"].to_pylist()}
    assert films[1] == {
        "item_id": 1,
        "title": "Toy Story",
        "year": 1995,
        "genres": ["Adventure", "Animation", "Children", "Comedy", "Fantasy"],
    }
    assert films[293]["title"] == "Léon: The Professional (a.k.a. The Professional) (Léon)"
    assert films[7022]["genres"] == ["Action", "Drama", "Horror", "Thriller"]
    untitled = [film for film in films.values() if film["title"] is None]
    assert [film["item_id"] for film in untitled] == [108548, 108583, 143410, 151307, 162376]
    assert all(film["year"] is None for film in untitled)
    titles = [film["title"] for film in films.values() if film["title"] is not None]
    assert all(title == title.strip() and title for title in titles)
    assert sum(not title.isascii() for title in titles) == 271
    years = [film["year"] for film in films.values() if film["year"] is not None]
    assert (min(years), max(years)) == (1902, 2016)
    genres = {genre for film in films.values() for genre in film["genres"]}
    assert len(genres) == 19
    assert {"Sci-Fi", "Film-Noir", "IMAX"} <= genres
    assert "(no genres listed)" not in genres
    assert sum(not film["genres"] for film in films.values()) == 17


def test_it_becomes_a_dataset() -> None:
    sample = sample_paths()
    data = Dataset.from_tables(
        sample.ratings, users=sample.users, items=sample.items, weight="rating", time="rated_at"
    )
    assert (data.n_users, data.n_items, data.n_interactions) == (671, 9066, 100_004)
    assert float(data.weights.sum()) == 354_375.0


def test_size_and_licence() -> None:
    assert sum(path.stat().st_size for path in sample_paths()) < 600_000
    note = (files("shortlist.data.samples") / "LICENSE-movielens.md").read_text(encoding="utf-8")
    for words in ("F. Maxwell Harper and Joseph A. Konstan", "GroupLens", "Artistic License 2.0"):
        assert words in note
