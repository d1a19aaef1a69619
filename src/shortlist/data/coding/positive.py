"""Which rows of the interactions are choices, and which are dislikes, by a rule of the caller."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.data.bad_rows import SHOWN, BadRows, SkippedRows
from shortlist.data.coding.columns import InputTable
from shortlist.data.coding.reading import Reading, is_number
from shortlist.data.rule_text import Combination, Condition, Rule
from shortlist.data.sql import quoted
from shortlist.data.where import Where, columns_of, matches, parse_where
from shortlist.errors import InputError


class Positive(NamedTuple):
    """A rule over the columns of the interactions, and what the caller wrote."""

    rule: Rule
    written: Where

    @classmethod
    def read(cls, written: Where | None) -> Positive | None:
        """Parse the rule; an InputError if it is none, or compares nothing."""
        if written is None:
            return None
        rule = parse_where(written)
        if not columns_of(rule):
            raise InputError(
                f"positive={written!r} is an empty rule",
                remedy="write which rows are choices, such as positive='rating >= 4'",
            )
        return cls(rule, written)

    def columns(self, log: InputTable, weight: str | None, reading: Reading) -> dict[str, str]:
        """Return SQL for the columns that the rule compares, by their names in the copy."""
        selected = {}
        for number, name in enumerate(columns_of(self.rule)):
            column, kind = log.column(name), log.types[name]
            if name == weight and kind == "VARCHAR":
                column = log.value_of("weight", name, reading)
            elif kind.startswith("DECIMAL") or (is_number(kind) and "HUGEINT" in kind):
                column = f"CAST({column} AS DOUBLE)"
            elif kind.startswith("ENUM") or kind == "UUID":
                column = f"CAST({column} AS VARCHAR)"
            selected[_copied(number)] = column
        return selected

    def met(self, log: InputTable, bad: BadRows) -> NDArray[np.bool_]:
        """Return which rows of the copy meet the rule; delete those that leave it open.

        A row leaves it open if it does not meet the rule and a column that the rule compares has
        no value. Such rows are reported as skipped.
        """  # (rows of the source,)
        names = columns_of(self.rule)
        selected = ", ".join(f"{_copied(n)} AS {quoted(name)}" for n, name in enumerate(names))
        rows = log.connection.sql(f'SELECT {selected}, rowid AS "_row" FROM log ORDER BY rowid')
        table = rows.to_arrow_table()
        records = table.column("_row").to_numpy()
        met = np.zeros(int(records.max(initial=-1)) + 1, dtype=bool)
        passed = matches(table, self.rule, self.written, "interaction", "positive")
        met[records] = passed
        if not passed.any():
            raise InputError(
                f"no row meets positive={self.written!r}, so nobody chose anything",
                where=log.source.label,
                remedy="relax the rule; the rows that meet it are the choices",
            )
        missing = np.zeros(len(records), dtype=bool)
        for name in _compared(self.rule):
            missing |= pc.is_null(table.column(name), nan_is_null=True).to_numpy()
        open_rows = records[missing & ~passed]
        if len(open_rows):
            log.connection.register("open_rows", pa.table({"record": open_rows}))
            log.connection.execute("DELETE FROM log WHERE rowid IN (SELECT record FROM open_rows)")
            shown = tuple(log.source.row(int(record)) for record in open_rows[:SHOWN])
            reason = f"no value, so positive={self.written!r} is open"
            label = log.source.label
            bad.skipped.append(SkippedRows(label, names[0], reason, len(open_rows), shown))
        return met


def _copied(number: int) -> str:
    return f"rule_{number}"


def _compared(rule: Rule) -> set[str]:
    """Return the columns whose missing values leave a rule open: not those of ``is null``."""
    if isinstance(rule, Combination):
        return set().union(*map(_compared, rule.rules))
    assert isinstance(rule, Condition)
    return set() if rule.operator == "is_null" else {str(rule.name)}
