"""A source of rows, and the location of a value in it for error messages."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shortlist.data.formats import scan


@dataclass(frozen=True)
class Source:
    """Rows of a file or a frame: its label in messages, and SQL that yields the rows in order."""

    label: str
    query: str
    path: Path | None = None  # None: a frame
    text: scan.Text | None = None  # None: a frame or Parquet

    def row(self, record: int) -> int:
        """Return the number of a row as a person counts, from 1: in a text file, its line.

        Quoted line breaks and blank lines make record numbers and line numbers differ. Only error
        messages need the line, so the file is read again instead of storing it with each row.
        """
        if self.path is None or self.text is None:
            return record + 1
        target = record + int(self.text.header)
        try:
            with scan.open_text(self.path, self.text.encoding) as stream:
                for number, line in enumerate(_record_lines(stream, self.text)):
                    if number == target:
                        return line
        except (csv.Error, UnicodeError, OSError):  # the line is only part of a message
            pass
        return target + 1

    def where(self, record: int | None, column: str, others: int = 0) -> str:
        """Return the location of a value, with the number of other rows with the same error."""
        row = "" if record is None else f", row {self.row(record)}"
        return f"{self.label}{row}{more_rows(others)}, column '{column}'"


def more_rows(count: int) -> str:
    """Return " (and 2 more rows)" for messages; an empty text if there are none."""
    return f" (and {count:,} more {'row' if count == 1 else 'rows'})" if count else ""


def _record_lines(stream: Iterator[str], text: scan.Text) -> Iterator[int]:
    """Yield the line on which each record starts; like DuckDB, skip blank lines."""
    if not text.quote:
        for line, content in enumerate(stream, start=1):
            if content.strip("\r\n") or len(text.columns) == 1:
                yield line
        return
    reader = csv.reader(stream, delimiter=text.delimiter, quotechar=text.quote)
    previous = 0
    for cells in reader:
        if cells or len(text.columns) == 1:
            yield previous + 1
        previous = reader.line_num
