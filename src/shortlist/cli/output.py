"""The output of commands: remarks on stderr; a table, CSV or JSON on stdout."""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.csv
import typer
from typer import Option

from shortlist.errors import InputError
from shortlist.files import atomic_file
from shortlist.models.base import Model
from shortlist.recommend.result import Recommendations

SHOWN_ROWS = 50

Json = Annotated[
    Path | None,
    Option("--json", metavar="FILE", help="Write the result as JSON; - is stdout."),
]

Engine = Annotated[
    str,
    Option(
        metavar="ENGINE",
        help="Where to compute: local, ray, or ray://HOST:PORT; the result is the same.",
    ),
]


def remark(text: str) -> None:
    """Print a remark, which is not part of the result, on stderr."""
    typer.echo(text, err=True)


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


def show(lists: Recommendations, model: Model[Any, Any], json_target: Path | None) -> None:
    """Print lists: the first rows on a terminal, all rows as CSV into a pipe, or JSON."""
    table = lists.to_arrow()
    if json_target is not None:
        write_json(table.to_pylist(), json_target)
    elif not sys.stdout.isatty():
        pyarrow.csv.write_csv(table, pa.PythonFile(sys.stdout.buffer, "w"))
    else:
        typer.echo(pretty(lists, model))
        if len(lists) > SHOWN_ROWS:
            remark(f"{len(lists) - SHOWN_ROWS} more rows: write them with --out, or pipe them")


def pretty(lists: Recommendations, model: Model[Any, Any]) -> str:
    """Format the first rows as a text table, with item titles if there are any."""
    from shortlist.text import text_table

    table = lists.to_arrow().slice(0, SHOWN_ROWS)
    names = table.column_names
    features = model.data.item_features
    if features is not None and "title" in features.column_names:
        rows = model.data.items.rows(table.column("item_id"))
        names = [*names[:2], "title", *names[2:]]
        table = table.add_column(2, "title", features.column("title").take(pa.array(rows)))
    cells = [
        [f"{value:.4f}" if isinstance(value, float) else str(value) for value in row.values()]
        for row in table.to_pylist()
    ]
    return text_table(names, cells)


def is_folder(target: str) -> bool:
    """Return whether ``--out`` names a folder: it ends with a slash, or exists as one."""
    return target.partition("?")[0].endswith("/") or Path(target).is_dir()


def _read(source: Path, content: str) -> str:
    """Read a text file, or stdin if it is ``-``."""
    if str(source) == "-":
        return sys.stdin.read()
    if not source.is_file():
        raise InputError(f"there is no file {source}", remedy=f"name a file with {content}")
    return source.read_text(encoding="utf-8-sig")


def read_objects(source: Path) -> list[dict[str, Any]]:
    """Read a JSON object, or a list of objects, from a file or stdin."""
    text = _read(source, "a JSON object")
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(
            f"not JSON: {error}", where=str(source), remedy='write an object like {"degree": 4}'
        ) from None
    objects = content if isinstance(content, list) else [content]
    if not objects or not all(isinstance(each, dict) for each in objects):
        raise InputError(
            "neither a JSON object nor a list of objects",
            where=str(source),
            remedy='write an object like {"degree": 4}',
        )
    return objects


def read_ids(source: Path) -> list[str]:
    """Read one id per line from a file, or from stdin if it is ``-``."""
    text = _read(source, "one id per line")
    ids = [line.strip() for line in text.splitlines() if line.strip()]
    if not ids:
        raise InputError("there are no ids", where=str(source), remedy="write one id per line")
    return ids
