"""Accuracy on ML-100K: leave-last-out by time, every rating one interaction, full ranking.

Settings are tuned by NDCG@10 on a validation fold (the interaction before the test interaction),
once, on the first seed. A seed decides which of several interactions with the same, last time is
held out; the table has the mean over the seeds and, in brackets, the minimum and the maximum.

    python benchmarks/accuracy.py [--seeds 5] [--json OUT]
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import shortlist as sl
from shortlist.models.registry import model_class
from shortlist.progress import track
from shortlist.text import text_table

METRICS = ("hit_rate@5", "hit_rate@10", "ndcg@10")
FIXED: dict[str, dict[str, Any]] = {  # the settings of published figures
    "Popularity": {},
    "UserCosine": {"neighbors": 20},
    "ItemCosine": {"neighbors": 20, "weighting": "binary", "shrinkage": 0},
    "EASE": {"regularization": 100},
}
GRIDS: dict[str, dict[str, list[Any]]] = {
    "UserCosine": {
        "neighbors": [10, 20, 50, 100, 200],
        "weighting": ["binary", "tfidf", "bm25"],
        "shrinkage": [0, 10],
    },
    "ItemCosine": {
        "neighbors": [10, 20, 50, 100, 200],
        "weighting": ["binary", "tfidf", "bm25"],
        "shrinkage": [0, 10],
    },
    "EASE": {"regularization": [30, 100, 300, 1000]},
    "IALS": {
        "embedding_size": [32, 64, 128],
        "unobserved_weight": [0.03, 0.1, 0.3, 1.0],
        "regularization": [0.001, 0.003, 0.01, 0.03],
    },
}


def tuned(name: str, train: sl.Dataset, seed: int) -> dict[str, Any]:
    """Return the settings of the grid with the best NDCG@10 on a validation fold of ``train``."""
    inner, validation = sl.split.leave_last_out(train, seed=seed)
    grid = GRIDS[name]
    settings = [
        dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())
    ]
    scores = [
        sl.evaluate(model_class(name)(**values).fit(inner), inner, validation, k=10)["ndcg@10"]
        for values in track(settings, f"tuning {name}")
    ]
    return settings[int(np.argmax(scores))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        sl.Store.create(Path(folder) / "films.duckdb", "movies") as store,
    ):
        store.load(sl.fetch("ml-100k"))
        data = store.dataset()
    first = sl.split.leave_last_out(data, seed=0)[0]
    runs = [(name, "fixed", settings) for name, settings in FIXED.items()]
    runs += [(name, "defaults", {}) for name in GRIDS]
    runs += [(name, "tuned", tuned(name, first, seed=0)) for name in GRIDS]
    rows: list[dict[str, Any]] = []
    for name, how, settings in track(runs, "evaluating"):
        reports = []
        for seed in range(options.seeds):
            train, test = sl.split.leave_last_out(data, seed=seed)
            reports.append(sl.evaluate(model_class(name)(**settings).fit(train), train, test))
        values = {metric: [report[metric] for report in reports] for metric in METRICS}
        rows.append({"model": name, "how": how, "settings": settings, **values})
    cells = [
        [f"{row['model']} ({row['how']})"]
        + [f"{np.mean(row[m]):.4f} [{min(row[m]):.4f}, {max(row[m]):.4f}]" for m in METRICS]
        + [", ".join(f"{key}={value}" for key, value in row["settings"].items())]
        for row in rows
    ]
    print(f"{data}, {options.seeds} seeds")
    print(text_table(["model", *METRICS, "settings"], cells))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
