"""serve: a bundle as an HTTP service with a page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from shortlist import extras
from shortlist.cli.output import announcing_compilation, remark
from shortlist.errors import ConfigError, InputError

TOKEN_VARIABLE = "SHORTLIST_TOKEN"


def serve(
    bundles: Annotated[
        list[str],
        typer.Argument(
            metavar="BUNDLE...",
            help="Folders made by shortlist fit, the default first; NAME=FOLDER to name one.",
        ),
    ],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8000,
    database: Annotated[
        str | None,
        typer.Option(metavar="DB", help="Record interactions here (POST /interactions)."),
    ] = None,
    token: Annotated[
        str | None, typer.Option(help="Ask for this token. Others can see it in the process list.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ask for the token in this file.")
    ] = None,
    no_token: Annotated[
        bool, typer.Option("--no-token", help="Let everybody in who reaches the address.")
    ] = False,
    name: Annotated[
        list[str] | None, typer.Option(help="A name that clients call this host by.")
    ] = None,
) -> None:
    """Answer requests for lists over HTTP, and show a page. Ctrl-C stops it.

    A newer bundle written to the same place is taken over while the service runs. The environment
    variable SHORTLIST_TOKEN can hold the token, too.
    """
    extras.require("serve", "shortlist serve")
    from shortlist.serving.access import access_to, is_loopback, new_token
    from shortlist.serving.app import create_app
    from shortlist.serving.run import listen, run
    from shortlist.serving.service import Service

    given, source = _token(token, token_file)
    if no_token and given is not None:
        raise ConfigError(f"--no-token, and {source}", remedy="leave one of the two out")
    if given is None and not no_token and not is_loopback(host):
        given, source = new_token(), "new"
    access = access_to(host, given, name or ())
    with announcing_compilation():
        service = Service(_named(bundles), database=database)
    taken = listen(host, port)
    app = create_app(service, access)
    shown = f"[{host}]" if ":" in host else host
    remark(f"serving {', '.join(one.name for one in service.shelf.all())}")
    remark(f"  the page: http://{shown}:{taken.getsockname()[1]}/   documentation: /docs")
    if source == "new":
        remark(f"  token, shown only once: {given}")
    elif given is None:
        remark("  no token: whoever reaches this address may ask")
    else:
        remark(f"  token: {source}")
    run(app, taken)


def _token(token: str | None, file: Path | None) -> tuple[str | None, str]:
    """Find the token, and say where."""
    found: list[tuple[str, str]] = []
    if token is not None:
        found.append((token, "that of --token"))
    if file is not None:
        if not file.is_file():
            raise InputError(f"there is no file {file}", remedy="write the token into it")
        found.append((file.read_text(encoding="utf-8").strip(), f"in {file}"))
    if not found and (value := os.environ.get(TOKEN_VARIABLE)):
        found.append((value, f"in the environment variable {TOKEN_VARIABLE}"))
    if len(found) > 1:
        raise ConfigError("both --token and --token-file", remedy="leave one of the two out")
    return found[0] if found else (None, "none")


def _named(bundles: list[str]) -> dict[str, Path]:
    """Name each bundle: as the caller says, or by its folder."""
    named: dict[str, Path] = {}
    for one in bundles:
        name, equals, path = one.partition("=")
        if not equals or "/" in name:
            name, path = Path(one).resolve().name, one
        if not name or name in named:
            raise ConfigError(
                f"two bundles are called {name!r}" if name else f"{one!r} has no name",
                remedy="name them: NAME=FOLDER",
            )
        named[name] = Path(path)
    return named
