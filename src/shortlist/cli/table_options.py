"""Options for tables of your own, in files or a database, and reading them."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

from typer import Argument, Option

from shortlist.cli import remedies
from shortlist.cli.output import remark
from shortlist.errors import ConfigError, InputError

if TYPE_CHECKING:
    from shortlist.bundle import Manifest
    from shortlist.data.dataset import Dataset
    from shortlist.data.store.library_tables import Mark
    from shortlist.data.store.store import Store
    from shortlist.recommend.result import Recommendations

_OF_ANY_SOURCE = ("only", "positive", "half_life")
_PANEL = "Tables of your own, in files or in a database"

Source = Annotated[
    str,
    Argument(
        metavar="DATA",
        help="A table file (CSV, JSON lines, Parquet), a folder or a pattern of such files; or a "
        "database: a file made by shortlist init, postgresql://USER@HOST/DATABASE, or any database "
        "if --interactions names its table.",
    ),
]
OnBadRow = Annotated[
    Literal["raise", "skip"],
    Option(help="skip: leave bad rows out, and report how many and the first of them."),
]
TimeFormat = Annotated[
    str | None,
    Option(
        metavar="FORMAT",
        help="How times are written: like %d/%m/%Y, several with | between them, or s, ms, us, "
        "ns, year, yyyymm, yyyymmdd, yyyymmddhhmm, yyyymmddhhmmss.",
    ),
]
Decimal = Annotated[
    str | None,
    Option(metavar="MARK", help="The mark before the fraction of numbers: . or ,"),
]
Encoding = Annotated[str | None, Option(help="The encoding of text files that are not UTF-8.")]


def _option(metavar: str, text: str) -> Any:
    return Option(metavar=metavar, help=text, rich_help_panel=_PANEL)


def _options(
    interactions: Annotated[
        str | None,
        _option("TABLE", "In a database: the table or view of interactions, like sales.orders."),
    ] = None,
    users: Annotated[
        str | None, _option("TABLE", "The table of user features: a file, or one in the database.")
    ] = None,
    items: Annotated[
        str | None, _option("TABLE", "The table of item features: a file, or one in the database.")
    ] = None,
    user_id: Annotated[str, _option("COLUMN", "The column of user ids.")] = "user_id",
    item_id: Annotated[str, _option("COLUMN", "The column of item ids.")] = "item_id",
    weight: Annotated[
        str | None,
        _option("COLUMN", "The column of weights or ratings. Default: all weigh the same."),
    ] = None,
    time: Annotated[str | None, _option("COLUMN", "The column of times.")] = None,
    only: Annotated[
        str | None,
        _option("RULE", "Which rows count, like 'event = apply'; the others are left out."),
    ] = None,
    positive: Annotated[
        str | None,
        _option("RULE", "Which rows are choices, like 'rating >= 4'; the others are dislikes."),
    ] = None,
    half_life: Annotated[
        float | None,
        _option("DAYS", "Days after which an interaction counts half. Default: age is ignored."),
    ] = None,
    title: Annotated[
        str | None,
        _option(
            "COLUMN",
            "The column of titles: of --items, or else of the interactions. "
            "Default: found by its name in --items.",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        _option("FILE", "Words for codes, shown in reasons: a table column, value, label."),
    ] = None,
    repeats: Annotated[
        Literal["last", "sum", "max", "mean"],
        _option("last|sum|max|mean", "The weight of a pair that occurs several times."),
    ] = "last",
    on_bad_row: OnBadRow = "raise",
    time_format: TimeFormat = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
) -> None:
    """Declare the options; they are the arguments of ``Dataset.from_tables``."""


TABLE_OPTIONS = tuple(inspect.signature(_options).parameters)


def with_table_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the table options to a command, which gets those that were given as ``tables``."""
    added = inspect.signature(_options).parameters

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        named = {name: given.pop(name) for name in added}
        changed = {name: value for name, value in named.items() if value != added[name].default}
        command(**given, tables=changed)

    own = dict(inspect.signature(command).parameters)
    del own["tables"]
    hints = get_type_hints(command, include_extras=True)
    hints |= get_type_hints(_options, include_extras=True)
    parameters = [
        parameter.replace(annotation=hints[parameter.name])
        for parameter in (*own.values(), *added.values())
    ]
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapper


def as_options(tables: dict[str, Any]) -> list[str]:
    """Return the given options as command line arguments."""
    return [
        word
        for name, value in tables.items()
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]


