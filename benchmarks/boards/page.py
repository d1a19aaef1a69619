"""The rows of the boards as a page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from shortlist.text import span

from .data_sets import ABOUT, PUBLISHED

HEAD = """# Boards

Written by `SHORTLIST_DATA=FOLDER python -m benchmarks.boards --results FILE --page docs/boards.md`
(`--trials 10` adds rows marked "tuned": the best of ten settings, the first of them the defaults,
on a fold of the training side).

Every model as it comes; a model that a board lacks was not measured there. The test side chose
nothing. In brackets are 95% bootstrap intervals over users. Full catalogue, items of the training
side left out; only ML-1M ranks each item among 99 drawn ones, as in the NCF paper. CPU s: processor
seconds of both cores for fitting; s: the same on the clock, while other work ran on the machine.
MB: peak memory of the process, data and evaluation included. `EASE` is left out above 9,000 items;
`SASRec` has [its own page](models/sasrec.md).
"""


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
