"""The seven tables of the synthetic job data: what a résumé and a posting say about themselves.

Every column is a deck of values with its published share of each (REFERENCES, section 11; counts are
those of the real 8,482 résumés and 6,695 postings), dealt to the rows. Dealt along a line of the
planted world it tells, blurred, where the row lies; dealt at random it tells nothing. So the shares
hold at every size and for every seed, whatever the structure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.samples.job_words import (
    CERTIFICATES,
    COMMON_CERTIFICATES,
    ENDINGS,
    FIELDS,
    GENERAL,
    INDUSTRIES,
    SCHOOL_KINDS,
    SPECIALITIES,
    SPELLINGS,
)
from shortlist.data.samples.job_world import (
    Bools,
    Floats,
    Ints,
    JobWorld,
    Quantiles,
    cell,
    code_deck,
    deal,
    drift,
    quantile_deck,
)

RESUMES, POSTINGS = 8482, 6695  # the published size, to which all counts here refer

# --- published: value -> rows, or (share of rows, value) ------------------------------------------
DEGREE = {2: 211, 3: 463, 4: 7453, 5: 349, 6: 6}
WANTED_JOB = {1: 190, 2: 7288, 3: 290, 4: 180, 5: 150, 6: 130, 7: 110, 8: 84, 9: 60}
NO_SECOND_JOB, NO_THIRD_JOB = 7982, 8295
NO_KEYWORDS, NO_INDUSTRY, NO_UNIVERSITY, TRANSFERRED = 195, 758, 923, 38
GRADUATED: Quantiles = ((0, 0), (0.0933, 0), (0.0934, 1975), (0.3, 2005), (0.7, 2015), (1, 2022))
HOPED: Quantiles = ((0, 0), (0.585, 0), (0.5851, 1000), (0.75, 2600), (0.99, 5500), (1, 10000))
EARNED: Quantiles = ((0, 0), (0.284, 0), (0.2841, 900), (0.75, 2800), (0.99, 6500), (1, 10000))
CAREER: Quantiles = ((0, 0), (0.129, 0), (0.1292, 1), (0.6, 50), (0.9, 160), (1, 432))
KEYWORDS: Quantiles = ((0, 1), (0.25, 2), (0.5, 3), (0.8, 5), (0.97, 7), (1, 10))
CERTIFIED, CERTIFICATE_ROWS, NO_CERTIFICATE_TEXT = 5976, 12975, 4
HELD: Quantiles = ((0, 1), (0.5, 1.6), (0.75, 3), (0.95, 5), (1, 10))
LINGUISTS, LANGUAGE_ROWS = 820, 869
TEST_SCORE: Quantiles = ((0, 0), (0.4, 0), (0.41, 3), (0.55, 180), (0.8, 700), (1, 989.9))
ADDRESS = {1: 60, 2: 45, 3: 6490, 4: 40, 5: 25, 6: 20, 7: 15}
NO_ADDRESS, NO_SECOND_ADDRESS, NO_THIRD_ADDRESS = 1, 6561, 6688
MAJOR_TASK = {1: 90, 2: 70, 3: 6341, 4: 60, 5: 54, 6: 45, 7: 35}
USUAL_BOX, USUAL_BOX_ROWS = 2101, 6195
NO_POSTING_KEYWORDS = 5988
COMPANIES = 2377
EMPLOYEES: Quantiles = ((0, 0), (0.05, 3), (0.5, 35), (0.9, 400), (0.99, 3000), (1, 12223))

# --- not published: plausible shares of codes whose number is published ----------------------------
SCHOOL_TYPE = {code: 1 / (code + 1) for code in range(12)}
SCHOOL_NATION = {1: 97, 2: 2, 3: 1}
SCHOOL_GENDER = {0: 10, 1: 20, 2: 20, 3: 50}
REGION = {code: 30 if code == 1 else 25 if code == 9 else 4 for code in range(1, 18)}
UNIVERSITY_KIND = {code: 1 / code for code in range(1, 6)}
UNIVERSITY_DEGREE = {code: 1 / code for code in range(1, 10)}
MAJOR_TYPE = {code: 1.0 for code in range(1, 23)}
UNIVERSITY_SCORE: Quantiles = ((0, 0), (0.2, 60), (0.6, 82), (0.95, 95), (1, 100))
SECOND_JOB = {code: 1 / code for code in range(1, 12)}
EDUCATION = {1: 30, 2: 25, 3: 20, 4: 25}
QUALIFICATIONS = {0: 75, 1: 18, 2: 7}
COMPANY_TYPE = {code: 1 / code for code in range(1, 7)}
SUPPLY_KIND = {code: 1.0 for code in range(1, 18)}
EXAMS_PER_LANGUAGE = 3
LANGUAGE = {1: 60, 2: 20, 3: 12, 4: 5, 5: 3}

# --- how clearly a row shows where it lies: spread on the line, share that tells nothing ------------
WORD_BLUR, WORD_GENERAL, WORD_ELSEWHERE = 0.01, 0.25, 0.15
CERTIFICATE_BLUR, CERTIFICATE_COMMON = 0.015, 0.45
CODE_BLUR, CODE_LOST = 0.03, 0.35
BOX_BLUR, BOX_LOST = 0.015, 0.25
BOXES = 60  # check-box codes beside the usual one; a posting ticks up to four neighbours of them
BOX_PATTERNS = 8  # which of the next three are ticked


@dataclass(frozen=True)
class _Rows:
    """Rows of one kind (résumés, postings) and the means to deal a column to them."""

    n: int
    work: Floats
    place: Floats
    rng: np.random.Generator

    def random(self) -> Floats:
        return self.rng.random(self.n)

    def near(self, spots: Floats, blur: float = CODE_BLUR, lost: float = CODE_LOST) -> Floats:
        return drift(spots, blur, lost, self.rng)

    def codes(self, counts: dict[int, float], key: Floats | None = None) -> Ints:
        return deal(code_deck(counts, self.n), self.random() if key is None else key)

    def numbers(self, points: Quantiles, key: Floats | None = None) -> Floats:
        return deal(quantile_deck(points, self.n), self.random() if key is None else key)

    def marked(self, count: float, of: int, key: Floats | None = None) -> Bools:
        return self.codes({1: count, 0: of - count}, key) == 1


def seq(letter: str, rows: Ints) -> pa.Array:
    """Ids as published: a letter and the row from 1, five digits or more.

    Examples
    --------
    >>> seq("U", np.array([0, 8481])).to_pylist()
    ['U00001', 'U08482']
    """
    digits = pc.utf8_lpad(pa.array(rows + 1).cast(pa.string()), 5, "0")
    return pc.binary_join_element_wise(letter, digits, "")


def build_tables(world: JobWorld, seed: int) -> dict[str, pa.Table]:
    """Return the seven tables, by the names of their files."""

    def rows(stream: int, work: Floats, place: Floats) -> _Rows:
        return _Rows(len(work), work, place, np.random.default_rng([seed, stream]))

    resumes = [rows(stream, world.resume_work, world.resume_place) for stream in (1, 2, 3, 4)]
    postings = [rows(stream, world.posting_work, world.posting_place) for stream in (5, 6)]
    level = resumes[0].near(resumes[0].work, 0.2, 0.2)
    return {
        "resume": _resume(resumes[0], level),
        "resume_education": _education(resumes[1], level),
        "resume_certificate": _certificate(resumes[2]),
        "resume_language": _language(resumes[3]),
        "recruitment": _recruitment(postings[0]),
        "company": _company(postings[1]),
        "apply_train": pa.table(
            {
                "resume_seq": seq("U", world.resume_rows),
                "recruitment_seq": seq("R", world.posting_rows),
            }
        ),
    }


def _resume(at: _Rows, level: Floats) -> pa.Table:
    age = at.random()
    first, last = np.datetime64("2000-10-15"), np.datetime64("2020-12-31")
    days = int((last - first).astype(int))
    registered = first + at.numbers(((0, 0), (0.2, days * 0.6), (1, days))).astype("timedelta64[D]")
    updated = np.datetime64("2020-01-01") + at.rng.integers(0, 366, at.n).astype("timedelta64[D]")
    earned = at.numbers(EARNED, at.near(age, 0.15, 0.1))
    months = np.rint(at.numbers(CAREER, at.near(age, 0.1, 0.05)))
    second = at.marked(RESUMES - NO_SECOND_JOB, RESUMES)
    third_key = np.where(second, at.random(), 1 + at.random())
    third = at.marked(RESUMES - NO_THIRD_JOB, RESUMES, third_key)
    no_industry = at.marked(NO_INDUSTRY, RESUMES, months + at.random())
    industries = {code: 1.0 for code in range(len(INDUSTRIES))}
    return pa.table(
        {
            "resume_seq": seq("U", np.arange(at.n)),
            "reg_date": registered,
            "updated_date": np.maximum(registered, updated),
            "degree": at.codes(DEGREE, level),
            "graduate_date": at.numbers(GRADUATED, at.near(1 - age, 0.1, 0.05)).astype(np.int64),
            "hope_salary": np.rint(at.numbers(HOPED, at.near(age, 0.3, 0.2)) / 100) * 100,
            "last_salary": np.rint(earned / 50) * 50,
            "text_keyword": _keywords(at, KEYWORDS, at.marked(NO_KEYWORDS, RESUMES), len(ENDINGS)),
            "job_code_seq1": at.codes(WANTED_JOB, at.near(at.work)),
            "job_code_seq2": pa.array(at.codes(SECOND_JOB, at.near(at.work)), mask=~second),
            "job_code_seq3": pa.array(at.codes(SECOND_JOB, at.near(at.work)), mask=~third),
            "career_month": months.astype(np.int64),
            "career_job_code": pa.array(INDUSTRIES).take(
                pa.array(at.codes(industries, at.near(at.work)), mask=no_industry)
            ),
        }
    )
