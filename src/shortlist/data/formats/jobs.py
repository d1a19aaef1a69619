"""The seven files of the job competition, and the tables of the jobs schema they fill.

Declarations only, in SQL over the columns of each file. The competition writes 0 where it knows
nothing, and whole numbers as 3.0 in a column that has gaps.
"""

from __future__ import annotations

from shortlist.data.formats.layout import Fill, Layout, same


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
            Fill("resume", same(*_RESUME)),
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
        fills=(Fill("resume_education", same(*_EDUCATION)),),
    ),
    Layout(
        "competition certificates",
        ("resume_certificate.csv",),
        ("resume_seq", "certificate_contents"),
        decisive=True,
        fills=(Fill("resume_certificate", same("resume_seq", "certificate_contents")),),
    ),
    Layout(
        "competition languages",
        ("resume_language.csv",),
        ("resume_seq", "language", "exam_name", "score"),
        decisive=True,
        select=_zero_is_missing("score") | _code("language", "exam_name"),
        fills=(Fill("resume_language", same("resume_seq", "language", "exam_name", "score")),),
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
            Fill("posting", same(*_POSTING, "valid_from", "valid_to")),
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
            Fill("company", same("recruitment_seq", "company_type_seq", "supply_kind", "employee")),
        ),
    ),
    Layout(
        "competition applications",
        ("apply_train.csv",),
        ("resume_seq", "recruitment_seq"),
        decisive=True,
        optional=("applied_at",),
        fills=(Fill("application", same("resume_seq", "recruitment_seq", "applied_at")),),
    ),
)