def read(source: str, tables: dict[str, Any]) -> tuple[Dataset, str]:
    """Read table files or a database; return the data and a name without a password."""
    from shortlist.data.dataset import Dataset
    from shortlist.data.sources import is_table
    from shortlist.data.store.store import Store

    if is_table(source):
        if "interactions" in tables:
            raise ConfigError(
                f"--interactions names a table of a database, and {source} is a file",
                remedy="leave --interactions out",
            )
        data = Dataset.from_tables(source, **tables)
        _report_skipped(data)
        return data, source
    _check_database_options(tables, ("encoding", "labels"))
    with Store(source, read_only=True) as store:
        data = store.dataset(**tables)
        _report_skipped(data)
        return data, store.place


def _report_skipped(data: Dataset) -> None:
    for skipped in data.skipped:
        remark(str(skipped))
    for note in data.notes:
        remark(remedies.as_options(note, TABLE_OPTIONS))


def _check_database_options(tables: dict[str, Any], refused: Sequence[str]) -> None:
    """Refuse options that have no meaning here, or that need a named table."""
    for name in tables:
        if name in refused:
            raise ConfigError(
                f"--{name.replace('_', '-')} has no meaning here", remedy="leave it out"
            )
        if "interactions" not in tables and name not in _OF_ANY_SOURCE:
            raise ConfigError(
                f"--{name.replace('_', '-')} is given, but no --interactions",
                remedy="add --interactions TABLE, or leave it out: the schema's views are read",
            )


def read_new(
    source: str, tables: dict[str, Any], by: str, since: Path | None
) -> tuple[Dataset, dict[str, Any]]:
    """Read the rows that a database has gained since a bundle; return the data and the new mark."""
    from shortlist.data.sources import is_table
    from shortlist.data.store.store import Store

    if is_table(source):
        raise ConfigError(
            f"--by follows a table of a database, and {source} is a file", remedy="leave --by out"
        )
    _check_database_options(tables, ("encoding", "title", "labels", *_OF_ANY_SOURCE))
    with Store(source, read_only=True) as store:
        return _pull(store, tables, by, since)


def _pull(
    store: Store, tables: dict[str, Any], by: str, since: Path | None
) -> tuple[Dataset, dict[str, Any]]:
    if not tables:
        raise ConfigError(
            "--by follows the rows of a table of your own, and no table is named",
            remedy="add --interactions TABLE",
        )
    earlier, mark = None, None
    if since is not None and not since.exists():
        remark(f"{since} does not exist yet: all rows are read")
    elif since is not None:
        from shortlist.models.registry import read as read_bundle

        model, manifest = read_bundle(since)
        mark = _mark_of(manifest, store.place)
        if mark is None:
            raise InputError(
                f"{since} does not record how far it has read {store.place}",
                remedy="leave --since out once: a bundle that is fitted with --by records it",
            )
        earlier = model.data
    pull = store.pull(**tables, by=by, earlier=earlier, mark=mark)
    _report_skipped(pull.data)
    rows = "all rows" if mark is None else f"the rows after {by} {mark.last_seen}"
    remark(f"read {rows}, up to {by} {pull.mark.last_seen}: {pull.new:,}")
    if pull.missed > 0:
        remark(f"late rows, not read: {pull.missed:,}; to read them, leave --since out")
    elif pull.missed < 0:
        remark(f"deleted rows, still counted: {-pull.missed:,}; to drop them, leave --since out")
    return pull.data, {"place": _place_hash(store.place), **pull.mark.to_json()}


def _mark_of(manifest: Manifest, place: str) -> Mark | None:
    """Return the mark of a manifest, if its interactions were read from this place."""
    from shortlist.data.store.library_tables import Mark

    values = manifest.mark
    if values is None or values.get("place") != _place_hash(place):
        return None
    return Mark.from_json(values)


def with_mark(lists: Recommendations, bundle: Path, target: str) -> Recommendations:
    """Add the bundle's mark to lists that are written to the database that it was read from."""
    from shortlist.bundle import read_manifest
    from shortlist.data.store.address import Address

    mark = _mark_of(read_manifest(bundle), Address.of(target).place)
    return lists if mark is None else replace(lists, run={**lists.run, "mark": mark})


def _place_hash(place: str) -> str:
    """Return a hash that identifies a database without naming it: bundles are passed on.

    A relative path and an absolute path of the same file have the same hash.
    """
    whole = place if "://" in place else str(Path(place).resolve())
    return hashlib.sha256(whole.encode()).hexdigest()
