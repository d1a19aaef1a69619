"""A source of rows, the location of a value in it, and its rows that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from shortlist.data.formats import scan
from shortlist.data.formats.delimited import Text
from shortlist.errors import ConfigError, InputError, require_known
from shortlist.text import counted, more_rows

OnBadRow: TypeAlias = Literal["raise", "skip"]
SHOWN = 3  # rows of each kind that are named
LONGEST_SHOWN = 80  # characters of a value in a message


@dataclass(frozen=True)
class Source:
    """Rows of a file or a frame: its label in messages, and SQL that yields the rows in order."""

    label: str
    query: str
    path: Path | None = None  # None: a frame
    text: Text | None = None  # None: a frame or Parquet

    def row(self, record: int) -> int:
        """Return the number of a row as a person counts, from 1: in a text file, its line."""
        if self.path is None or self.text is None:
            return record + 1
        return self.text.line(self.path, record)

    def where(self, record: int | None, column: str, others: int = 0) -> str:
        """Return the location of a value, with the number of other rows with the same error."""
        row = "" if record is None else f", row {self.row(record)}"
        return f"{self.label}{row}{more_rows(others)}, column '{column}'"


@dataclass(frozen=True)
class SkippedRows:
    """The rows of one table that were left out for one reason."""

    table: str  # with its file
    column: str | None  # None: the whole row is the reason
    reason: str
    count: int
    rows: tuple[int, ...]  # the first of them, as a person counts: in a text file, the lines

    def __str__(self) -> str:
        listed = ", ".join(map(str, self.rows)) + (", ..." if self.count > len(self.rows) else "")
        rows = f"{counted(self.count, 'row')} ({listed})"
        column = "" if self.column is None else f", column '{self.column}'"
        return f"{self.table}: left out {rows}{column}: {self.reason}"


class LeftOutByRule(SkippedRows):
    """Rows that a rule of the caller leaves out (``only``, ``positive``): they are not bad."""


class NoRowLeftError(InputError):
    """Every row was bad. An incremental pull ignores it: there is nothing new to read."""

    def __init__(self, skipped: Sequence[SkippedRows], *args: Any, **details: Any) -> None:
        super().__init__(*args, **details)
        self.skipped = tuple(skipped)


@dataclass
class BadRows:
    """The kinds of bad rows that were found so far: an error and a report for each."""

    on_bad_row: OnBadRow = "raise"
    errors: list[InputError] = field(default_factory=list)
    skipped: list[SkippedRows] = field(default_factory=list)
    deletions: list[str] = field(default_factory=list)  # SQL that leaves the rows out
    left_out: dict[Path, frozenset[int]] = field(default_factory=dict)  # lines of text files

    def __post_init__(self) -> None:
        what = f"on_bad_row={self.on_bad_row!r} is not a known rule"
        require_known(self.on_bad_row, get_args(OnBadRow), what, ConfigError)

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

    def without_ragged(self, label: str, path: Path, text: Text) -> Text:
        """Leave out and report the rows with more or fewer cells than there are columns.

        An InputError if bad rows are errors.
        """
        if path not in self.left_out and (rows := text.ragged(path)):
            error = scan.ragged(path, text, rows)
            if not self.skip:
                raise error
            reason = f"more or fewer than {counted(len(text.columns), 'column')}"
            shown = tuple(row.line for row in rows[:SHOWN])
            self.errors.append(error)
            self.skipped.append(SkippedRows(label, None, reason, len(rows), shown))
            lines = (range(row.line, row.last_line + 1) for row in rows)
            self.left_out[path] = frozenset(chain.from_iterable(lines))
        return self.as_read(path, text)

    def as_read(self, path: Path, text: Text) -> Text:
        """Return the text of a file without the lines that were left out."""
        left_out = self.left_out.get(path)
        return text if left_out is None else replace(text, left_out=left_out)

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
