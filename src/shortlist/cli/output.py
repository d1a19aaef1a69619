"""The output of commands: remarks on stderr; a table, CSV or JSON on stdout."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option

from shortlist.files import atomic_file, require_file
from shortlist.progress import announce_time
from shortlist.text import cells, folded, text_table

if TYPE_CHECKING:  # help is printed without Numba and Arrow
    from shortlist.recommend.result import Recommendations

SHOWN_ROWS = 50
_MUCH = 2**30  # bytes that are worth a remark

_quiet = False
_stop_reported = False  # whether a stopped command has said what is left


def stop_reported() -> bool:
    """Return whether the command that Ctrl-C stopped has said what is left."""
    return _stop_reported


def require_output(path: Path | None) -> Path | None:
    """Refuse a file that cannot be written, before the work whose result it gets."""
    if path is not None and str(path) != "-":
        require_file(path)
    return path


Json = Annotated[
    Path | None,
    Option(
        "--json",
        metavar="FILE",
        callback=require_output,
        help="Write the result as JSON; - is stdout.",
    ),
]

Engine = Annotated[
    str,
    Option(
        metavar="ENGINE",
        help="Where to compute: local, ray, or ray://HOST:PORT; the result is the same.",
    ),
]


def start(*, quiet: bool) -> None:
    """Begin a command; choose whether it prints remarks."""
    global _quiet, _stop_reported
    _quiet, _stop_reported = quiet, False
    announce_time(None if quiet else remark)


def remark(text: str) -> None:
    """Print a remark, which is not part of the result, on stderr."""
    if not _quiet:
        typer.echo(text, err=True)


def say(text: str) -> None:
    """Print a result; on a terminal, tables that are wider than it are folded."""
    if sys.stdout.isatty():
        text = folded(text, shutil.get_terminal_size().columns)
    typer.echo(text)


def say_memory(what: str, needed: int) -> None:
    """Say how much memory a job needs, where that is much."""
    from shortlist.machine import available_memory, gigabytes

    available = available_memory()
    if needed >= _MUCH and available is not None:
        remark(f"{what}: about {gigabytes(needed)} of memory; {gigabytes(available)} are free")


@contextmanager
def unfinished(left: str) -> Iterator[None]:
    """Say what is left behind where Ctrl-C stops the block."""
    global _stop_reported
    try:
        yield
    except KeyboardInterrupt:
        _stop_reported = True
        typer.echo(f"stopped: {left}", err=True)
        raise


def announcing_compilation() -> AbstractContextManager[None]:
    """Announce when kernels are compiled, which takes a while and happens once per machine."""
    from shortlist.kernels.compile import announce_compilation

    text = "compiling the kernels: on the first run only, up to a minute"
    return announce_compilation(lambda: remark(text))


def write_json(content: Any, target: Path | None) -> None:
    """Write JSON to a file, completely or not at all, or to stdout if the target is ``-``."""
    if target is None:
        return
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str)
    if str(target) == "-":
        typer.echo(text)
        return
    with atomic_file(target) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def show(lists: Recommendations, json_target: Path | None) -> None:
    """Print lists: the first rows on a terminal, all rows as CSV into a pipe, or JSON."""
    table = lists.titled()
    if json_target is not None:
        write_json(table.to_pylist(), json_target)
    elif not sys.stdout.isatty():
        import pyarrow as pa
        import pyarrow.csv

        pyarrow.csv.write_csv(table, pa.PythonFile(sys.stdout.buffer, "w"))
    else:
        say(pretty(lists))
        if len(lists) > SHOWN_ROWS:
            remark(f"{len(lists) - SHOWN_ROWS} more rows: write them with --out, or pipe them")


def pretty(lists: Recommendations) -> str:
    """Format the first rows as a text table, with item titles if there are any."""
    table = lists.first(SHOWN_ROWS)
    return text_table(table.column_names, cells(table.to_pylist()))


def is_folder(target: str) -> bool:
    """Return whether ``--out`` names a folder: it ends with a slash, or exists as one."""
    return target.partition("?")[0].endswith("/") or Path(target).is_dir()
