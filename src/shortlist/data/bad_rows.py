"""Rows that cannot be used: reported in one error, or left out and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from shortlist.errors import ConfigError, InputError, suggestion

OnBadRow: TypeAlias = Literal["raise", "skip"]
SHOWN = 3  # rows of each kind that are named


@dataclass(frozen=True)
class SkippedRows:
    """The rows of one table that were left out for one reason.

    Attributes
    ----------
    table
        The name of the table, with its file.
    column
        The column at fault; None if the whole row is.
    reason
        Why the rows cannot be used.
    count
        How many rows were left out.
    rows
        The first of them, as a person counts: in a text file, the lines.

    Examples
    --------
    >>> print(SkippedRows("log.csv", "price", "a weight must be 0 or more", 12, (3, 7, 8)))
    log.csv: left out 12 rows (3, 7, 8, ...), column 'price': a weight must be 0 or more
    """

    table: str
    column: str | None
    reason: str
    count: int
    rows: tuple[int, ...]

    def __str__(self) -> str:
        listed = ", ".join(map(str, self.rows)) + (", ..." if self.count > len(self.rows) else "")
        column = "" if self.column is None else f", column '{self.column}'"
        rows = "row" if self.count == 1 else "rows"
        return f"{self.table}: left out {self.count:,} {rows} ({listed}){column}: {self.reason}"


def check_on_bad_row(on_bad_row: str) -> None:
    """Refuse an unknown rule.

    Raises
    ------
    ConfigError
        The rule is neither ``"raise"`` nor ``"skip"``.
    """
    if on_bad_row not in get_args(OnBadRow):
        raise ConfigError(
            f"on_bad_row={on_bad_row!r} is not a known rule",
            remedy=suggestion(str(on_bad_row), get_args(OnBadRow)),
        )


def combined(errors: Sequence[InputError]) -> InputError:
    """Return one error that reports all errors; a single error stays as it is.

    Examples
    --------
    >>> print(combined([InputError("a", where="row 1"), InputError("b", where="row 2")]))
    2 kinds of rows cannot be used
    1. a
      where: row 1
    2. b
      where: row 2
      to do: correct the rows, or leave all of them out: on_bad_row="skip"
    """
    if len(errors) == 1:
        return errors[0]
    report = "\n".join(f"{number}. {error}" for number, error in enumerate(errors, 1))
    return InputError(
        f"{len(errors)} kinds of rows cannot be used\n{report}",
        remedy='correct the rows, or leave all of them out: on_bad_row="skip"',
    )


@dataclass
class BadRows:
    """The kinds of bad rows that were found so far, as errors and as reports.

    Attributes
    ----------
    skip
        Whether the rows are left out.
    errors, skipped
        An error and a report for each kind.
    """

    skip: bool = False
    errors: list[InputError] = field(default_factory=list)
    skipped: list[SkippedRows] = field(default_factory=list)

    def add(self, error: InputError, skipped: SkippedRows) -> None:
        """Add a kind of bad rows; the same error counts once."""
        if str(error) not in map(str, self.errors):
            self.errors.append(error)
        self.skipped.append(skipped)

    def require_none(self) -> None:
        """Raise one error for all kinds, unless bad rows are left out."""
        if self.errors and not self.skip:
            raise combined(self.errors)
