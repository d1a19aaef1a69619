"""Options for tables of your own, and incremental reading from them."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

from typer import Option

from shortlist.cli.output import remark
from shortlist.errors import ConfigError, InputError

if TYPE_CHECKING:
    from shortlist.bundle import Manifest
    from shortlist.data.dataset import Dataset
    from shortlist.data.store.library_tables import Mark
    from shortlist.data.store.store import Store
    from shortlist.recommend.result import Recommendations

_PANEL = "Tables of your own, instead of those of a schema"


def _option(metavar: str, text: str) -> Any:
    return Option(metavar=metavar, help=text, rich_help_panel=_PANEL)


def _options(
    interactions: Annotated[
        str | None, _option("TABLE", "The table or view of interactions, like sales.orders.")
    ] = None,
    users: Annotated[str | None, _option("TABLE", "The table of user features.")] = None,
    items: Annotated[str | None, _option("TABLE", "The table of item features.")] = None,
    user_id: Annotated[str, _option("COLUMN", "The column of user ids.")] = "user_id",
    item_id: Annotated[str, _option("COLUMN", "The column of item ids.")] = "item_id",
    weight: Annotated[
        str | None,
        _option("COLUMN", "The column of weights or ratings. Default: all weigh the same."),
    ] = None,
    time: Annotated[str | None, _option("COLUMN", "The column of times.")] = None,
    repeats: Annotated[
        Literal["last", "sum", "max", "mean"],
        _option("", "The weight of a pair that occurs several times."),
    ] = "last",
) -> None:
    """Declare the options; they are the arguments of ``Store.dataset``."""


def with_table_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the table options to a command, which gets those that were given as ``tables``."""
    added = inspect.signature(_options).parameters

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        named = {name: given.pop(name) for name in added}
        changed = {name: value for name, value in named.items() if value != added[name].default}
        if changed and named["interactions"] is None:
            raise ConfigError(
                f"--{next(iter(changed)).replace('_', '-')} is given, but no --interactions",
                remedy="add --interactions TABLE, or leave it out: the schema's views are read",
            )
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


def read(
    store: Store, tables: dict[str, Any], by: str | None = None, since: Path | None = None
) -> tuple[Dataset, dict[str, Any] | None]:
    """Read the data, or only the rows added since a bundle; return it and the bundle's new mark."""
    if by is None:
        if since is not None:
            raise ConfigError("--since needs a column to follow", remedy="add --by COLUMN")
        return store.dataset(**tables), None
    if not tables:
        raise ConfigError(
            "--by follows the rows of a table of your own, and no table is named",
            remedy="add --interactions TABLE",
        )
    earlier, mark = None, None
    if since is not None and not since.exists():
        remark(f"{since} does not exist yet: all rows are read")
    elif since is not None:
        from shortlist.models.registry import read

        model, manifest = read(since)
        mark = _mark_of(manifest, store.place)
        if mark is None:
            raise InputError(
                f"{since} does not record how far it has read {store.place}",
                remedy="leave --since out once: a bundle that is fitted with --by records it",
            )
        earlier = model.data
    pull = store.pull(**tables, by=by, earlier=earlier, mark=mark)
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
