"""Numbers and tables as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from io import StringIO
from typing import Any

_RULE = re.compile(r"-+(\+-+)+")  # below the header of a table
_NUMBER = re.compile(r"[-+<\[ ]*\d")
_LEAST_WORDS = 24  # the width of a column of words, with its margins
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
    Console(file=output, width=_WIDTH, no_color=True, markup=False, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines())


def cells(rows: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Return the values of rows as text for a table: numbers to four decimals, blanks for None.

    >>> cells([{"item": 7, "score": 0.25, "title": None}])
    [['7', '0.2500', '']]
    """

    def text(value: Any) -> str:
        return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)

    return [[text(value) for value in row.values()] for row in rows]


def html(text: str) -> str:
    """Format a text for a notebook: the tables of :func:`text_table` in it become HTML tables.

    >>> html(text_table(["who", "pay"], []))[:47]
    '<table><tr><th style="text-align:left">who</th>'
    """
    lines, start, parts = text.splitlines(), 0, []
    for first, end in [*_tables(lines), (len(lines), len(lines))]:
        if words := escape("\n".join(lines[start:first]).strip()):
            parts.append(f"<p>{words.replace(chr(10), '<br>')}</p>")
        if first < end:
            parts.append(_html_table(lines[first:end]))
        start = end
    return "".join(parts)


def _html_table(lines: Sequence[str]) -> str:
    """Format the lines of a table; columns of which most cells are numbers are right-aligned."""
    widths = [len(part) for part in lines[1].split("+")]
    rows = [[cell.strip() for cell in _cut(line, widths)] for line in lines]
    del rows[1]  # the rule
    columns = zip(*rows[1:], strict=True) if rows[1:] else [()] * len(widths)
    numbers = [sum(bool(_NUMBER.match(cell)) for cell in column) for column in columns]
    sides = ["right" if 2 * count > len(rows) - 1 else "left" for count in numbers]
    formatted = [
        "".join(
            f'<{tag} style="text-align:{side}">{escape(cell)}</{tag}>'
            for cell, side in zip(row, sides, strict=True)
        )
        for tag, row in [("th", rows[0]), *(("td", row) for row in rows[1:])]
    ]
    return f"<table><tr>{'</tr><tr>'.join(formatted)}</tr></table>"


def _tables(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Find the tables of :func:`text_table`: the positions of their headers and of their ends."""
    end = 0
    for number, rule in enumerate(lines):
        if number <= end or not _RULE.fullmatch(rule):
            continue
        header, end = number - 1, number + 1
        while end < len(lines) and lines[end].count(" |") >= rule.count("+"):
            end += 1
        yield header, end


def folded(text: str, width: int) -> str:
    """Fit the tables in a text into ``width``.

    Columns of words, such as titles, are shortened as far as is needed and as they stay readable.
    A table that is still too wide is broken into several, one below the other; each has the first
    column again. The tables are those of :func:`text_table`.

    >>> print(folded(text_table(["who", "tea", "rye"], [["ann", "12", "7"]]), 10))
    who | tea
    ----+-----
    ann |  12
    <BLANKLINE>
    who | rye
    ----+----
    ann |   7
    """
    lines, done, start = text.splitlines(), [], 0
    for first, end in _tables(lines):
        if len(lines[first + 1]) > width:
            done += [*lines[start:first], *_parts(_narrowed(lines[first:end], width), width)]
            start = end
    return "\n".join([*done, *lines[start:]])


def _narrowed(table: Sequence[str], width: int) -> list[str]:
    """Shorten the widest columns of words, but not the first column, until a table fits."""
    from rich.cells import cell_len, set_cell_size

    full = [len(part) for part in table[1].split("+")]
    rows = [[cell.strip() for cell in _cut(line, full)] for line in table]
    words = [n for n, cells in enumerate(zip(*rows, strict=True)) if n and " " in "".join(cells)]
    widths = full.copy()
    while (excess := sum(widths) + len(widths) - 1 - width) > 0:
        if not words or widths[widest := max(words, key=widths.__getitem__)] <= _LEAST_WORDS:
            break
        widths[widest] = max(_LEAST_WORDS, widths[widest] - excess)
    if widths == full:
        return list(table)
    for row in rows:
        for n in words:
            if widths[n] < full[n] and cell_len(row[n]) > widths[n] - 2:
                row[n] = f"{set_cell_size(row[n], widths[n] - 3).rstrip()}…"
    return text_table(rows[0], rows[2:]).splitlines()


def _parts(table: Sequence[str], width: int) -> list[str]:
    """Return the lines of a table in parts; its second line is the rule below the header."""
    widths = [len(part) for part in table[1].split("+")]
    rows = [_cut(line, widths) for line in table]
    groups: list[list[int]] = [[]]
    for column in range(1, len(widths)):
        taken = widths[0] + sum(1 + widths[other] for other in [*groups[-1], column])
        if groups[-1] and taken > width:
            groups.append([])
        groups[-1].append(column)
    lines: list[str] = []
    for group in groups:
        parts = ["|".join([row[0], *(row[column] for column in group)]).rstrip() for row in rows]
        parts[1] = parts[1].replace("|", "+")
        lines += [*([""] if lines else []), *parts]
    return lines


def _cut(line: str, widths: Sequence[int]) -> list[str]:
    """Cut a line of a table into its cells, each with its blanks."""
    from rich.cells import cell_len

    cells, at = [], 0
    for cell_width in widths:
        end, taken = at, 0
        while end < len(line) and taken < cell_width:
            taken += cell_len(line[end])
            end += 1
        cells.append(line[at:end] + " " * (cell_width - taken))
        at = end + 1  # without the line between the cells
    return cells
