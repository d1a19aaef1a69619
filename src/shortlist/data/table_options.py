"""What a caller says about tables of interactions, users and items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from shortlist.data.bad_rows import OnBadRow
from shortlist.data.coding.pairs import Repeats
from shortlist.data.coding.reading import Reading
from shortlist.data.rules.where import Where
from shortlist.data.sql import Connection
from shortlist.errors import ConfigError, require_known


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """The keyword arguments of :meth:`Dataset.from_tables`, which documents them."""

    user_id: str = "user_id"
    item_id: str = "item_id"
    weight: str | None = None
    time: str | None = None
    title: str | None = None
    repeats: Repeats = "last"
    time_format: str | None = None
    decimal: str | None = None
    only: Where | None = None
    positive: Where | None = None
    half_life: float | None = None
    labels: Any = None
    on_bad_row: OnBadRow = "raise"
    encoding: str | None = None

    @property
    def roles(self) -> dict[str, str]:
        """The named columns of ids, weights and times, by role."""
        roles = ("user_id", "item_id", "weight", "time")
        return {role: column for role in roles if (column := getattr(self, role)) is not None}

    @property
    def reading(self) -> Reading:
        """How text is read."""
        return Reading(self.time_format, self.decimal, self.encoding)

    def check(self, connection: Connection) -> None:
        """Refuse a value that is not known, and a column that is named for two roles."""
        self.reading.check(connection)
        what = f"repeats={self.repeats!r} is not a known rule"
        require_known(self.repeats, get_args(Repeats), what, ConfigError)
        for role, column in (self.roles | {"title": self.title}).items():
            if not isinstance(column, str | None):
                raise ConfigError(
                    f"{role}={column!r} is not the name of a column: names are text",
                    remedy=f"pass {role}={str(column)!r}, also where pandas numbers the columns",
                )
        role_of: dict[str, str] = {}
        for role, column in self.roles.items():
            if column in role_of:
                raise ConfigError(
                    f"the column {column!r} is named for two roles: {role_of[column]} and {role}",
                    remedy=f"name another column for {role}",
                )
            role_of[column] = role
