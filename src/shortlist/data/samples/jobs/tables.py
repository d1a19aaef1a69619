"""The columns of the seven tables.

Columns in the order of a position on a line reveal it, blurred; columns in random order reveal
nothing. Shares and quantiles are those of ``marginals``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from shortlist.data.samples.jobs import marginals as m
from shortlist.data.samples.jobs import words
from shortlist.data.samples.jobs.columns import (
    Blur,
    Floats,
    Ints,
    Rows,
    cell,
    draw_distinct,
    drift,
    ids,
    look_up,
    mostly_first,
)
from shortlist.data.samples.jobs.world import JobWorld

COMMON_CERTIFICATE_SHARE = 0.45
LANGUAGE_FIELD = "무역·외국어"


@dataclass(frozen=True)
class Blurs:
    """How much the columns reveal of the positions of their rows."""

    # The blurs of wanted jobs, other codes, places, ticked boxes, languages, certificates and
    # keywords.
    job: Blur = (0.02, 0.3)
    code: Blur = (0.02, 0.3)
    region: Blur = (0.02, 0.2)
    box: Blur = (0.005, 0.15)
    # The blurs of the level of education, and of the columns that grow with age.
    level: Blur = (0.2, 0.2)
    age: Blur = (0.08, 0.1)
    language: Blur = (0.03, 0.6)
    certificate: Blur = (0.008, 0.1)
    keyword: Blur = (0.004, 0.1)
    # How often the age passes from young to old along the work line; 0: it is random.
    periods: int = 0
    # The blurs of single columns that grow with age.
    months: Blur = (0.08, 0.1)
    earned: Blur = (0.08, 0.1)
    registered: Blur = (0.05, 0.5)
    hoped: Blur = (0.08, 0.1)


CLEAR = Blurs()


def build_tables(world: JobWorld, seed: int, blurs: Blurs = CLEAR) -> dict[str, pa.Table]:
    """Return the seven tables by file name; each has its own random generator."""
    resumes = [
        Rows(world.resume_work, world.resume_region, np.random.default_rng([seed, stream]))
        for stream in (1, 2, 3, 4)
    ]
    postings = [
        Rows(world.posting_work, world.posting_region, np.random.default_rng([seed, stream]))
        for stream in (5, 6)
    ]
    level = resumes[0].near(world.resume_work, blurs.level)
    return {
        "resume": _resume(resumes[0], level, blurs),
        "resume_education": _education(resumes[1], level, blurs),
        "resume_certificate": _certificate(resumes[2], blurs),
        "resume_language": _language(resumes[3], blurs),
        "recruitment": _recruitment(postings[0], blurs),
        "company": _company(postings[1], blurs),
        "apply_train": pa.table(
            {
                "resume_seq": ids("U", world.resume_rows),
                "recruitment_seq": ids("R", world.posting_rows),
            }
        ),
    }


def _resume(rows: Rows, level: Floats, blurs: Blurs) -> pa.Table:
    first, last = np.array(m.REGISTERED, dtype="datetime64[D]")
    days = float((last - first).astype(np.int64))
    age = oldest_first = None
    if blurs.periods:
        age = rows.near(rows.work * blurs.periods % 1, blurs.age)
        oldest_first = rows.near(1 - age, blurs.registered)
    since_first = rows.numbers(((0, 0), (0.2, 0.6 * days), (1, days)), oldest_first)
    offset = since_first.astype("timedelta64[D]")
    registered = first + offset
    first, last = np.array(m.UPDATED, dtype="datetime64[D]")
    updated = first + cell(rows.random(), int((last - first).astype(np.int64)) + 1)
    age = rows.random() if age is None else age
    months = np.rint(rows.numbers(m.CAREER_MONTHS, rows.near(age, blurs.months)))
    second = rows.mask(m.SECOND_JOB, m.RESUMES)
    third = rows.mask(m.THIRD_JOB, m.RESUMES, rows.random() + ~second)  # needs a second job
    beginner = rows.mask(m.NO_INDUSTRY, m.RESUMES, months + rows.random())
    industries = dict.fromkeys(range(len(words.INDUSTRIES)), 1)
    industry = rows.codes(industries, rows.near(rows.work, blurs.code))
    has_keywords = rows.mask(m.RESUMES - m.NO_KEYWORDS, m.RESUMES)
    jobs = [
        rows.codes(counts, rows.near(rows.work, blurs.job))
        for counts in (m.WANTED_JOB, m.OTHER_JOB, m.OTHER_JOB)
    ]
    return pa.table(
        {
            "resume_seq": ids("U", np.arange(rows.n)),
            "reg_date": registered,
            "updated_date": np.maximum(registered, updated),
            "degree": rows.codes(m.DEGREE, level),
            "graduate_date": rows.numbers(m.GRADUATED, rows.near(1 - age, blurs.age)).astype(
                np.int64
            ),
            "hope_salary": np.rint(rows.numbers(m.HOPED, rows.near(age, blurs.hoped)) / 100) * 100,
            "last_salary": np.rint(rows.numbers(m.EARNED, rows.near(age, blurs.earned)) / 50) * 50,
            "text_keyword": rows.keywords(
                has_keywords, m.KEYWORDS, len(words.ENDINGS), len(words.GENERAL), blurs.keyword
            ),
            "job_code_seq1": jobs[0],
            "job_code_seq2": pa.array(jobs[1], mask=~second),
            "job_code_seq3": pa.array(jobs[2], mask=~third),
            "career_month": months.astype(np.int64),
            "career_job_code": look_up(words.INDUSTRIES, industry, ~beginner),
        }
    )


def _education(rows: Rows, level: Floats, blurs: Blurs) -> pa.Table:
    studied = ~rows.mask(m.NO_UNIVERSITY, m.RESUMES, level + 0.1 * rows.random())
    transferred = rows.mask(m.TRANSFERRED, m.RESUMES, rows.random() + ~studied)
    score = np.rint(rows.numbers(m.UNIVERSITY_SCORE)).astype(np.int64)
    majors = [word + ending for word in words.SPECIALITIES for ending in words.MAJOR_ENDINGS]
    return pa.table(
        {
            "resume_seq": ids("U", np.arange(rows.n)),
            "hischool_type_seq": rows.codes(m.SCHOOL_TYPE),
            "hischool_special_type": look_up(words.SCHOOL_KINDS, rows.codes(m.SCHOOL_KIND)),
            "hischool_nation": rows.codes(m.SCHOOL_NATION),
            "hischool_gender": rows.codes(m.SCHOOL_GENDER),
            "hischool_location_seq": rows.codes(m.REGION, rows.near(rows.region, blurs.region)),
            "univ_type_seq1": rows.codes(m.UNIVERSITY_TYPE_1, -level) * studied,
            "univ_type_seq2": rows.codes(m.UNIVERSITY_TYPE_2) * studied,
            "univ_transfer": transferred.astype(np.int64),
            "univ_location": rows.codes(m.REGION, rows.near(rows.region, blurs.region)) * studied,
            "univ_major": rows.free_text(majors, rows.mask(m.MAJOR, m.RESUMES)),
            "univ_sub_major": rows.free_text(majors, rows.mask(m.SUB_MAJOR, m.RESUMES)),
            "univ_major_type": rows.codes(m.MAJOR_TYPE, rows.near(rows.work, blurs.code)) * studied,
            "univ_score": score * studied,
        }
    )


def _certificate(rows: Rows, blurs: Blurs) -> pa.Table:
    sizes = np.zeros(rows.n, dtype=np.int64)
    holders = np.flatnonzero(rows.mask(m.CERTIFIED, m.RESUMES))
    sizes[holders] = np.rint(rows.take(holders).numbers(m.CERTIFICATES_HELD))
    n_specific, n_common = len(words.CERTIFICATES), len(words.COMMON_CERTIFICATES)

    def draw(indices: Ints) -> Ints:
        specific = cell(drift(rows.work[indices], *blurs.certificate, rows.rng), n_specific)
        common = n_specific + mostly_first(n_common, len(indices), rows.rng)
        is_common = rows.rng.random(len(indices)) < COMMON_CERTIFICATE_SHARE
        return np.where(is_common, common, specific)

    holder, certificate = draw_distinct(sizes, draw, n_specific + n_common)
    texts = [
        spelling.format(name=name, tight=name.replace(" ", ""), low=name.lower())
        for name in (*words.CERTIFICATES, *words.COMMON_CERTIFICATES)
        for spelling in words.SPELLINGS
    ]
    n_spellings = len(words.SPELLINGS)
    text = certificate * n_spellings + mostly_first(n_spellings, len(holder), rows.rng)
    has_text = m.CERTIFICATE_ROWS - m.NO_CERTIFICATE_TEXT
    given = rows.take(holder).mask(has_text, m.CERTIFICATE_ROWS)
    return pa.table(
        {"resume_seq": ids("U", holder), "certificate_contents": look_up(texts, text, given)}
    )


def _language(rows: Rows, blurs: Blurs) -> pa.Table:
    fields = [field.name for field in words.FIELDS]
    centre = (fields.index(LANGUAGE_FIELD) + 0.5) / len(fields)
    distance = np.abs(rows.near(rows.work, blurs.language) - centre)
    speakers = np.flatnonzero(rows.mask(m.SPEAKERS, m.RESUMES, distance))
    language = rows.take(speakers).codes(m.LANGUAGE)
    more = np.flatnonzero(rows.take(speakers).mask(m.SECOND_LANGUAGE, m.SPEAKERS))
    resume = np.concatenate([speakers, speakers[more]])
    language = np.concatenate([language, language[more] % len(m.LANGUAGE) + 1])
    rows = rows.take(resume)
    exam = language * m.EXAMS - mostly_first(m.EXAMS, rows.n, rows.rng)
    score = np.round(rows.numbers(m.TEST_SCORE), 1)
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


def _recruitment(rows: Rows, blurs: Blurs) -> pa.Table:
    first_box = cell(rows.near(rows.work, blurs.box), len(m.BOXES))
    pattern = mostly_first(m.BOX_PATTERNS, rows.n, rows.rng)
    usual = rows.mask(m.USUAL_BOX_ROWS, m.POSTINGS)
    boxes = look_up(_box_lists(), (first_box * m.BOX_PATTERNS + pattern) * 2 + usual)
    addresses = [
        rows.codes(counts, rows.near(rows.region, blurs.region))
        for counts in (m.ADDRESS, m.REGION, m.REGION)
    ]
    counts = (m.POSTINGS - m.NO_ADDRESS, m.SECOND_ADDRESS, m.THIRD_ADDRESS)
    address_seq = [
        pa.array(address, mask=~rows.mask(count, m.POSTINGS))
        for address, count in zip(addresses, counts, strict=True)
    ]
    has_keywords = rows.mask(m.POSTING_KEYWORD_ROWS, m.POSTINGS)
    return pa.table(
        {
            "recruitment_seq": ids("R", np.arange(rows.n)),
            "address_seq1": address_seq[0],
            "address_seq2": address_seq[1],
            "address_seq3": address_seq[2],
            "career_end": np.zeros(rows.n, dtype=np.int64),
            "career_start": np.zeros(rows.n, dtype=np.int64),
            "check_box_keyword": boxes,
            "education": rows.codes(m.EDUCATION, rows.near(rows.work, blurs.level)),
            "major_task": rows.codes(m.MAJOR_TASK, rows.near(rows.work, blurs.code)),
            "qualifications": rows.codes(m.QUALIFICATIONS),
            "text_keyword": rows.keywords(
                has_keywords,
                m.POSTING_KEYWORDS,
                m.POSTING_ENDINGS,
                m.POSTING_GENERAL,
                blurs.keyword,
            ),
        }
    )


def _box_lists() -> list[str]:
    """Return the lists of ticked boxes: per first box and pattern, without and with the usual."""
    lists = []
    for first in range(len(m.BOXES)):
        for pattern in range(m.BOX_PATTERNS):
            # The first box, and those of the next three whose bit is set in the pattern.
            steps = [0, *(step for step in (1, 2, 3) if pattern >> (step - 1) & 1)]
            codes = sorted(m.BOXES[(first + step) % len(m.BOXES)] for step in steps)
            for usual in ([], [m.USUAL_BOX]):
                lists.append(";".join(map(str, [*usual, *codes])))
    return lists


def _company(rows: Rows, blurs: Blurs) -> pa.Table:
    indices = np.flatnonzero(rows.mask(m.COMPANIES, m.POSTINGS))
    rows = rows.take(indices)
    return pa.table(
        {
            "recruitment_seq": ids("R", indices),
            "company_type_seq": rows.codes(m.COMPANY_TYPE),
            "supply_kind": rows.codes(m.SUPPLY_KIND, rows.near(rows.work, blurs.code)),
            "employee": np.rint(rows.numbers(m.EMPLOYEES)).astype(np.int64),
        }
    )
