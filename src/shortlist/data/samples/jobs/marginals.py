"""The published marginal distributions of the job competition (DACON 236170).

A dict holds the number of rows of each code; a tuple of pairs holds quantiles as (share of the
rows, value), where a repeated share is a step; a number is a count of rows. Counts refer to the
published 8,482 résumés and 6,695 postings, and are scaled to other sizes. Where only the largest
share, the extremes or the number of codes was published, the rest is a plausible choice.
"""

from __future__ import annotations

from shortlist.data.samples.jobs.columns import Quantiles

RESUMES, POSTINGS = 8482, 6695

# --- apply_train ----------------------------------------------------------------------------------
# Per résumé: min 2, median 4, mean 6.83, 90% 15, 95% 20, 99% 41, max 77; 1,755 have 2 and 2,125
# have 3. The two points between median and 90% were chosen to make the total the published 57,946.
PER_RESUME: Quantiles = (
    (0, 2), (0.2069, 2), (0.2069, 3), (0.4574, 3), (0.4574, 4), (0.6, 4.8), (0.75, 5.7905),
    (0.9, 15), (0.95, 20), (0.99, 41), (1, 77),
)  # fmt: skip
# Per posting: min 1, median 7, mean 8.66, 99% 30, max 78; the top tenth has 24%.
PER_POSTING: Quantiles = (
    (0, 1), (0.05, 2), (0.25, 5.2), (0.5, 7), (0.75, 11.5), (0.9, 14.5), (0.95, 17.5), (0.975, 22),
    (0.99, 30), (0.999, 42), (1, 78),
)  # fmt: skip

# --- resume ---------------------------------------------------------------------------------------
REGISTERED = ("2000-10-15", "2020-12-31")
UPDATED = ("2020-01-01", "2020-12-31")
DEGREE = {2: 211, 3: 463, 4: 7453, 5: 349, 6: 6}
GRADUATED: Quantiles = ((0, 0), (0.0933, 0), (0.0933, 1975), (0.3, 2005), (0.7, 2015), (1, 2022))
HOPED: Quantiles = ((0, 0), (0.5851, 0), (0.5851, 1000), (0.75, 2600), (0.99, 5500), (1, 10000))
EARNED: Quantiles = ((0, 0), (0.284, 0), (0.284, 900), (0.75, 2800), (0.99, 6500), (1, 10000))
NO_KEYWORDS = 195
KEYWORDS: Quantiles = ((0, 1), (0.2, 2), (0.5, 3), (0.8, 4.53), (0.97, 7), (1, 10))  # mean 3.4
WANTED_JOB = {1: 190, 2: 7288, 3: 290, 4: 180, 5: 150, 6: 130, 7: 110, 8: 84, 9: 60}
OTHER_JOB = {code: 1 / code for code in range(1, 12)}
SECOND_JOB, THIRD_JOB = 500, 187
CAREER_MONTHS: Quantiles = ((0, 0), (0.129, 0), (0.129, 1), (0.6, 50), (0.9, 160), (1, 432))
NO_INDUSTRY = 758

# --- resume_education -----------------------------------------------------------------------------
# For most columns only the number of codes was published.
SCHOOL_TYPE = {code: 1 / (code + 1) for code in range(12)}
SCHOOL_KIND = {code: 1 / (code + 1) for code in range(5)}
SCHOOL_NATION = {1: 97, 2: 2, 3: 1}
SCHOOL_GENDER = {0: 10, 1: 20, 2: 20, 3: 50}
REGION = {code: 1 / code for code in range(1, 18)}
NO_UNIVERSITY = 923  # 0 in the five columns below
UNIVERSITY_TYPE_1 = {code: 1 / code for code in range(1, 6)}
UNIVERSITY_TYPE_2 = {code: 1 / code for code in range(1, 10)}
MAJOR_TYPE = dict.fromkeys(range(1, 23), 1.0)
UNIVERSITY_SCORE: Quantiles = ((0, 0), (0.15, 0), (0.15, 60), (0.6, 82), (0.95, 95), (1, 100))
TRANSFERRED = 38
MAJOR, SUB_MAJOR = 60, 15  # rows with a value; "nearly all null"

# --- resume_certificate, resume_language ----------------------------------------------------------
CERTIFIED = 5976
CERTIFICATE_ROWS, NO_CERTIFICATE_TEXT = 12975, 4
CERTIFICATES_HELD: Quantiles = ((0, 1), (0.4, 1.4), (0.75, 2.305), (0.95, 5), (1, 10))
SPEAKERS, SECOND_LANGUAGE = 820, 48
LANGUAGE = {1: 60, 2: 20, 3: 12, 4: 5, 5: 3}
EXAMS = 3  # of each language
TEST_SCORE: Quantiles = ((0, 0), (0.4, 0), (0.4, 3), (0.55, 180), (0.8, 700), (1, 989.9))

# --- recruitment ----------------------------------------------------------------------------------
ADDRESS = {1: 60, 2: 45, 3: 6490, 4: 40, 5: 25, 6: 20, 7: 15}
NO_ADDRESS = 1
SECOND_ADDRESS, THIRD_ADDRESS = 133, 7  # null in 98% and 99.9%
USUAL_BOX, USUAL_BOX_ROWS = 2101, 6195
BOXES = tuple(code + 1 for first in range(2200, 2800, 100) for code in range(first, first + 10))
# Ways to tick the next three boxes; with 60 codes, and with or without the usual one, about 760
# lists.
BOX_PATTERNS = 8
EDUCATION = {1: 30, 2: 25, 3: 20, 4: 25}
MAJOR_TASK = {1: 90, 2: 70, 3: 6341, 4: 60, 5: 54, 6: 45, 7: 35}
QUALIFICATIONS = {0: 75, 1: 18, 2: 7}
POSTING_KEYWORD_ROWS = 707
POSTING_ENDINGS, POSTING_GENERAL = 2, 53  # in use, which makes 533 words
POSTING_KEYWORDS: Quantiles = ((0, 1), (0.3, 2), (0.6, 4), (1, 8))

# --- company --------------------------------------------------------------------------------------
COMPANIES = 2377
COMPANY_TYPE = {code: 1 / code for code in range(1, 7)}
SUPPLY_KIND = dict.fromkeys(range(1, 18), 1.0)
EMPLOYEES: Quantiles = ((0, 0), (0.05, 3), (0.5, 35), (0.9, 400), (0.99, 3000), (1, 12223))
