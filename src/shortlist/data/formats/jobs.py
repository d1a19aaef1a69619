"""The layouts of the seven files of the job competition, and the tables of the jobs schema.

Values are SQL expressions over the columns of each file. In these files, 0 stands for a missing
value, and an integer in a column with missing values is written as 3.0.
"""

from __future__ import annotations

from typing import Any

from shortlist.data.formats.layout import Fill, Layout, same


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

JOBS = (
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
        Fill("posting", same(*_POSTING, "valid_from", "valid_to")),
        _list_table("posting_check_box", "recruitment_seq", "code", "check_box_keyword"),
        _list_table("posting_keyword", "recruitment_seq", "keyword", "text_keyword"),
        select=_zero_is_missing("career_start", "career_end")
        | _code("address_seq1", "address_seq2", "address_seq3", "major_task"),
        lists={"check_box_keyword": ";", "text_keyword": ";"},
        optional=("valid_from", "valid_to"),
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
