"""The command serve: bundles as an HTTP service with a web page."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from shortlist import extras
from shortlist.cli.output import remark, working
from shortlist.errors import ConfigError, InputError

TOKEN_VARIABLE = "SHORTLIST_TOKEN"


def serve(
    bundles: Annotated[
        list[str],
        Argument(
            metavar="BUNDLE...",
            help="Folders written by shortlist fit, the default first; NAME=FOLDER sets the name.",
        ),
    ],
    host: Annotated[str, Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65535, help="0: any free port.")] = 8000,
    database: Annotated[
        str | None,
        Option(metavar="DB", help="Record interactions here (POST /interactions)."),
    ] = None,
    token: Annotated[
        str | None, Option(help="Require this token. Other users see it in the process list.")
    ] = None,
    token_file: Annotated[
        Path | None, Option(metavar="FILE", help="Require the token in this file.")
    ] = None,
    no_token: Annotated[
        bool, Option("--no-token", help="Require no token on any address.")
    ] = False,
    name: Annotated[
        list[str] | None, Option(help="A further host name that clients may use.")
    ] = None,
    drain: Annotated[
        float,
        Option(
            metavar="SECONDS", min=0.0, max=600.0, help="Time to keep the port open after SIGTERM."
        ),
    ] = 2.0,
) -> None:
    """Answer requests over HTTP and show a web page. Ctrl-C stops the service.

    If a newer bundle is written to a folder, the service loads it while it runs. The token can also
    be in the environment variable SHORTLIST_TOKEN.
    """
    extras.require("serve", "shortlist serve")
    from shortlist.serving.access import access_to, is_loopback, new_token
    from shortlist.serving.app import create_app
    from shortlist.serving.run import bind, listen, run
    from shortlist.serving.service import Service

    given, source = _token(token, token_file)
    if no_token and given is not None:
        raise ConfigError(f"both --no-token and {source}", remedy="leave one of the two out")
    if given is None and not no_token and not is_loopback(host):
        given, source = new_token(), "new"
    access = access_to(host, given, name or ())
    with closing(bind(host, port)) as listener:  # an address in use is reported at once
        with working():
            service = Service(_named(bundles), database=database)
        app = create_app(service, access)
        listen(listener)  # only now: no client waits for bundles to be loaded
        shown = f"[{host}]" if ":" in host else host
        remark(f"serving {', '.join(served.name for served in service.models.all())}")
        remark(f"  the page: http://{shown}:{listener.getsockname()[1]}/   documentation: /docs")
        if source == "new":
            remark(f"  token, shown only once: {given}")
        elif given is None:
            remark("  no token: everybody who reaches this address has access")
        else:
            remark(f"  required: {source}")
        run(app, service, listener, drain)


def _token(token: str | None, file: Path | None) -> tuple[str | None, str]:
    """Return the token and its source."""
    tokens: list[tuple[str, str]] = []
    if token is not None:
        tokens.append((token, "the token of --token"))
    if file is not None:
        if not file.is_file():
            raise InputError(f"there is no file {file}", remedy="write the token into it")
        tokens.append((file.read_text(encoding="utf-8").strip(), f"the token in {file}"))
    if not tokens and (value := os.environ.get(TOKEN_VARIABLE)):
        tokens.append((value, f"the token in the environment variable {TOKEN_VARIABLE}"))
    if len(tokens) > 1:
        raise ConfigError("both --token and --token-file", remedy="leave one of the two out")
    return tokens[0] if tokens else (None, "none")


def _named(bundles: list[str]) -> dict[str, Path]:
    """Return the folder of each bundle by the name given, or else the name of the folder."""
    named: dict[str, Path] = {}
    for bundle in bundles:
        name, equals, path = bundle.partition("=")
        if not equals or "/" in name:
            name, path = Path(bundle).resolve().name, bundle
        if not name or name in named:
            raise ConfigError(
                f"two bundles are called {name!r}" if name else f"{bundle!r} has no name",
                remedy="name them: NAME=FOLDER",
            )
        named[name] = Path(path)
    return named
