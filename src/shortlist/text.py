"""Figures and tables as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO

_WIDE = 10_000  # a table is as wide as its content; the terminal wraps, we never cut


def figure(value: float) -> str:
    """Four decimals for shares, one for counts.

    Examples
    --------
    >>> figure(0.12345), figure(123.45)
    ('0.1235', '123.5')
    """
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"


def span(low: float, high: float) -> str:
    """An interval in brackets.

    Examples
    --------
    >>> span(-0.25, 0.5)
    '[-0.2500, 0.5000]'
    """
    return f"[{figure(low)}, {figure(high)}]"


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Line up columns: the first to the left, the others to the right.

    Examples
    --------
    >>> print(text_table(["model", "recall"], [["A", "0.5"], ["Best", "0.75"]]))
    model | recall
    ------+-------
    A     |    0.5
    Best  |   0.75
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.ASCII2, show_edge=False, padding=(0, 1), pad_edge=False)
    for position, name in enumerate(header):
        table.add_column(name, justify="right" if position else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    page = StringIO()
    Console(file=page, width=_WIDE, no_color=True, markup=False, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())
