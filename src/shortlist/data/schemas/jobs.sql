-- jobs: people with résumés who apply for postings. For DuckDB.
--
-- The columns are those of the seven files of the job competition (DACON 236170), with three
-- changes: ';' lists are separate tables, a 0 that means "not known" is NULL, and children that may
-- repeat have a surrogate key. Load those files as published (resume.csv, resume_education.csv,
-- resume_certificate.csv, resume_language.csv, recruitment.csv, company.csv, apply_train.csv), or
-- files named after the tables.
--
-- Columns that hold a code are VARCHAR: no code table is published, codes are not numbers to compute
-- with, and text keeps '07' and '7' apart.
--
-- DuckDB has no ON DELETE CASCADE: delete the rows of the children (application, company,
-- posting_check_box, posting_keyword, resume_keyword, resume_language, resume_certificate,
-- resume_education) before those of posting and resume.

-- The user: one résumé.
CREATE TABLE resume (
    resume_seq       VARCHAR PRIMARY KEY,                        -- 'U00001'
    reg_date         TIMESTAMP,                                  -- first registered, UTC
    updated_date     TIMESTAMP,
    degree           TINYINT CHECK (degree BETWEEN 1 AND 9),     -- higher is higher
    graduate_date    SMALLINT CHECK (graduate_date BETWEEN 1900 AND 2100),  -- a year; 0 was "not known"
    hope_salary      DOUBLE CHECK (hope_salary > 0 AND hope_salary <= 1000000),  -- in 10,000 won; 0 was "not given"
    last_salary      DOUBLE CHECK (last_salary > 0 AND last_salary <= 1000000),
    job_code_seq1    VARCHAR,                                    -- wanted job group
    job_code_seq2    VARCHAR,
    job_code_seq3    VARCHAR,
    career_month     SMALLINT CHECK (career_month >= 0),         -- months of work; 0 is a first job and stays 0
    career_job_code  VARCHAR                                     -- past industry: a single name, which may contain ';'
);

-- The words of resume.text_keyword, split at ';'.
CREATE TABLE resume_keyword (
    resume_seq       VARCHAR NOT NULL REFERENCES resume (resume_seq),
    keyword          VARCHAR NOT NULL,
    PRIMARY KEY (resume_seq, keyword)
);

-- One row per résumé.
CREATE TABLE resume_education (
    resume_seq             VARCHAR PRIMARY KEY REFERENCES resume (resume_seq),
    hischool_type_seq      VARCHAR,
    hischool_special_type  VARCHAR,
    hischool_nation        VARCHAR,
    hischool_gender        VARCHAR,
    hischool_location_seq  VARCHAR,
    univ_type_seq1         VARCHAR,                              -- 0 was "none"
    univ_type_seq2         VARCHAR,                              -- 0 was "none"
    univ_transfer          TINYINT CHECK (univ_transfer IN (0, 1)),
    univ_location          VARCHAR,
    univ_major             VARCHAR,                              -- free text, nearly always empty
    univ_sub_major         VARCHAR,
    univ_major_type        VARCHAR,
    univ_score             DOUBLE CHECK (univ_score BETWEEN 0 AND 100)  -- percent; 0 was "no score"
);

-- Any number of rows per résumé, so the key is a running number; equal rows are loaded once.
CREATE SEQUENCE resume_certificate_id;
CREATE TABLE resume_certificate (
    certificate_id        BIGINT PRIMARY KEY DEFAULT nextval('resume_certificate_id'),
    resume_seq            VARCHAR NOT NULL REFERENCES resume (resume_seq),
    certificate_contents  VARCHAR                                -- free text, sometimes empty
);
CREATE INDEX resume_certificate_by_resume ON resume_certificate (resume_seq);

CREATE SEQUENCE resume_language_id;
CREATE TABLE resume_language (
    language_id      BIGINT PRIMARY KEY DEFAULT nextval('resume_language_id'),
    resume_seq       VARCHAR NOT NULL REFERENCES resume (resume_seq),
    language         VARCHAR,
    exam_name        VARCHAR,
    score            DOUBLE CHECK (score > 0 AND score <= 1000)  -- on the scale of the exam; 0 was "no score"
);
CREATE INDEX resume_language_by_resume ON resume_language (resume_seq);

-- The item: one posting (recruitment.csv).
CREATE TABLE posting (
    recruitment_seq  VARCHAR PRIMARY KEY,                        -- 'R00001'
    address_seq1     VARCHAR,
    address_seq2     VARCHAR,
    address_seq3     VARCHAR,
    career_end       SMALLINT CHECK (career_end > 0),            -- 0 was "any"; the published file holds only 0
    career_start     SMALLINT CHECK (career_start > 0),
    education        TINYINT CHECK (education BETWEEN 0 AND 9),  -- the degree asked for
    major_task       VARCHAR,
    qualifications   TINYINT CHECK (qualifications BETWEEN 0 AND 9),
    valid_from       TIMESTAMP,                                  -- first shown, UTC; NULL: always was
    valid_to         TIMESTAMP,                                  -- no longer shown from then on; NULL: open
    CHECK (valid_to > valid_from)
);

-- The codes of recruitment.check_box_keyword, split at ';'.
CREATE TABLE posting_check_box (
    recruitment_seq  VARCHAR NOT NULL REFERENCES posting (recruitment_seq),
    code             VARCHAR NOT NULL,
    PRIMARY KEY (recruitment_seq, code)
);

