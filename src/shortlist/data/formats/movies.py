"""The files of MovieLens and of RecBole, and the tables of the movies schema they fill.

Declarations only, in SQL over the columns of each file.
"""

from __future__ import annotations

from dataclasses import replace

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
    """Find the last year in brackets: 'Heat (1995)', 'Time of the Great Giving (1995) (V)'."""
    return rf"nullif(regexp_extract({column}, '.*\({_FOUR_DIGITS}\)', 1), '')"


def _year_at_end(column: str) -> str:
    """Find the year that ends a text: '1995', '01-Jan-1995'."""
    return f"nullif(regexp_extract({column}, '{_FOUR_DIGITS}$', 1), '')"


def _items(item_id: str, title: str, year: str, genres: str) -> tuple[Fill, ...]:
    listed = f"list_filter({genres}, lambda v: v <> '(no genres listed)')"
    return (
        Fill("items", {"item_id": item_id, "title": title, "year": year}),
        Fill("genres", {"genre": "each"}, each=listed),
        Fill("item_genres", {"item_id": item_id, "genre": "each"}, each=listed),
    )


def _ratings(user_id: str, item_id: str) -> tuple[Fill, ...]:
    named = {"user_id": user_id, "item_id": item_id, "rating": "rating", "rated_at": "timestamp"}
    return (Fill("ratings", {column: quoted(name) for column, name in named.items()}),)


def _flagged() -> str:
    """Turn the nineteen 0/1 columns of ``u.item`` into the list of the genres that apply."""
    cases = (f"CASE WHEN {quoted(flag)} = '1' THEN {literal(flag)} END" for flag in _FLAGS)
    return f"list_filter([{', '.join(cases)}], lambda v: v IS NOT NULL)"


_ITEM_TABLE = ("item_id", "title", "year", "genres")
_RECBOLE_GENRES = ("class", "genre")  # what RecBole calls them in ML-100K, and in ML-1M

MOVIES = (
    Layout(
        "MovieLens 100K ratings",
        ("u.data",),
        _RATING,
        header=False,
        delimiter="\t",
        quote="",
        fills=_ratings("user_id", "item_id"),
    ),
    Layout(
        "MovieLens 100K split",
        ("u?.base", "u?.test"),
        _RATING,
        header=False,
        delimiter="\t",
        quote="",
    ),
    Layout(
        "MovieLens 100K users",
        ("u.user",),
        _USER,
        header=False,
        delimiter="|",
        quote="",
        latin=True,
        fills=(Fill("users", same(*_USER)),),
    ),
    Layout(
        "MovieLens 100K films",
        ("u.item",),
        ("item_id", "title", "release_date", "video_release_date", "imdb_url", *_FLAGS),
        header=False,
        delimiter="|",
        quote="",
        latin=True,
        select={
            **same("item_id", "title"),
            "year": f"coalesce({_year_of_title('title')}, {_year_at_end('release_date')})",
            "genres": _flagged(),
        },
        fills=_items("item_id", "title", "year", "genres"),
    ),
    Layout(
        "MovieLens 1M or 10M ratings",
        ("ratings.dat",),
        _RATING,
        header=False,
        delimiter="::",
        quote="",
        fills=_ratings("user_id", "item_id"),
    ),
    Layout(
        "MovieLens 1M users",
        ("users.dat",),
        ("user_id", "gender", "age", "occupation", "zip_code"),
        header=False,
        delimiter="::",
        quote="",
        latin=True,
        fills=(Fill("users", same(*_USER)),),
    ),
    Layout(
        "MovieLens 1M or 10M films",
        ("movies.dat",),
        ("item_id", "title", "genres"),
        header=False,
        delimiter="::",
        quote="",
        latin=True,
        select={**same("item_id", "title"), "year": _year_of_title("title"), "genres": "genres"},
        lists={"genres": "|"},
        fills=_items("item_id", "title", "year", "genres"),
    ),
    Layout(
        "MovieLens ratings",
        ("ratings.csv",),
        ("userId", "movieId", "rating", "timestamp"),
        fills=_ratings("userId", "movieId"),
        implied=("users",),  # there is no file of users
    ),
    Layout(
        "MovieLens films",
        ("movies.csv",),
        ("movieId", "title", "genres"),
        lists={"genres": "|"},
        fills=_items("movieId", "title", _year_of_title("title"), "genres"),
    ),
    Layout(
        "films with their genres",
        ("items.csv",),
        _ITEM_TABLE,
        lists={"genres": "|"},
        fills=_items("item_id", "title", "year", "genres"),
    ),
    replace(
        RECBOLE,
        title="RecBole ratings",
        files=("*.inter",),
        columns=_RATING[:3],
        optional=_RATING[3:],
        fills=_ratings("user_id", "item_id"),
        implied=("users", "items"),  # both files are optional
    ),
    replace(
        RECBOLE,
        title="RecBole users",
        files=("*.user",),
        columns=_USER[:1],
        optional=_USER[1:],
        fills=(Fill("users", same(*_USER)),),
    ),
    *(
        replace(
            RECBOLE,
            title="RecBole films",
            files=("*.item",),
            columns=("item_id", "movie_title", "release_year", genres),
            fills=_items(
                "item_id", "array_to_string(movie_title, ' ')", _year_at_end("release_year"), genres
            ),
        )
        for genres in _RECBOLE_GENRES
    ),
)
