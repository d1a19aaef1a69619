"""All commands, in the order in which a new user meets them."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from shortlist._version import __version__
from shortlist.cli.compare import compare
from shortlist.cli.demo import demo
from shortlist.cli.doctor import doctor
from shortlist.cli.fit import fit
from shortlist.cli.lists import audience, explain, recommend, similar
from shortlist.cli.look import look
from shortlist.cli.serve import serve
from shortlist.cli.tables import fetch, init, load, schema
from shortlist.cli.tune import tune


class _Plain(TyperCommand):
    """A command whose flags show no type in the help."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))


class _PlainGroup(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))


def _without_types(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


app = typer.Typer(
    cls=_PlainGroup,
    help="From the tables you already have to a ranked shortlist for each person.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback when something fails.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print results and errors only.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print progress even into a file.")
    ] = False,
) -> None:
    """Define the options of every command; ``main`` has handled the last three already."""


for command in (
    demo, look, schema, init, load, fetch, compare, tune, fit, recommend, similar, audience,
    explain, serve, doctor,
):  # fmt: skip
    app.command(cls=_Plain)(command)
