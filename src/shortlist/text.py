"""Numbers and tables as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import StringIO
from itertools import groupby
from typing import Any

_NUMBER = re.compile(r"[-+<\[ ]*\d")
_LEAST_WORDS = 22  # the width of a column of words
_GAP = 3  # between two columns: " | "
_WIDTH = 10_000  # wide enough that rich never truncates a cell; the terminal wraps lines


def figure(value: float) -> str:
    """Format a number: four decimals below 10 in magnitude, one decimal otherwise."""
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"


def shown(value: Any, limit: int = 300) -> str:
    """Return the ``repr`` of a value for a message, of a bounded length."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # Python writes no integer of more than 4,300 digits
        return f"a value of type {type(value).__name__} that is too large to show"
    return shortened(text, limit)


def shortened(text: str, limit: int) -> str:
    """Return the start of a text that is longer than ``limit`` characters, followed by ``...``."""
    return text if len(text) <= limit else f"{text[:limit]}..."


def counted(count: int, noun: str) -> str:
    """Return a number of things: ``1 row``, ``2,000 rows``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def more_rows(count: int) -> str:
    """Return " (and 2 more rows)" for messages; an empty text if there are none."""
    return f" (and {counted(count, 'more row')})" if count else ""


def first_few(names: Sequence[object], most: int = 3) -> str:
    """List the first few names: ``a, b, c, ...``."""
    return ", ".join(map(str, names[:most])) + (", ..." if len(names) > most else "")


def span(low: float, high: float) -> str:
    """Format an interval as ``[low, high]``, such as ``[-0.2500, 0.5000]``."""
    return f"[{figure(low)}, {figure(high)}]"


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table; the first column is left-aligned, the others are right-aligned."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.ASCII2, show_edge=False, padding=(0, 1), pad_edge=False)
    for position, name in enumerate(header):
        table.add_column(name, justify="right" if position else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    output = StringIO()
    console = Console(
        file=output, width=_WIDTH, no_color=True, markup=False, emoji=False, highlight=False
    )
    console.print(table)
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines())


def cells(rows: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Return the values of rows as text for a table: numbers to four decimals, blanks for None.

    >>> cells([{"item": 7, "score": 0.25, "title": None}])
    [['7', '0.2500', '']]
    """

    def text(value: Any) -> str:
        return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)

    return [[text(value) for value in row.values()] for row in rows]


@dataclass(frozen=True)
class TextTable:
    """A table of a text: a header, and rows of as many cells.

    >>> print(TextTable(["who", "tea", "rye"], [["ann", "12", "7"]]).text(10))
    who | tea
    ----+----
    ann |  12
    <BLANKLINE>
    who | rye
    ----+----
    ann |   7
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self, width: int | None = None) -> str:
        """Format the table by :func:`text_table`; one that is too wide is fitted into ``width``.

        Columns of words, such as titles, are shortened as far as is needed and as they stay
        readable. A table that is still too wide is broken into several, one below the other; each
        has the first column again.
        """
        if width is None or _width(self._widths()) <= width:
            return text_table(self.header, self.rows)
        parts = self._narrowed(width)._parts(width)
        return "\n\n".join(text_table(part.header, part.rows) for part in parts)

    def html(self) -> str:
        """Format the table for a notebook; columns of mostly numbers are right-aligned."""
        numbers = [
            sum(_NUMBER.match(cell.strip()) is not None for cell in cells)
            for _, *cells in self._columns()
        ]
        sides = ["right" if 2 * count > len(self.rows) else "left" for count in numbers]
        lines = [
            "".join(
                f'<{tag} style="text-align:{side}">{escape(cell.strip())}</{tag}>'
                for cell, side in zip(row, sides, strict=True)
            )
            for tag, row in [("th", self.header), *(("td", row) for row in self.rows)]
        ]
        return f"<table><tr>{'</tr><tr>'.join(lines)}</tr></table>"

    def _columns(self) -> list[tuple[str, ...]]:
        """Return the cells of each column, its name first."""
        return list(zip(self.header, *self.rows, strict=True))

    def _widths(self) -> list[int]:
        from rich.cells import cell_len

        return [max(map(cell_len, cells)) for cells in self._columns()]

    def _narrowed(self, width: int) -> TextTable:
        """Shorten the widest columns of words, but not the first column, until the table fits."""
        from rich.cells import cell_len, set_cell_size

        columns, widths = self._columns(), self._widths()
        words = [n for n, cells in enumerate(columns) if n and " " in "".join(cells)]
        least = [_LEAST_WORDS] * (len(widths) - 1) + [_LEAST_WORDS + 1]  # no blank follows the last
        while words and (excess := _width(widths) - width) > 0:
            if widths[widest := max(words, key=widths.__getitem__)] <= least[widest]:
                break
            widths[widest] = max(least[widest], widths[widest] - excess)

        def fitted(row: Sequence[str]) -> list[str]:
            return [
                cell if cell_len(cell) <= room else f"{set_cell_size(cell, room - 1).rstrip()}…"
                for cell, room in zip(row, widths, strict=True)
            ]

        return TextTable(fitted(self.header), [fitted(row) for row in self.rows])

    def _parts(self, width: int) -> list[TextTable]:
        """Break the table into parts of at most this width, where that is possible."""
        widths = self._widths()
        groups: list[list[int]] = [[0]]
        for column in range(1, len(widths)):
            if len(groups[-1]) > 1 and _width(widths[n] for n in [*groups[-1], column]) > width:
                groups.append([0])
            groups[-1].append(column)
        return [
            TextTable(
                [self.header[n] for n in group], [[row[n] for n in group] for row in self.rows]
            )
            for group in groups
        ]


def _width(widths: Iterable[int]) -> int:
    """Return the width of a table with columns of these widths."""
    return sum(width + _GAP for width in widths) - _GAP


def as_text(content: Iterable[str | TextTable], width: int | None = None) -> str:
    """Join lines and tables; tables that are wider than ``width`` are fitted into it."""
    return "\n".join(part if isinstance(part, str) else part.text(width) for part in content)


def as_html(content: Iterable[str | TextTable]) -> str:
    """Format lines and tables for a notebook.

    >>> as_html(["a < b", TextTable(["who"], [])])
    '<p>a &lt; b</p><table><tr><th style="text-align:left">who</th></tr></table>'
    """
    done = []
    for _, group in groupby(content, type):
        parts = list(group)
        done += [part.html() for part in parts if isinstance(part, TextTable)]
        if words := escape(as_text(part for part in parts if isinstance(part, str)).strip()):
            done.append(f"<p>{words.replace(chr(10), '<br>')}</p>")
    return "".join(done)
