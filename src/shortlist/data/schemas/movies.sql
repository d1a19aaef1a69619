-- movies: people who rate things. For DuckDB.
--
-- Load a MovieLens folder (100K, 1M, 10M or a later one), RecBole files, or files named after the
-- tables: users.csv, items.parquet, ratings.csv, ...
--
-- DuckDB has no ON DELETE CASCADE: delete children before parents, in the order
-- ratings, item_genres, items / users, genres.

CREATE TABLE users (
    user_id     BIGINT PRIMARY KEY,
    age         SMALLINT CHECK (age BETWEEN 0 AND 120),  -- years; MovieLens 1M gives the lower end of a bracket
    gender      VARCHAR,
    occupation  VARCHAR,                                 -- a word, or a code in MovieLens 1M
    zip_code    VARCHAR                                  -- text: it may start with 0 or hold letters
);

CREATE TABLE items (
    item_id     BIGINT PRIMARY KEY,
    title       VARCHAR,                                 -- as published: 'Toy Story (1995)'; not unique
    year        SMALLINT CHECK (year BETWEEN 1870 AND 2100)
);

CREATE TABLE genres (
    genre       VARCHAR PRIMARY KEY
);

-- Items and their genres, n to m.
CREATE TABLE item_genres (
    item_id     BIGINT NOT NULL REFERENCES items (item_id),
    genre       VARCHAR NOT NULL REFERENCES genres (genre),
    PRIMARY KEY (item_id, genre)
);

CREATE TABLE ratings (
    user_id     BIGINT NOT NULL REFERENCES users (user_id),
    item_id     BIGINT NOT NULL REFERENCES items (item_id),
    rating      FLOAT NOT NULL CHECK (rating BETWEEN 0.5 AND 5),  -- stars; NaN fails the check
    rated_at    TIMESTAMP,                                        -- UTC
    PRIMARY KEY (user_id, item_id)
);

-- No index on ratings (item_id): DuckDB scans a column of 20 million rows in less than 0.1 s, and
-- another index makes loading a fifth slower.

-- What the library reads. One row per user, one per item, one per interaction.

CREATE VIEW user_features AS
SELECT user_id, age, gender, occupation, zip_code
FROM users;

CREATE VIEW item_features AS
SELECT item_id, title, year, coalesce(listed.genres, []) AS genres  -- VARCHAR[]
FROM items
LEFT JOIN (
    SELECT item_id, list(genre ORDER BY genre) AS genres FROM item_genres GROUP BY item_id
) AS listed USING (item_id);

CREATE VIEW interactions AS
SELECT user_id, item_id, rating AS weight, rated_at AS time
FROM ratings;
