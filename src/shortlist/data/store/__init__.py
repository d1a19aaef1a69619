"""A database with one of the schemas: DuckDB, SQLite or PostgreSQL."""
