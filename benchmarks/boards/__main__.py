"""Every model on every data set at hand, beside the published figures, as Markdown tables.

    SHORTLIST_DATA=FOLDER python -m benchmarks.boards [--data lastfm,sports] [--models EASE,Cascade]
        [--trials 10] [--results FILE] [--page docs/boards.md]

Nothing is chosen by the test: ``--trials`` also tunes every model, on a fold of the training side.
Figures have 95% bootstrap intervals over users. Seconds are those of fitting, tuning included.
Memory is the peak of the process, data and test included. ``--results`` keeps the rows in a file: a
row that is measured again replaces the old one. ``--page`` writes all rows of that file as a page.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from shortlist.errors import ShortlistError
from shortlist.models.registry import MODULES

from .data_sets import READERS
from .measuring import measured
from .page import page, table

MODELS = (
    "Popularity", "UserCosine", "ItemCosine", "RP3beta", "GraphFilter", "EASE", "SparseEASE",
    "IALS", "ContentBased", "Hybrid", "MatrixFactorization", "Cascade",
)  # fmt: skip
UNTUNED = ("Popularity", "Cascade")  # nothing to tune, and tuned by itself


def key(row: dict[str, Any]) -> tuple[int, int, bool]:
    """Return what a row is about, in the order of the page."""
    return list(READERS).index(row["board"]), list(MODULES).index(row["model"]), row["tuned"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=",".join(READERS), help="names, separated by commas")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--trials", type=int, default=0, help="also tune each model")
    parser.add_argument("--only-tuned", action="store_true", help="do not measure the defaults")
    parser.add_argument("--results", type=Path, help="JSON file to keep the rows in")
    parser.add_argument("--page", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    root = Path(os.environ.get("SHORTLIST_DATA", ""))
    rows: dict[tuple[int, int, bool], dict[str, Any]] = {}
    if options.results and options.results.exists():
        rows = {key(row): row for row in json.loads(options.results.read_text(encoding="utf-8"))}
    for board in filter(None, options.data.split(",")):
        if not board.startswith("jobs") and not (root / board).is_dir():
            print(f"\n{board}: SHORTLIST_DATA names no folder that holds it", flush=True)
            continue
        for model in options.models.split(","):
            trials = {options.trials if model not in UNTUNED else 0}
            for count in sorted(trials if options.only_tuned else trials | {0}):
                try:
                    row = measured(root, board, model, count)
                except ShortlistError as error:
                    print(f"{board}, {model}: {error.what}", flush=True)
                    continue
                rows[key(row)] = row
                print(table([row]), flush=True)
                if options.results:
                    kept = json.dumps([rows[each] for each in sorted(rows)], indent=1)
                    options.results.write_text(kept + "\n", encoding="utf-8")
    ordered = [rows[each] for each in sorted(rows)]
    if options.page:
        options.page.write_text(page(ordered), encoding="utf-8")


if __name__ == "__main__":
    main()
