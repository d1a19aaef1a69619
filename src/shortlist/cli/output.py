"""The output of commands: remarks on stderr; a table, CSV or JSON on stdout."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option

from shortlist.files import atomic_file, require_file
from shortlist.progress import announce_time
from shortlist.text import TextTable, as_text, cells

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


def say(*content: str | TextTable) -> None:
    """Print lines and tables; on a terminal, tables that are wider than it are folded."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    typer.echo(as_text(content, width))


def say_memory(what: str, needed: int) -> None:
    """Say how much memory a job needs, where that is much."""
    from shortlist.machine import available_memory, gigabytes

    available = available_memory()
    if needed >= _MUCH and available is not None:
        remark(f"{what}: about {gigabytes(needed)} of memory; {gigabytes(available)} are free")


@contextmanager
def unfinished(left: str | None) -> Iterator[None]:
    """Say what is left behind where Ctrl-C stops the block; None: there is nothing to say."""
    global _stop_reported
    try:
        yield
    except KeyboardInterrupt:
        if left is not None:
            _stop_reported = True
            typer.echo(f"stopped: {left}", err=True)
        raise


@contextmanager
def working(left: str | None = None) -> Iterator[None]:
    """Announce when kernels are compiled; say what is left behind where Ctrl-C stops the block.

    Compiling takes a while and happens once per machine.
    """
    from shortlist.kernels.compile import announce_compilation

    text = "compiling the kernels: on the first run only, up to a minute"
    with announce_compilation(lambda: remark(text)), unfinished(left):
        yield


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


def finish(
    content: Any, target: Path | None, *text: str | TextTable, beside_file: bool = False
) -> None:
    """Write a result as JSON if there is a target; print its text if not, or ``beside_file``."""
    write_json(content, target)
    if target is None or (beside_file and str(target) != "-"):
        say(*text)


def show(lists: Recommendations, json_target: Path | None, *, printed: bool = True) -> None:
    """Print the notes on lists, and the lists: as JSON, or, if they are to be printed, as text.

    The text is a table of the first rows on a terminal, and CSV with all rows in a pipe.
    """
    for note in lists.notes:
        remark(note)
    if json_target is not None:
        write_json(lists.titled().to_pylist(), json_target)
    elif not printed:
        return
    elif not sys.stdout.isatty():
        import pyarrow as pa
        import pyarrow.csv

        pyarrow.csv.write_csv(lists.titled(), pa.PythonFile(sys.stdout.buffer, "w"))
    else:
        say(first_rows(lists))
        if len(lists) > SHOWN_ROWS:
            remark(f"{len(lists) - SHOWN_ROWS} more rows: write them with --out, or pipe them")


def first_rows(lists: Recommendations) -> TextTable:
    """Return the first rows as a table, with item titles if there are any."""
    table = lists.first(SHOWN_ROWS)
    return TextTable(table.column_names, cells(table.to_pylist()))


def is_folder(target: str) -> bool:
    """Return whether ``--out`` names a folder: it ends with a slash, or exists as one."""
    return target.partition("?")[0].endswith("/") or Path(target).is_dir()
