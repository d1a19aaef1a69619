"""The published layouts of the movies and the jobs schema, and the recognition of text files.

Values are SQL expressions over the columns of each file. A file named after a table of a schema
needs no layout here: ``ratings.csv`` with the columns of the table ``ratings`` is read as that
table.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from shortlist.data.formats.layout import RECBOLE, TABLE, Fill, Layout, same
from shortlist.data.moments import LIFE_SPAN
from shortlist.data.sql import literal, quoted

# --- MovieLens and RecBole files -----------------------------------------------------------------

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


# The nineteen 0/1 columns of u.item as a list of genres.
_FLAGGED = ", ".join(f"CASE WHEN {quoted(f)} = '1' THEN {literal(f)} END" for f in _FLAGS)


def _grouplens(file: str, columns: tuple[str, ...], **settings: Any) -> Layout:
    """Return the layout of a GroupLens file, which has neither header nor quotes."""
    return Layout((file,), columns, header=False, quote="", **settings)


_ITEMS = ("item_id", "title", "year", "genres")
_RECBOLE_GENRES = ("class", "genre")  # the names of this column in ML-100K and in ML-1M

_MOVIES = (
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
            "genres": f"list_filter([{_FLAGGED}], lambda v: v IS NOT NULL)",
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

# --- the seven files of the job competition ------------------------------------------------------
# 0 stands for a missing value, and an integer in a column with missing values is written as 3.0.


def _zero_is_missing(*columns: str) -> dict[str, str]:
    return {c: f'CASE WHEN TRY_CAST("{c}" AS DOUBLE) = 0 THEN NULL ELSE "{c}" END' for c in columns}


def _code(*columns: str) -> dict[str, str]:
    return {c: f"regexp_replace(CAST(\"{c}\" AS VARCHAR), '\\.0+$', '')" for c in columns}


def _file(name: str, columns: tuple[str, ...], *fills: Fill, **settings: Any) -> Layout:
    fills = fills or (Fill(name, same(*columns)),)
    return Layout((f"{name}.csv",), columns, decisive=True, fills=fills, **settings)


def _list_table(table: str, key: str, column: str, listed: str) -> Fill:
    return Fill(table, {key: key, column: "each"}, each=listed)


_RESUME = (
    "resume_seq", "reg_date", "updated_date", "degree", "graduate_date", "hope_salary",
    "last_salary", "job_code_seq1", "job_code_seq2", "job_code_seq3", "career_month",
    "career_job_code",
)  # fmt: skip
_EDUCATION = (
    "resume_seq", "hischool_type_seq", "hischool_special_type", "hischool_nation",
    "hischool_gender", "hischool_location_seq", "univ_type_seq1", "univ_type_seq2",
    "univ_transfer", "univ_location", "univ_major", "univ_sub_major", "univ_major_type",
    "univ_score",
)  # fmt: skip
_POSTING = (
    "recruitment_seq", "address_seq1", "address_seq2", "address_seq3", "career_end",
    "career_start", "education", "major_task", "qualifications",
)  # fmt: skip

_APPLICATION = ("resume_seq", "recruitment_seq")

_JOBS = (
    _file(
        "resume",
        (*_RESUME, "text_keyword"),
        Fill("resume", same(*_RESUME)),
        _list_table("resume_keyword", "resume_seq", "keyword", "text_keyword"),
        select=_zero_is_missing("graduate_date", "hope_salary", "last_salary")
        | _code("job_code_seq1", "job_code_seq2", "job_code_seq3"),
        lists={"text_keyword": ";"},
    ),
    _file(
        "resume_education",
        _EDUCATION,
        select=_zero_is_missing("univ_score")
        | _code("hischool_type_seq", "hischool_location_seq", "univ_location", "univ_major_type")
        | {
            c: f"nullif({sql}, '0')" for c, sql in _code("univ_type_seq1", "univ_type_seq2").items()
        },
    ),
    _file("resume_certificate", ("resume_seq", "certificate_contents")),
    _file(
        "resume_language",
        ("resume_seq", "language", "exam_name", "score"),
        select=_zero_is_missing("score") | _code("language", "exam_name"),
    ),
    _file(
        "recruitment",
        (*_POSTING, "check_box_keyword", "text_keyword"),
        Fill("posting", same(*_POSTING, *LIFE_SPAN)),
        _list_table("posting_check_box", "recruitment_seq", "code", "check_box_keyword"),
        _list_table("posting_keyword", "recruitment_seq", "keyword", "text_keyword"),
        select=_zero_is_missing("career_start", "career_end")
        | _code("address_seq1", "address_seq2", "address_seq3", "major_task"),
        lists={"check_box_keyword": ";", "text_keyword": ";"},
        optional=LIFE_SPAN,
    ),
    _file(
        "company",
        ("recruitment_seq", "company_type_seq", "supply_kind", "employee"),
        select=_zero_is_missing("employee") | _code("company_type_seq", "supply_kind"),
    ),
    _file(
        "apply_train",
        _APPLICATION,
        Fill("application", same(*_APPLICATION, "applied_at")),
        optional=("applied_at",),
    ),
)

LAYOUTS = {"movies": _MOVIES, "jobs": _JOBS}
"""The published layouts by the name of their schema."""

READABLE = (
    ".csv, .tsv, .txt, .json, .jsonl (each also with .gz), .parquet, a folder or pattern of these, "
    "a GroupLens file (u.data, u.item, u.user, ratings.dat, movies.dat, users.dat) or a RecBole "
    "file (.inter, .item, .user)"
)


def table_layout(path: Path, encoding: str | None = None) -> Layout | None:
    """Return the layout of a file that is given as a table; a ``.txt`` is read like a CSV file."""
    layout = recognise(path, encoding)
    if layout is None and path.name.lower().removesuffix(".gz").endswith(".txt"):
        return TABLE
    return layout


def recognise(path: Path, encoding: str | None = None) -> Layout | None:
    """Return the layout of an existing text file, by its name and content; None if unsupported.

    CSV, TSV and RecBole files of any name can be read as plain tables. ``encoding`` is that of
    files that are not UTF-8.
    """
    for layout in chain.from_iterable(LAYOUTS.values()):
        if layout.names(path) and (not layout.header or layout.describes(path, encoding)):
            return layout
    return next((layout for layout in (RECBOLE, TABLE) if layout.names(path)), None)
