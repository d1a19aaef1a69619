"""Options that name tables of one's own, and reading only what is new in them."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from shortlist.cli.output import remark
from shortlist.errors import ConfigError, InputError

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset
    from shortlist.data.store.runs import Mark
    from shortlist.data.store.store import Store
    from shortlist.recommend.result import Recommendations

PULL = "pull"  # what a bundle notes of how far its interactions were read

_PANEL = "Tables of your own, instead of those of a schema"


def _option(metavar: str, text: str) -> Any:
    return typer.Option(metavar=metavar, help=text, rich_help_panel=_PANEL)


def _options(
    interactions: Annotated[
        str | None, _option("TABLE", "The table or view of interactions, like sales.orders.")
    ] = None,
    users: Annotated[str | None, _option("TABLE", "Features of users.")] = None,
    items: Annotated[str | None, _option("TABLE", "Features of items.")] = None,
    user_id: Annotated[str, _option("COLUMN", "Who.")] = "user_id",
    item_id: Annotated[str, _option("COLUMN", "What.")] = "item_id",
    weight: Annotated[str | None, _option("COLUMN", "How much; else all count alike.")] = None,
    time: Annotated[str | None, _option("COLUMN", "When.")] = None,
    repeats: Annotated[
        Literal["last", "sum", "max", "mean"], _option("", "What a pair that is repeated weighs.")
    ] = "last",
) -> None:
    """Hold the options; their names and meanings are those of ``Store.dataset``."""


def names_tables(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name tables; the command gets those given as ``tables``."""
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
    every = [one.replace(annotation=hints[one.name]) for one in (*own.values(), *added.values())]
    wrapper.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {one.name: one.annotation for one in every}
    return wrapper


def options_of(tables: dict[str, Any]) -> list[str]:
    """Write the options down again, for a command that is shown."""
    return [
        word
        for name, value in tables.items()
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]


def read(
    store: Store, tables: dict[str, Any], by: str | None = None, since: Path | None = None
) -> tuple[Dataset, dict[str, Any]]:
    """Read the data, perhaps only what is new since a bundle; give it and what to note of that."""
    if by is None:
        if since is not None:
            raise ConfigError("--since needs a column to follow", remedy="add --by COLUMN")
        return store.dataset(**tables), {}
    if not tables:
        raise ConfigError(
            "--by follows the rows of a table of your own, and none is named",
            remedy="add --interactions TABLE",
        )
    earlier, mark = None, None
    if since is not None and not since.exists():
        remark(f"{since} is not there yet: everything is read")
    elif since is not None:
        from shortlist.models.registry import load

        noted = noted_mark(since, store.place)
        if noted is None:
            raise InputError(
                f"{since} does not say how far it has read {store.place}",
                remedy="leave --since out once: a bundle fitted with --by does",
            )
        earlier, mark = load(since).data, noted
    pull = store.pull(**tables, by=by, earlier=earlier, mark=mark)
    behind = "all rows" if mark is None else f"what came after {by} {mark.last_seen}"
    remark(f"read {behind}, up to {by} {pull.mark.last_seen}: {pull.new:,}")
    if pull.missed > 0:
        remark(f"not read, because they came late: {pull.missed:,}; without --since all are")
    elif pull.missed < 0:
        remark(f"deleted, and still counted: {-pull.missed:,}; without --since they are not")
    return pull.data, {PULL: {"place": _place(store.place), **pull.mark._asdict()}}


def noted_mark(bundle: Path, place: str) -> Mark | None:
    """Give how far a bundle's interactions were read, if they were read from this place."""
    from shortlist.bundle import read_manifest
    from shortlist.data.store.runs import Mark

    noted = read_manifest(bundle).metrics.get(PULL)
    if noted is None or noted.get("place") != _place(place):
        return None
    return Mark(*(noted[name] for name in Mark._fields))


def with_mark(lists: Recommendations, bundle: Path, target: str) -> Recommendations:
    """Let a run carry the mark of its bundle, where it goes to the database that it came from."""
    from shortlist.data.store.address import Address

    mark = noted_mark(bundle, Address.of(target).place)
    return lists if mark is None else replace(lists, run={**lists.run, "mark": mark})


def _place(place: str) -> str:
    """Tell databases apart without naming one: a bundle is handed on, and a service shows it.

    A file is the same wherever a command is run.
    """
    whole = place if "://" in place else str(Path(place).resolve())
    return hashlib.sha256(whole.encode()).hexdigest()
