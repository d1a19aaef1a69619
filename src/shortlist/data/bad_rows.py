"""Rows that cannot be used: reported in one error, or left out and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from shortlist.data.formats.source import Source
from shortlist.errors import ConfigError, InputError, suggestion

OnBadRow: TypeAlias = Literal["raise", "skip"]
SHOWN = 3  # rows of each kind that are named
LONGEST_SHOWN = 80  # characters of a value in a message


@dataclass(frozen=True)
class SkippedRows:
    """The rows of one table that were left out for one reason."""

    table: str  # with its file
    column: str
    reason: str
    count: int
    rows: tuple[int, ...]  # the first of them, as a person counts: in a text file, the lines

    def __str__(self) -> str:
        listed = ", ".join(map(str, self.rows)) + (", ..." if self.count > len(self.rows) else "")
        rows = f"{self.count:,} {'row' if self.count == 1 else 'rows'} ({listed})"
        return f"{self.table}: left out {rows}, column '{self.column}': {self.reason}"


@dataclass
class BadRows:
    """The kinds of bad rows that were found so far: an error and a report for each."""

    on_bad_row: OnBadRow = "raise"
    errors: list[InputError] = field(default_factory=list)
    skipped: list[SkippedRows] = field(default_factory=list)

    def __post_init__(self) -> None:
        rules = get_args(OnBadRow)
        if self.on_bad_row not in rules:
            raise ConfigError(
                f"on_bad_row={self.on_bad_row!r} is not a known rule",
                remedy=suggestion(str(self.on_bad_row), rules),
            )

    @property
    def skip(self) -> bool:
        """Whether the rows are left out."""
        return self.on_bad_row == "skip"

    def add(
        self,
        error: InputError,
        source: Source,
        column: str,
        count: int,
        records: Sequence[int],
        reason: str | None = None,
    ) -> None:
        """Add a kind of bad rows with its first records; the same error counts once."""
        if str(error) not in map(str, self.errors):
            self.errors.append(error)
        rows = tuple(map(source.row, records))
        self.skipped.append(SkippedRows(source.label, column, reason or error.what, count, rows))

    def require_none(self) -> None:
        """Raise one error for all kinds, unless bad rows are left out."""
        if self.errors and not self.skip:
            raise self.combined()

    def combined(self) -> InputError:
        """Return one error that reports all errors; a single error stays as it is."""
        if len(self.errors) == 1:
            return self.errors[0]
        report = "\n".join(f"{number}. {error}" for number, error in enumerate(self.errors, 1))
        return InputError(
            f"{len(self.errors)} kinds of rows cannot be used\n{report}",
            remedy='correct the rows, or leave all of them out: on_bad_row="skip"',
        )
