-- store: the tables that every store has, whatever its schema. For DuckDB.

-- Interactions that a running service recorded. Rows are only ever added; they refer to no other table.
CREATE SEQUENCE recorded_interaction_id;
CREATE TABLE recorded_interactions (
    record_id    BIGINT PRIMARY KEY DEFAULT nextval('recorded_interaction_id'),
    user_id      VARCHAR NOT NULL,                              -- as text, whatever type the schema has
    item_id      VARCHAR NOT NULL,
    weight       FLOAT NOT NULL CHECK (weight >= 0 AND weight < 'inf'::FLOAT),
    time         TIMESTAMP NOT NULL,                            -- UTC
    recorded_at  TIMESTAMP NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);

-- One row: the schema and the version of the store.
CREATE TABLE shortlist_store (
    schema      VARCHAR NOT NULL,
    version     INTEGER NOT NULL,
    created_at  TIMESTAMP NOT NULL, -- UTC
    ddl         VARCHAR             -- the statements that made the store, this table included
);
