"""The rows of the boards as a page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from shortlist.text import span

from .data_sets import PUBLISHED

HEAD = """# Boards

Written by `SHORTLIST_DATA=FOLDER python -m benchmarks.boards --trials 10 --results FILE --page
docs/boards.md`.

Every model as it comes. Rows marked "tuned", where there are any, have the best of ten settings
(the first of them the defaults) on a fold of the training side. The test side chose nothing. In
brackets are 95% bootstrap intervals over users. Full catalogue, items of the training side left
out; only ML-1M ranks each item among 99 drawn ones, as in the NCF paper. CPU s: processor seconds
of both cores for fitting, tuning included; s: the same on the clock, while other work ran on the
machine. MB: peak memory of the process, data and evaluation included. `EASE` is left out above
9,000 items; `SASRec` has [its own page](models/sasrec.md).
"""

ABOUT = {
    "jobs-clear": "Synthetic job board, features tell much; one random choice a person held out.",
    "jobs-codes": "Synthetic job board of codes that tell little, calibrated on a real one; one "
    "random choice a person held out.",
    "jobs-places": "Synthetic job board, titles, places and times; the last view held out.",
    "ml-1m": "MovieLens 1M in the protocol of the NCF paper: the last choice among 99 drawn items.",
    "lastfm": "Artists of Last.fm listeners; the given test part.",
    "beauty": "A shop, sparse; the given test part.",
    "sports": "A shop, sparse; the given test part.",
    "beauty-seq": "A shop with the order of choices and item features; the last choice held out.",
    "toys-seq": "A shop with the order of choices and item features; the last choice held out.",
}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the Markdown table of a board."""
    metrics = [name for name in rows[0] if "@" in name and "," not in name]
    head = ["model", *metrics, "CPU s", "s", "MB"]
    lines = [head, ["---"] * len(head)]
    for name, figures in PUBLISHED.get(rows[0]["board"], {}).items():
        lines.append([f"{name}, published", *figures, "", "", ""])
    for row in rows:
        cells = [f"`{row['model']}`" + (", tuned" if row["tuned"] else "")]
        for metric in metrics:
            cells.append(f"{row[metric]:.4f} {span(*row[f'{metric}, interval'])}")
        costs = (row["processor"], row["seconds"], row["megabytes"])
        lines.append([*cells, *(f"{cost:,.0f}" for cost in costs)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(rows: Sequence[dict[str, Any]]) -> str:
    """Return the page of all boards, given their rows in order."""
    parts = [HEAD]
    for board, of_board in groupby(rows, key=lambda row: row["board"]):
        parts.append(f"## {board}\n\n{ABOUT[board]}\n\n{table(list(of_board))}\n")
    return "\n".join(parts)