-- The words of recruitment.text_keyword, split at ';'.
CREATE TABLE posting_keyword (
    recruitment_seq  VARCHAR NOT NULL REFERENCES posting (recruitment_seq),
    keyword          VARCHAR NOT NULL,
    PRIMARY KEY (recruitment_seq, keyword)
);

-- At most one row per posting; two postings in three have none.
CREATE TABLE company (
    recruitment_seq   VARCHAR PRIMARY KEY REFERENCES posting (recruitment_seq),
    company_type_seq  VARCHAR,
    supply_kind       VARCHAR,
    employee          INTEGER CHECK (employee > 0)               -- people; 0 was "not known"
);

-- The interaction (apply_train.csv).
CREATE TABLE application (
    resume_seq       VARCHAR NOT NULL REFERENCES resume (resume_seq),
    recruitment_seq  VARCHAR NOT NULL REFERENCES posting (recruitment_seq),
    applied_at       TIMESTAMP,                                  -- UTC; the published file has no times
    PRIMARY KEY (resume_seq, recruitment_seq)
);

-- The primary key finds the applications of a résumé; this finds those for a posting.
CREATE INDEX application_by_posting ON application (recruitment_seq);

-- Words for codes, if you have them: load code_label.csv, with rows such as address_seq1,3,Busan.
CREATE TABLE code_label (
    "column"   VARCHAR NOT NULL,                                 -- of user_features or item_features, below
    value      VARCHAR NOT NULL,                                 -- the code; '' labels the column itself
    label      VARCHAR NOT NULL,
    PRIMARY KEY ("column", value)
);

-- What the library reads. One row per user, one per item, one per interaction.

CREATE VIEW user_features AS
SELECT
    resume_seq AS user_id,
    resume.* EXCLUDE (resume_seq),
    resume_education.* EXCLUDE (resume_seq, univ_major, univ_sub_major),  -- nearly all different
    coalesce(keyword.keywords, []) AS keywords,                           -- VARCHAR[], as the next two
    coalesce(certificate.certificates, []) AS certificates,
    coalesce(language.languages, []) AS languages
FROM resume
LEFT JOIN resume_education USING (resume_seq)
LEFT JOIN (
    SELECT resume_seq, list(keyword ORDER BY keyword) AS keywords
    FROM resume_keyword GROUP BY resume_seq
) AS keyword USING (resume_seq)
LEFT JOIN (
    SELECT resume_seq, list(DISTINCT certificate_contents ORDER BY certificate_contents) AS certificates
    FROM resume_certificate WHERE certificate_contents IS NOT NULL GROUP BY resume_seq
) AS certificate USING (resume_seq)
LEFT JOIN (
    SELECT resume_seq, list(DISTINCT resume_language.language ORDER BY resume_language.language) AS languages
    FROM resume_language WHERE resume_language.language IS NOT NULL GROUP BY resume_seq
) AS language USING (resume_seq);

CREATE VIEW item_features AS
SELECT
    recruitment_seq AS item_id,
    posting.* EXCLUDE (recruitment_seq, valid_from, valid_to),
    company.* EXCLUDE (recruitment_seq),
    coalesce(check_box.codes, []) AS check_boxes,                         -- VARCHAR[], as the next
    coalesce(keyword.keywords, []) AS keywords,
    posting.valid_from,
    posting.valid_to
FROM posting
LEFT JOIN company USING (recruitment_seq)
LEFT JOIN (
    SELECT recruitment_seq, list(code ORDER BY code) AS codes
    FROM posting_check_box GROUP BY recruitment_seq
) AS check_box USING (recruitment_seq)
LEFT JOIN (
    SELECT recruitment_seq, list(keyword ORDER BY keyword) AS keywords
    FROM posting_keyword GROUP BY recruitment_seq
) AS keyword USING (recruitment_seq);

CREATE VIEW interactions AS
SELECT resume_seq AS user_id, recruitment_seq AS item_id, 1::FLOAT AS weight, applied_at AS time
FROM application;

-- What columns and codes are called in lists, on the page and in reasons.
CREATE VIEW labels AS
SELECT name AS "column", NULL::VARCHAR AS value, label
FROM (VALUES
    ('degree', 'degree'), ('graduate_date', 'graduated in'),
    ('hope_salary', 'wanted salary (10,000 won)'), ('last_salary', 'last salary (10,000 won)'),
    ('job_code_seq1', 'wanted job'), ('job_code_seq2', 'wanted job, second'), ('job_code_seq3', 'wanted job, third'),
    ('career_month', 'months of work'), ('career_job_code', 'past industry'),
    ('reg_date', 'registered'), ('updated_date', 'updated'),
    ('hischool_type_seq', 'type of high school'), ('hischool_special_type', 'special high school'),
    ('hischool_nation', 'country of high school'), ('hischool_gender', 'pupils of high school'),
    ('hischool_location_seq', 'place of high school'), ('univ_type_seq1', 'type of university'),
    ('univ_type_seq2', 'second type of university'), ('univ_transfer', 'transferred'),
    ('univ_location', 'place of university'), ('univ_major_type', 'major'), ('univ_score', 'university score (%)'),
    ('address_seq1', 'region'), ('address_seq2', 'second region'), ('address_seq3', 'third region'),
    ('career_start', 'years of work from'), ('career_end', 'years of work to'), ('education', 'education'),
    ('major_task', 'task'), ('qualifications', 'qualifications'), ('company_type_seq', 'type of company'),
    ('supply_kind', 'kind of supply'), ('employee', 'employees'), ('check_boxes', 'benefits')
) AS labelled (name, label)
UNION ALL
SELECT "column", value, label FROM code_label;
