"""Rules of the caller over the rows of the interactions: which count, and which are choices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.data.bad_rows import SHOWN, LeftOutByRule
from shortlist.data.coding.columns import InputTable
from shortlist.data.rules.text import Combination, Condition, Rule
from shortlist.data.rules.where import Where, columns_of, matches, parse_where
from shortlist.errors import InputError


class LogRule(NamedTuple):
    """A rule over the columns of the interactions, what the caller wrote, and as which argument."""

    rule: Rule
    written: Where
    argument: str  # "only" or "positive"

    @classmethod
    def read(cls, argument: str, written: Where | None, example: str) -> LogRule | None:
        """Parse the rule; an InputError if that fails, or it compares nothing."""
        if written is None:
            return None
        rule = parse_where(written)
        if not columns_of(rule):
            raise InputError(
                f"{argument}={written!r} is an empty rule",
                remedy=f"write {example}",
            )
        return cls(rule, written, argument)

    def columns(self, log: InputTable, weight: str | None) -> dict[str, str]:
        """Return SQL for the columns that the rule compares, by their names in the copy."""
        selected = {}
        for number, name in enumerate(columns_of(self.rule)):
            column, kind = log.column(name), log.types[name]
            if name == weight and kind == "VARCHAR":
                column = log.value_of("weight", name)
            elif kind in ("HUGEINT", "UHUGEINT"):
                column = f"CAST({column} AS DOUBLE)"
            elif kind.startswith("ENUM") or kind == "UUID":
                column = f"CAST({column} AS VARCHAR)"
            selected[self._copied(number)] = column
        return selected

    def leave_out_others(self, log: InputTable) -> None:
        """Delete the rows of the copy that do not meet the rule, and report them as skipped."""
        records, met, _ = self._applied(log, "no interaction is left")
        reason = f"not meeting {self.argument}={self.written!r}"
        self._delete(log, records[~met], reason)

    def choices(self, log: InputTable) -> NDArray[np.bool_]:
        """Return which rows of the copy meet the rule; delete those that leave it open.

        A row leaves it open if it does not meet the rule and a column that the rule compares has
        no value. Such rows are reported as skipped.
        """  # (rows of the source,)
        records, met, missing = self._applied(log, "nobody chose anything")
        chosen = np.zeros(int(records.max(initial=-1)) + 1, dtype=bool)
        chosen[records] = met
        reason = f"no value, so {self.argument}={self.written!r} is undecided"
        self._delete(log, records[missing & ~met], reason)
        return chosen

    def _applied(
        self, log: InputTable, consequence: str
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Return the rows of the copy, which of them meet the rule, and which lack a value."""
        names = columns_of(self.rule)
        selected = ", ".join(map(self._copied, range(len(names))))
        rows = log.connection.sql(f"SELECT rowid, {selected} FROM log ORDER BY rowid")
        table = rows.to_arrow_table()
        records = table.column("rowid").to_numpy()
        table = table.remove_column(0).rename_columns(names)
        met = np.asarray(matches(table, self.rule, self.written, "interaction", self.argument))
        if not met.any():
            raise InputError(
                f"no row meets {self.argument}={self.written!r}, so {consequence}",
                where=log.source.label,
                remedy=f"relax the rule; the rows that meet it are the {_KEPT[self.argument]}",
            )
        missing = np.zeros(len(met), dtype=bool)
        for name in _compared(self.rule):
            missing |= pc.is_null(table.column(name), nan_is_null=True).to_numpy()
        return records, met, missing

    def _delete(self, log: InputTable, records: NDArray[np.int64], reason: str) -> None:
        if not len(records):
            return
        log.connection.register("left_out", pa.table({"record": records}))
        log.connection.execute("DELETE FROM log WHERE rowid IN (SELECT record FROM left_out)")
        shown = tuple(log.source.row(int(record)) for record in records[:SHOWN])
        column = columns_of(self.rule)[0]
        log.bad.skipped.append(LeftOutByRule(log.source.label, column, reason, len(records), shown))

    def _copied(self, number: int) -> str:
        return f"{self.argument}_{number}"


_KEPT = {"only": "interactions", "positive": "choices"}


def _compared(rule: Rule) -> set[str]:
    """Return the columns whose missing values leave a rule open: not those of ``is null``."""
    if isinstance(rule, Combination):
        return set().union(*map(_compared, rule.rules))
    assert isinstance(rule, Condition)
    return set() if rule.operator == "is_null" else {str(rule.name)}
