"""look: what a table holds, before anything is fitted."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer
from typer import Argument

from shortlist.cli import remedies
from shortlist.cli.output import say
from shortlist.cli.table_options import TABLE_OPTIONS, as_options, with_table_options
from shortlist.errors import ConfigError


@with_table_options
def look(
    table: Annotated[
        str,
        Argument(
            metavar="TABLE", help="A table file (CSV, JSON lines, Parquet), a folder, or a pattern."
        ),
    ],
    *,
    tables: dict[str, Any],
) -> None:
    """Show what a table holds, guess who chose what in it, and print the next command."""
    from shortlist.data.columns.look import look as look_at

    if "interactions" in tables:
        raise ConfigError("look reads a file", remedy="leave --interactions out")
    named = {name: tables[name] for name in ("users", "items", "labels") if name in tables}
    tables.pop("labels", None)
    seen = look_at(table, **tables)
    options: dict[str, Any] = named | seen.options
    roles = replace(seen.roles, notes=_in_options(seen.roles.notes))
    data = replace(seen.data, notes=_in_options(seen.data.notes))
    say(*replace(seen, roles=roles, data=data).content())
    words = ["shortlist", "fit", table, *as_options(options), "--model", "auto", "--out", "bundle"]
    typer.echo(f"\nnext: {shlex.join(words)}")


def _in_options(notes: Sequence[str]) -> tuple[str, ...]:
    return tuple(remedies.as_options(note, TABLE_OPTIONS) for note in notes)
