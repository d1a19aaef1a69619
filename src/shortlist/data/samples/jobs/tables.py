"""The seven tables: what a résumé and a posting say about themselves.

Columns dealt along a line of the planted world tell, blurred, where the row lies; columns dealt
anyhow tell nothing. Shares are those of ``marginals``.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from shortlist.data.samples.jobs import marginals as m
from shortlist.data.samples.jobs import words
from shortlist.data.samples.jobs.decks import Floats, Ints, cell, draw_distinct, drift, mostly_first
from shortlist.data.samples.jobs.rows import Rows, ids, named
from shortlist.data.samples.jobs.world import JobWorld

# How clearly a column shows where its row lies: (standard deviation on the line, share lost).
CODES, REGIONS = (0.02, 0.3), (0.02, 0.2)
CERTIFICATES, COMMON_CERTIFICATES = (0.008, 0.1), 0.45
BOXES = (0.005, 0.15)
LEVEL, AGE = (0.2, 0.2), (0.08, 0.1)

LANGUAGE_FIELD = "무역·외국어"


def build_tables(world: JobWorld, seed: int) -> dict[str, pa.Table]:
    """Return the seven tables by the names of their files; each draws from its own stream."""
    resumes = [
        Rows(world.resume_work, world.resume_place, np.random.default_rng([seed, stream]))
        for stream in (1, 2, 3, 4)
    ]
    postings = [
        Rows(world.posting_work, world.posting_place, np.random.default_rng([seed, stream]))
        for stream in (5, 6)
    ]
    level = resumes[0].near(world.resume_work, LEVEL)
    return {
        "resume": _resume(resumes[0], level),
        "resume_education": _education(resumes[1], level),
        "resume_certificate": _certificate(resumes[2]),
        "resume_language": _language(resumes[3]),
        "recruitment": _recruitment(postings[0]),
        "company": _company(postings[1]),
        "apply_train": pa.table(
            {
                "resume_seq": ids("U", world.resume_rows),
                "recruitment_seq": ids("R", world.posting_rows),
            }
        ),
    }


def _resume(at: Rows, level: Floats) -> pa.Table:
    first, last = np.array(m.REGISTERED, dtype="datetime64[D]")
    days = float((last - first).astype(np.int64))
    registered = first + at.numbers(((0, 0), (0.2, 0.6 * days), (1, days))).astype("timedelta64[D]")
    first, last = np.array(m.UPDATED, dtype="datetime64[D]")
    updated = first + cell(at.anyhow(), int((last - first).astype(np.int64)) + 1)
    age = at.anyhow()
    months = np.rint(at.numbers(m.CAREER_MONTHS, at.near(age, AGE)))
    second = at.marked(m.SECOND_JOB, m.RESUMES)
    third = at.marked(m.THIRD_JOB, m.RESUMES, at.anyhow() + ~second)  # only who has a second
    beginner = at.marked(m.NO_INDUSTRY, m.RESUMES, months + at.anyhow())
    industry = at.codes(dict.fromkeys(range(len(words.INDUSTRIES)), 1), at.near(at.work, CODES))
    keywords = at.marked(m.RESUMES - m.NO_KEYWORDS, m.RESUMES)
    wanted = [
        at.codes(counts, at.near(at.work, CODES))
        for counts in (m.WANTED_JOB, m.OTHER_JOB, m.OTHER_JOB)
    ]
    return pa.table(
        {
            "resume_seq": ids("U", np.arange(at.n)),
            "reg_date": registered,
            "updated_date": np.maximum(registered, updated),
            "degree": at.codes(m.DEGREE, level),
            "graduate_date": at.numbers(m.GRADUATED, at.near(1 - age, AGE)).astype(np.int64),
            "hope_salary": np.rint(at.numbers(m.HOPED, at.near(age, AGE)) / 100) * 100,
            "last_salary": np.rint(at.numbers(m.EARNED, at.near(age, AGE)) / 50) * 50,
            "text_keyword": at.keywords(
                keywords, m.KEYWORDS, len(words.ENDINGS), len(words.GENERAL)
            ),
            "job_code_seq1": wanted[0],
            "job_code_seq2": pa.array(wanted[1], mask=~second),
            "job_code_seq3": pa.array(wanted[2], mask=~third),
            "career_month": months.astype(np.int64),
            "career_job_code": named(words.INDUSTRIES, industry, ~beginner),
        }
    )


def _education(at: Rows, level: Floats) -> pa.Table:
    studied = ~at.marked(m.NO_UNIVERSITY, m.RESUMES, level + 0.1 * at.anyhow())
    transferred = at.marked(m.TRANSFERRED, m.RESUMES, at.anyhow() + ~studied)
    score = np.rint(at.numbers(m.UNIVERSITY_SCORE)).astype(np.int64)
    majors = [word + ending for word in words.SPECIALITIES for ending in words.MAJOR_ENDINGS]
    return pa.table(
        {
            "resume_seq": ids("U", np.arange(at.n)),
            "hischool_type_seq": at.codes(m.SCHOOL_TYPE),
            "hischool_special_type": named(words.SCHOOL_KINDS, at.codes(m.SCHOOL_KIND)),
            "hischool_nation": at.codes(m.SCHOOL_NATION),
            "hischool_gender": at.codes(m.SCHOOL_GENDER),
            "hischool_location_seq": at.codes(m.REGION, at.near(at.place, REGIONS)),
            "univ_type_seq1": at.codes(m.UNIVERSITY_TYPE_1, -level) * studied,
            "univ_type_seq2": at.codes(m.UNIVERSITY_TYPE_2) * studied,
            "univ_transfer": transferred.astype(np.int64),
            "univ_location": at.codes(m.REGION, at.near(at.place, REGIONS)) * studied,
            "univ_major": at.free_text(majors, at.marked(m.MAJOR, m.RESUMES)),
            "univ_sub_major": at.free_text(majors, at.marked(m.SUB_MAJOR, m.RESUMES)),
            "univ_major_type": at.codes(m.MAJOR_TYPE, at.near(at.work, CODES)) * studied,
            "univ_score": score * studied,
        }
    )


def _certificate(at: Rows) -> pa.Table:
    sizes = np.zeros(at.n, dtype=np.int64)
    holders = np.flatnonzero(at.marked(m.CERTIFIED, m.RESUMES))
    sizes[holders] = np.rint(at.only(holders).numbers(m.CERTIFICATES_HELD))
    own, common = len(words.CERTIFICATES), len(words.COMMON_CERTIFICATES)

    def draw(rows: Ints) -> Ints:
        name = cell(drift(at.work[rows], *CERTIFICATES, at.rng), own)
        other = own + mostly_first(common, len(rows), at.rng)
        return np.where(at.rng.random(len(rows)) < COMMON_CERTIFICATES, other, name)

    rows, names = draw_distinct(sizes, draw, own + common)
    written = [
        spelling.format(name=name, tight=name.replace(" ", ""), low=name.lower())
        for name in (*words.CERTIFICATES, *words.COMMON_CERTIFICATES)
        for spelling in words.SPELLINGS
    ]
    spelt = mostly_first(len(words.SPELLINGS), len(rows), at.rng)
    given = at.only(rows).marked(m.CERTIFICATE_ROWS - m.NO_CERTIFICATE_TEXT, m.CERTIFICATE_ROWS)
    return pa.table(
        {
            "resume_seq": ids("U", rows),
            "certificate_contents": named(written, names * len(words.SPELLINGS) + spelt, given),
        }
    )


def _language(at: Rows) -> pa.Table:
    fields = [field.name for field in words.FIELDS]
    centre = (fields.index(LANGUAGE_FIELD) + 0.5) / len(fields)
    away = np.abs(at.near(at.work, (0.03, 0.6)) - centre)
    people = np.flatnonzero(at.marked(m.LINGUISTS, m.RESUMES, away))
    language = at.only(people).codes(m.LANGUAGE)
    more = np.flatnonzero(at.only(people).marked(m.SECOND_LANGUAGE, m.LINGUISTS))
    resume = np.concatenate([people, people[more]])
    language = np.concatenate([language, language[more] % len(m.LANGUAGE) + 1])
    at = at.only(resume)
    exam = language * m.EXAMS - mostly_first(m.EXAMS, at.n, at.rng)
    score = np.round(at.numbers(m.TEST_SCORE), 1)
    # The published file holds one row twice.
    order = np.argsort(np.append(resume, resume[-1]), kind="stable") % len(resume)
    return pa.table(
        {
            "resume_seq": ids("U", resume[order]),
            "language": language[order],
            "exam_name": exam[order],
            "score": score[order],
        }
    )


def _recruitment(at: Rows) -> pa.Table:
    first = cell(at.near(at.work, BOXES), len(m.BOXES))
    pattern = mostly_first(m.BOX_PATTERNS, at.n, at.rng)
    usual = at.marked(m.USUAL_BOX_ROWS, m.POSTINGS)
    address = at.codes(m.ADDRESS, at.near(at.place, REGIONS))
    more_address = [at.codes(m.REGION, at.near(at.place, REGIONS)) for _ in range(2)]
    counts = (m.POSTINGS - m.NO_ADDRESS, m.SECOND_ADDRESS, m.THIRD_ADDRESS)
    given = [at.marked(count, m.POSTINGS) for count in counts]
    keywords = at.marked(m.POSTING_KEYWORD_ROWS, m.POSTINGS)
    return pa.table(
        {
            "recruitment_seq": ids("R", np.arange(at.n)),
            "address_seq1": pa.array(address, mask=~given[0]),
            "address_seq2": pa.array(more_address[0], mask=~given[1]),
            "address_seq3": pa.array(more_address[1], mask=~given[2]),
            "career_end": np.zeros(at.n, dtype=np.int64),
            "career_start": np.zeros(at.n, dtype=np.int64),
            "check_box_keyword": named(
                _box_lists(), (first * m.BOX_PATTERNS + pattern) * 2 + usual
            ),
            "education": at.codes(m.EDUCATION, at.near(at.work, LEVEL)),
            "major_task": at.codes(m.MAJOR_TASK, at.near(at.work, CODES)),
            "qualifications": at.codes(m.QUALIFICATIONS),
            "text_keyword": at.keywords(
                keywords, m.POSTING_KEYWORDS, m.POSTING_ENDINGS, m.POSTING_GENERAL
            ),
        }
    )


def _box_lists() -> list[str]:
    """List all ticks there are: of each code, each pattern, without and with the usual code."""
    lists = []
    for first in range(len(m.BOXES)):
        for pattern in range(m.BOX_PATTERNS):
            # The code itself, and of the three after it those whose bit is set.
            steps = [0, *(step for step in (1, 2, 3) if pattern >> (step - 1) & 1)]
            codes = sorted(m.BOXES[(first + step) % len(m.BOXES)] for step in steps)
            for usual in ([], [m.USUAL_BOX]):
                lists.append(";".join(map(str, [*usual, *codes])))
    return lists


def _company(at: Rows) -> pa.Table:
    rows = np.flatnonzero(at.marked(m.COMPANIES, m.POSTINGS))
    at = at.only(rows)
    return pa.table(
        {
            "recruitment_seq": ids("R", rows),
            "company_type_seq": at.codes(m.COMPANY_TYPE),
            "supply_kind": at.codes(m.SUPPLY_KIND, at.near(at.work, CODES)),
            "employee": np.rint(at.numbers(m.EMPLOYEES)).astype(np.int64),
        }
    )
