"""schema, init, load, fetch: from files to a database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shortlist.cli.output import Json, remark, write_json

Database = Annotated[
    str,
    typer.Argument(
        metavar="DB",
        help="A file, or postgresql://USER@HOST/DATABASE; made by shortlist init, or any other "
        "whose tables are named.",
    ),
]


def schema(
    name: Annotated[str, typer.Argument(help="movies, jobs or runs, or a .sql file of your own.")],
) -> None:
    """Print the tables and views of a schema as SQL."""
    from shortlist.data.store.schema import schema_sql

    typer.echo(schema_sql(name))


def init(
    db: Annotated[
        str, typer.Argument(metavar="DB", help="The file to make, or the URL of a database.")
    ],
    schema: Annotated[str, typer.Option(help="movies or jobs, or a .sql file of your own.")],
) -> None:
    """Make an empty database."""
    from shortlist.data.store.store import Store

    with Store.create(db, schema) as store:
        place = store.place
        runs = store.schema == "runs"  # nothing is loaded into such a store
        follows = f"recommend BUNDLE --out {place}" if runs else f"load {place} FILES..."
        remark(f"made {place} (schema {store.schema}); next: shortlist {follows}")


def load(
    db: Database,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files, or folders of them.")
    ],
    json: Json = None,
) -> None:
    """Check files and load them, all of them or none."""
    from shortlist.data.store.store import Store

    with Store(db) as store:
        report = store.load(list(paths))
    if json is not None:
        write_json({"rows": dict(report.rows), "repeated": dict(report.repeated)}, json)
    else:
        typer.echo(str(report))


def fetch(
    name: Annotated[str, typer.Argument(help="ml-100k.")] = "ml-100k",
) -> None:
    """Download a public data set, check it, and print where it lies."""
    from shortlist.data.fetch import fetch as fetch_data

    typer.echo(fetch_data(name))
