"""schema, init, load, fetch: from files to a database."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer import Argument, Option

from shortlist.cli.output import Json, remark, write_json

Database = Annotated[
    str,
    Argument(
        metavar="DB",
        help="A file, or postgresql://USER@HOST/DATABASE: made by shortlist init, or any database "
        "if --interactions names its table.",
    ),
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
    on_bad_row: Annotated[
        Literal["raise", "skip"],
        Option(help="skip: leave bad rows out, and report how many and the first of them."),
    ] = "raise",
    time_format: Annotated[
        str | None,
        Option(
            metavar="FORMAT",
            help="How times are written: like %d/%m/%Y, or s, ms, us, ns, year, yyyymmdd.",
        ),
    ] = None,
    decimal: Annotated[
        str | None,
        Option(metavar="MARK", help="The mark before the fraction of numbers: . or ,"),
    ] = None,
    encoding: Annotated[
        str | None, Option(help="The encoding of text files. Default: UTF-8.")
    ] = None,
    json: Json = None,
) -> None:
    """Check files and load all of them, or none."""
    from shortlist.data.store.store import Store

    with Store(db) as store:
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
    write_json(content, json)
    if json is None:
        typer.echo(str(report))


def fetch(
    name: Annotated[str, Argument(help="The data set: ml-100k.")] = "ml-100k",
) -> None:
    """Download a public data set, check it, and print its folder."""
    from shortlist.data.fetch import fetch as fetch_data

    typer.echo(fetch_data(name))
