"""schema, init, load, fetch: from files to a database."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from shortlist.cli.output import Json, finish, remark, unfinished
from shortlist.cli.table_options import Decimal, Encoding, OnBadRow, TimeFormat

Database = Annotated[
    str,
    Argument(metavar="DB", help="A file made by shortlist init, or the URL of a database."),
]


def schema(
    name: Annotated[str, Argument(help="movies, jobs, runs, or a .sql file of your own.")],
) -> None:
    """Print the tables and views of a schema as SQL."""
    from shortlist.data.store.schema import schema_sql

    typer.echo(schema_sql(name))


def init(
    db: Annotated[
        str, Argument(metavar="DB", help="The file to create, or the URL of a database.")
    ],
    schema: Annotated[str, Option(help="movies, jobs, runs, or a .sql file of your own.")],
) -> None:
    """Create an empty database."""
    from shortlist.data.store.store import Store

    with Store.create(db, schema) as store:
        place = store.place
        runs = store.schema == "runs"  # nothing is loaded into such a store
        follows = f"recommend BUNDLE --out {place}" if runs else f"load {place} FILES..."
        remark(f"made {place} (schema {store.schema}); next: shortlist {follows}")


def load(
    db: Database,
    paths: Annotated[list[Path], Argument(metavar="PATH...", help="Files or folders.")],
    on_bad_row: OnBadRow = "raise",
    time_format: TimeFormat = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    json: Json = None,
) -> None:
    """Check files and load all of them, or none."""
    from shortlist.data.store.store import Store

    with unfinished("nothing was loaded"), Store(db) as store:
        report = store.load(
            list(paths),
            on_bad_row=on_bad_row,
            time_format=time_format,
            decimal=decimal,
            encoding=encoding,
        )
    content: dict[str, Any] = {"rows": dict(report.rows), "repeated": dict(report.repeated)}
    if on_bad_row == "skip":
        content["skipped"] = [asdict(skipped) for skipped in report.skipped]
    finish(content, json, str(report))


def fetch(
    name: Annotated[
        str, Argument(help="The data set: films, jobs, orders, or ml-100k, which is downloaded.")
    ] = "ml-100k",
    to: Annotated[Path | None, Option(help="A folder to copy the files into.")] = None,
) -> None:
    """Get a data set to try things with, and print its folder."""
    from shortlist.data.fetch import fetch as fetch_data

    typer.echo(fetch_data(name, to))
