-- A store of version 1, as the first release made it: the tables of the schema movies (which have not
-- changed since) are added by the test. These are the tables that every store had then.

CREATE SEQUENCE recommendation_run_id;

CREATE TABLE recommendation_runs (
    run_id        BIGINT PRIMARY KEY DEFAULT nextval('recommendation_run_id'),
    created_at    TIMESTAMP NOT NULL,
    model         VARCHAR NOT NULL,
    config        JSON NOT NULL,
    k             INTEGER NOT NULL CHECK (k >= 1),
    asked_by      VARCHAR NOT NULL CHECK (asked_by IN ('user_id', 'query')),
    user_id_type  VARCHAR NOT NULL CHECK (user_id_type IN ('BIGINT', 'UBIGINT', 'VARCHAR')),
    item_id_type  VARCHAR NOT NULL CHECK (item_id_type IN ('BIGINT', 'UBIGINT', 'VARCHAR'))
);

CREATE TABLE recommendations (
    run_id        BIGINT NOT NULL REFERENCES recommendation_runs (run_id),
    user_id       VARCHAR NOT NULL,
    rank          INTEGER NOT NULL CHECK (rank >= 1),
    item_id       VARCHAR NOT NULL,
    score         FLOAT NOT NULL,
    source        VARCHAR NOT NULL,
    UNIQUE (run_id, user_id, rank),
    UNIQUE (run_id, user_id, item_id)
);

CREATE TABLE shortlist_store (
    schema      VARCHAR NOT NULL,
    version     INTEGER NOT NULL,
    created_at  TIMESTAMP NOT NULL
);

INSERT INTO shortlist_store VALUES ('movies', 1, TIMESTAMP '2024-05-01 09:00:00');
INSERT INTO users (user_id) VALUES (1), (2);
INSERT INTO items (item_id) VALUES (10), (11);
INSERT INTO ratings VALUES (1, 10, 4, TIMESTAMP '2024-01-01'), (2, 11, 3, TIMESTAMP '2024-01-02');
INSERT INTO recommendation_runs (created_at, model, config, k, asked_by, user_id_type, item_id_type)
VALUES (TIMESTAMP '2024-05-01 09:01:00', 'IALS', '{"seed": 0}', 1, 'user_id', 'BIGINT', 'BIGINT');
INSERT INTO recommendations VALUES (1, '1', 1, '11', 0.5, 'IALS');
