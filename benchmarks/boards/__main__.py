"""Every model on every data set at hand, beside the published figures, as Markdown tables.

    SHORTLIST_DATA=FOLDER python -m benchmarks.boards [--data lastfm,sports] [--models EASE,Cascade]
        [--trials 20] [--json OUT]

Nothing is chosen by the test: ``--trials`` also tunes every model, on folds of the training side.
Figures have 95% bootstrap intervals over users. Seconds are those of fitting, tuning included.
Memory is the peak of the process, data and test included.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shortlist.errors import ShortlistError
from shortlist.text import span

from .data_sets import PUBLISHED, READERS
from .measuring import measured

MODELS = (
    "Popularity", "UserCosine", "ItemCosine", "EASE", "IALS", "ContentBased", "Hybrid",
    "MatrixFactorization", "Cascade",
)  # fmt: skip
UNTUNED = ("Popularity", "Cascade")  # nothing to tune, and tuned by itself


def table(rows: Sequence[dict[str, Any]], published: Mapping[str, tuple[str, str]]) -> str:
    """Return the Markdown table of a board."""
    metrics = [name for name in rows[0] if "@" in name and "," not in name]
    head = ["model", *metrics, "s", "MB"]
    lines = [head, ["---"] * len(head)]
    for name, figures in published.items():
        lines.append([f"{name}, published", *figures, "", ""])
    for row in rows:
        cells = [row["model"] + (" (tuned)" if row["tuned"] else "")]
        for metric in metrics:
            cells.append(f"{row[metric]:.4f} {span(*row[f'{metric}, interval'])}")
        lines.append([*cells, f"{row['seconds']:.0f}", f"{row['megabytes']:.0f}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=",".join(READERS), help="names, separated by commas")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--trials", type=int, default=0, help="also tune each model")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    root = Path(os.environ.get("SHORTLIST_DATA", ""))
    found: list[dict[str, Any]] = []
    for board in options.data.split(","):
        if not board.startswith("jobs") and not (root / board).is_dir():
            print(f"\n{board}: SHORTLIST_DATA names no folder that holds it", flush=True)
            continue
        rows: list[dict[str, Any]] = []
        for model in options.models.split(","):
            for trials in sorted({0, options.trials if model not in UNTUNED else 0}):
                try:
                    rows.append(measured(root, board, model, trials))
                except ShortlistError as error:
                    print(f"{board}, {model}: {error.what}", flush=True)
        if rows:
            print(f"\n**{board}**\n\n{table(rows, PUBLISHED.get(board, {}))}", flush=True)
        found += rows
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
