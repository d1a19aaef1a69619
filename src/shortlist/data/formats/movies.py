"""The layouts of MovieLens and RecBole files, and the tables of the movies schema they fill.

Values are SQL expressions over the columns of each file.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shortlist.data.formats.layout import RECBOLE, Fill, Layout, same
from shortlist.data.sql import literal, quoted

_USER = ("user_id", "age", "gender", "occupation", "zip_code")
_RATING = ("user_id", "item_id", "rating", "timestamp")
_FLAGS = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip

_FOUR_DIGITS = r"(18[7-9]\d|19\d\d|20\d\d)"


def _year_of_title(column: str) -> str:
    """Extract the last year in brackets: 'Heat (1995)', 'The Great Giving (1995) (V)'."""
    return rf"nullif(regexp_extract({column}, '.*\({_FOUR_DIGITS}\)', 1), '')"


def _year_at_end(column: str) -> str:
    """Extract the year at the end of a text: '1995', '01-Jan-1995'."""
    return f"nullif(regexp_extract({column}, '{_FOUR_DIGITS}$', 1), '')"


def _items(item_id: str, title: str, year: str, genres: str) -> tuple[Fill, ...]:
    listed = f"list_filter({genres}, lambda v: v <> '(no genres listed)')"
    return (
        Fill("items", {"item_id": item_id, "title": title, "year": year}),
        Fill("genres", {"genre": "each"}, each=listed),
        Fill("item_genres", {"item_id": item_id, "genre": "each"}, each=listed),
    )


def _ratings(user_id: str, item_id: str) -> tuple[Fill, ...]:
    source = {"user_id": user_id, "item_id": item_id, "rating": "rating", "rated_at": "timestamp"}
    return (Fill("ratings", {column: quoted(name) for column, name in source.items()}),)


def _flagged() -> str:
    """Convert the nineteen 0/1 columns of ``u.item`` to a list of genres."""
    cases = (f"CASE WHEN {quoted(flag)} = '1' THEN {literal(flag)} END" for flag in _FLAGS)
    return f"list_filter([{', '.join(cases)}], lambda v: v IS NOT NULL)"


def _grouplens(file: str, columns: tuple[str, ...], **settings: Any) -> Layout:
    """Return the layout of a GroupLens file, which has neither header nor quotes."""
    return Layout((file,), columns, header=False, quote="", **settings)


_ITEMS = ("item_id", "title", "year", "genres")
_RECBOLE_GENRES = ("class", "genre")  # the names of this column in ML-100K and in ML-1M

MOVIES = (
    # MovieLens 100K
    _grouplens("u.data", _RATING, delimiter="\t", fills=_ratings("user_id", "item_id")),
    _grouplens("u?.base", _RATING, delimiter="\t"),
    _grouplens("u?.test", _RATING, delimiter="\t"),
    _grouplens("u.user", _USER, delimiter="|", latin=True, fills=(Fill("users", same(*_USER)),)),
    _grouplens(
        "u.item",
        ("item_id", "title", "release_date", "video_release_date", "imdb_url", *_FLAGS),
        delimiter="|",
        latin=True,
        select={
            **same("item_id", "title"),
            "year": f"coalesce({_year_of_title('title')}, {_year_at_end('release_date')})",
            "genres": _flagged(),
        },
        fills=_items(*_ITEMS),
    ),
    # MovieLens 1M and 10M
    _grouplens("ratings.dat", _RATING, delimiter="::", fills=_ratings("user_id", "item_id")),
    _grouplens(
        "users.dat",
        ("user_id", "gender", "age", "occupation", "zip_code"),
        delimiter="::",
        latin=True,
        fills=(Fill("users", same(*_USER)),),
    ),
    _grouplens(
        "movies.dat",
        ("item_id", "title", "genres"),
        delimiter="::",
        latin=True,
        select={**same("item_id", "title"), "year": _year_of_title("title"), "genres": "genres"},
        lists={"genres": "|"},
        fills=_items(*_ITEMS),
    ),
    # later MovieLens data sets
    Layout(
        ("ratings.csv",),
        ("userId", "movieId", "rating", "timestamp"),
        fills=_ratings("userId", "movieId"),
        implied=("users",),  # there is no file of users
    ),
    Layout(
        ("movies.csv",),
        ("movieId", "title", "genres"),
        lists={"genres": "|"},
        fills=_items("movieId", "title", _year_of_title("title"), "genres"),
    ),
    Layout(("items.csv",), _ITEMS, lists={"genres": "|"}, fills=_items(*_ITEMS)),
    # RecBole
    replace(
        RECBOLE,
        files=("*.inter",),
        columns=_RATING[:3],
        optional=_RATING[3:],
        fills=_ratings("user_id", "item_id"),
        implied=("users", "items"),  # both files are optional
    ),
    replace(
        RECBOLE,
        files=("*.user",),
        columns=_USER[:1],
        optional=_USER[1:],
        fills=(Fill("users", same(*_USER)),),
    ),
    *(
        replace(
            RECBOLE,
            files=("*.item",),
            columns=("item_id", "movie_title", "release_year", genres),
            fills=_items(
                "item_id", "array_to_string(movie_title, ' ')", _year_at_end("release_year"), genres
            ),
        )
        for genres in _RECBOLE_GENRES
    ),
)
