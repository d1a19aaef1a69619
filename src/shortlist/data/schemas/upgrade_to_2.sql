-- Version 1 to version 2: recorded interactions, marks of incremental pulls, and the DDL of the store.

ALTER TABLE shortlist_store ADD COLUMN IF NOT EXISTS ddl VARCHAR;

CREATE SEQUENCE IF NOT EXISTS recorded_interaction_id;
CREATE TABLE IF NOT EXISTS recorded_interactions (
    record_id    BIGINT PRIMARY KEY DEFAULT nextval('recorded_interaction_id'),
    user_id      VARCHAR NOT NULL,
    item_id      VARCHAR NOT NULL,
    weight       FLOAT NOT NULL CHECK (weight >= 0 AND weight < 'inf'::FLOAT),
    time         TIMESTAMP NOT NULL,
    recorded_at  TIMESTAMP NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);

CREATE TABLE IF NOT EXISTS recommendation_marks (
    run_id       BIGINT PRIMARY KEY REFERENCES recommendation_runs (run_id),
    source       VARCHAR NOT NULL,
    last_seen    VARCHAR NOT NULL,
    row_count    BIGINT NOT NULL CHECK (row_count >= 1),
    fingerprint  VARCHAR NOT NULL
);
