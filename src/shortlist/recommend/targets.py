"""Where lists are written: a file, or the run tables of a database."""

from __future__ import annotations

from pathlib import Path

from shortlist.errors import InputError
from shortlist.files import require_file

_FILES = (".parquet", ".csv")
_DATABASES = (".duckdb", ".db", ".sqlite", ".sqlite3")


def is_database(target: str | Path) -> bool:
    """Return whether a target is a database; an InputError if it is neither that nor a file.

    >>> is_database("lists.parquet"), is_database("sqlite:///lists.db")
    (False, True)
    """
    if isinstance(target, str) and "://" in target:
        return True
    suffix = Path(target).suffix.lower()
    if suffix in _DATABASES or suffix in _FILES:
        return suffix in _DATABASES
    raise InputError(
        f"cannot tell from {suffix!r} how to write {target}",
        remedy="name a .parquet, .csv, .duckdb or .sqlite file, or a database's URL",
    )


def require_target(target: str | Path) -> None:
    """Raise now the InputError or DatabaseError that writing lists to a target would raise."""
    if not is_database(target):
        require_file(target)
        return
    from shortlist.data.store.address import Address  # only these targets need a database
    from shortlist.data.store.store import Store

    address = Address.of(target)
    if address.path is not None and not address.path.is_file():
        raise InputError(
            f"there is no database {address.place}",
            remedy=f"create it: shortlist init {address.place} --schema runs",
        )
    with Store(target, read_only=True) as store:
        store.require_runs()
