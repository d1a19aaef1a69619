"""The files that GroupLens, RecBole and the job competition publish, and the tables they fill.

Declarations only, in the SQL of the columns. Files named after the tables of a schema need none:
``ratings.csv`` with the columns of the table ``ratings`` is recognised without being listed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from shortlist.data.formats import RECBOLE, Fill, Layout
from shortlist.data.sql import literal, quoted

_USER = ("user_id", "age", "gender", "occupation", "zip_code")
_RATING = ("user_id", "item_id", "rating", "timestamp")
_FLAGS = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip


def _same(*columns: str) -> dict[str, str]:
    return {column: quoted(column) for column in columns}


# --- movies ---------------------------------------------------------------------------------------


_FOUR_DIGITS = r"(1[89]\d\d|20\d\d)"


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
    columns = {"user_id": user_id, "item_id": item_id, "rating": "rating", "rated_at": "timestamp"}
    return (Fill("ratings", columns),)


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
        fills=(Fill("users", _same(*_USER)),),
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
            **_same("item_id", "title"),
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
        fills=(Fill("users", _same(*_USER)),),
    ),
    Layout(
        "MovieLens 1M or 10M films",
        ("movies.dat",),
        ("item_id", "title", "genres"),
        header=False,
        delimiter="::",
        quote="",
        latin=True,
        select={**_same("item_id", "title"), "year": _year_of_title("title"), "genres": "genres"},
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
        columns=_RATING,
        fills=_ratings("user_id", "item_id"),
        implied=("users", "items"),  # both files are optional
    ),
    replace(
        RECBOLE,
        title="RecBole users",
        files=("*.user",),
        columns=_USER,
        fills=(Fill("users", _same(*_USER)),),
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

# --- jobs -----------------------------------------------------------------------------------------
# The competition writes 0 where it knows nothing, and whole numbers with a gap somewhere as 3.0.


def _zero_is_missing(*columns: str) -> dict[str, str]:
    return {c: f'CASE WHEN TRY_CAST("{c}" AS DOUBLE) = 0 THEN NULL ELSE "{c}" END' for c in columns}


def _code(*columns: str) -> dict[str, str]:
    return {c: f"regexp_replace(CAST(\"{c}\" AS VARCHAR), '\\.0+$', '')" for c in columns}


def _code_or_zero(*columns: str) -> dict[str, str]:
    return {c: f"nullif({sql}, '0')" for c, sql in _code(*columns).items()}


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

JOBS = (
    Layout(
        "competition résumés",
        ("resume.csv",),
        (*_RESUME, "text_keyword"),
        decisive=True,
        select=_zero_is_missing("graduate_date", "hope_salary", "last_salary")
        | _code("job_code_seq1", "job_code_seq2", "job_code_seq3"),
        lists={"text_keyword": ";"},
        fills=(
            Fill("resume", _same(*_RESUME)),
            _list_table("resume_keyword", "resume_seq", "keyword", "text_keyword"),
        ),
    ),
    Layout(
        "competition education",
        ("resume_education.csv",),
        _EDUCATION,
        decisive=True,
        select=_zero_is_missing("univ_score")
        | _code("hischool_type_seq", "hischool_location_seq", "univ_location", "univ_major_type")
        | _code_or_zero("univ_type_seq1", "univ_type_seq2"),
        fills=(Fill("resume_education", _same(*_EDUCATION)),),
    ),
    Layout(
        "competition certificates",
        ("resume_certificate.csv",),
        ("resume_seq", "certificate_contents"),
        decisive=True,
        fills=(Fill("resume_certificate", _same("resume_seq", "certificate_contents")),),
    ),
    Layout(
        "competition languages",
        ("resume_language.csv",),
        ("resume_seq", "language", "exam_name", "score"),
        decisive=True,
        select=_zero_is_missing("score") | _code("language", "exam_name"),
        fills=(Fill("resume_language", _same("resume_seq", "language", "exam_name", "score")),),
    ),
    Layout(
        "competition postings",
        ("recruitment.csv",),
        (*_POSTING, "check_box_keyword", "text_keyword"),
        decisive=True,
        select=_zero_is_missing("career_start", "career_end")
        | _code("address_seq1", "address_seq2", "address_seq3", "major_task"),
        lists={"check_box_keyword": ";", "text_keyword": ";"},
        optional=("valid_from", "valid_to"),
        fills=(
            Fill("posting", _same(*_POSTING, "valid_from", "valid_to")),
            _list_table("posting_check_box", "recruitment_seq", "code", "check_box_keyword"),
            _list_table("posting_keyword", "recruitment_seq", "keyword", "text_keyword"),
        ),
    ),
    Layout(
        "competition companies",
        ("company.csv",),
        ("recruitment_seq", "company_type_seq", "supply_kind", "employee"),
        decisive=True,
        select=_zero_is_missing("employee") | _code("company_type_seq", "supply_kind"),
        fills=(
            Fill(
                "company", _same("recruitment_seq", "company_type_seq", "supply_kind", "employee")
            ),
        ),
    ),
    Layout(
        "competition applications",
        ("apply_train.csv",),
        ("resume_seq", "recruitment_seq"),
        decisive=True,
        optional=("applied_at",),
        fills=(Fill("application", _same("resume_seq", "recruitment_seq", "applied_at")),),
    ),
)

LAYOUTS: Mapping[str, tuple[Layout, ...]] = MappingProxyType({"movies": MOVIES, "jobs": JOBS})
