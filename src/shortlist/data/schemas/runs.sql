-- runs: lists of recommendations, with a row per run and a row per listed item. For DuckDB.
-- Every store has these tables in addition to those of its schema; a store of the schema runs has no others.
--
-- Ids are stored as text, which keeps every 64-bit integer and every string exactly. The run records
-- the type they had, for joins: ... ON recommendations.item_id::BIGINT = items.item_id.
--
-- DuckDB has no ON DELETE CASCADE: delete from recommendations and recommendation_marks before
-- recommendation_runs. In PostgreSQL and SQLite the rows of a run go with it.

CREATE TABLE recommendation_runs (
    run_id        BIGINT PRIMARY KEY,                            -- counted from 1
    created_at    TIMESTAMP NOT NULL,                            -- UTC
    model         VARCHAR NOT NULL,
    config        JSON NOT NULL,                                 -- the settings of the model
    k             INTEGER NOT NULL CHECK (k >= 1),               -- how many items were asked for
    asked_by      VARCHAR NOT NULL CHECK (asked_by IN ('user_id', 'query')),
    user_id_type  VARCHAR NOT NULL CHECK (user_id_type IN ('BIGINT', 'UBIGINT', 'VARCHAR')),
    item_id_type  VARCHAR NOT NULL CHECK (item_id_type IN ('BIGINT', 'UBIGINT', 'VARCHAR'))
);

CREATE TABLE recommendations (
    run_id        BIGINT NOT NULL REFERENCES recommendation_runs (run_id),
    user_id       VARCHAR NOT NULL,                              -- or the position of a query, from 0
    rank          INTEGER NOT NULL CHECK (rank >= 1),
    item_id       VARCHAR NOT NULL,
    score         FLOAT NOT NULL CHECK (isfinite(score)),
    source        VARCHAR NOT NULL,                              -- the model or fallback that listed the item
    UNIQUE (run_id, user_id, rank),
    UNIQUE (run_id, user_id, item_id)
);

-- How far the interactions of a run were read: the next pull fetches only newer rows.
CREATE TABLE recommendation_marks (
    run_id       BIGINT PRIMARY KEY REFERENCES recommendation_runs (run_id),
    source       VARCHAR NOT NULL,                               -- JSON: tables, columns, rule for repeated pairs
    last_seen    VARCHAR NOT NULL,                               -- the greatest value read, as the database writes it
    row_count    BIGINT NOT NULL CHECK (row_count >= 1),         -- rows read in all pulls together
    fingerprint  VARCHAR NOT NULL                                -- of the dataset made from them
);
