"""A source of rows, and the location of a value in it for error messages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shortlist.data.formats import scan


@dataclass(frozen=True)
class Source:
    """Rows of a file or a frame.

    Attributes
    ----------
    label
        The name in messages: that of the file or the table.
    query
        SQL that yields the rows in order.
    path
        The file; None for a frame.
    text
        How a text file is divided into rows and columns; None for a frame and for Parquet.
    """

    label: str
    query: str
    path: Path | None = None
    text: scan.Text | None = None

    def row(self, record: int) -> int:
        """Return the number of a row as a person counts, from 1: in a text file, its line."""
        if self.path is not None and self.text is not None:
            return scan.row_number(self.path, self.text, record)
        return record + 1

    def where(self, record: int | None, column: str, others: int = 0) -> str:
        """Return the location of a value, with the number of other rows that have the same error.

        Examples
        --------
        >>> Source("users", "FROM users").where(6, "age", others=2)
        "users, row 7 (and 2 more rows), column 'age'"
        """
        row = "" if record is None else f", row {self.row(record)}"
        return f"{self.label}{row}{more_rows(others)}, column '{column}'"


def more_rows(count: int) -> str:
    """Return " (and 2 more rows)" for messages; an empty text if there are none.

    Examples
    --------
    >>> more_rows(1)
    ' (and 1 more row)'
    """
    return f" (and {count:,} more {'row' if count == 1 else 'rows'})" if count else ""
