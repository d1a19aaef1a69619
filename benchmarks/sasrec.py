"""SASRec on sequences, chosen on the last item but one and tested on the last: full ranking.

    python benchmarks/sasrec.py INTERACTIONS.parquet [INTERACTIONS.parquet ...]
        [--device cuda] [--settings '{"dropout": 0.5}' ...] [--others IALS,EASE]

A table has the columns ``user_id``, ``item_id`` and ``position``, the order in time. Of several
settings each is fitted without the last two items of each user and measured on the last but one;
the best by NDCG@10 is fitted without the last one and measured on it, as are ``--others`` with
their defaults.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import shortlist as sl
from shortlist.models.registry import model_class

METRICS = ("hit_rate@10", "ndcg@10")


def measured(model: Any, train: sl.Dataset, test: sl.Dataset, label: str) -> float:
    """Fit and print the figures; return NDCG@10."""
    started = time.perf_counter()
    model.fit(train)
    fitted = time.perf_counter()
    report = sl.evaluate(model, train, test, k=(10,))
    figures = "  ".join(
        f"{name} {report[name]:.4f} ({report.interval(name)[0]:.4f}-{report.interval(name)[1]:.4f})"
        for name in METRICS
    )
    losses = model.history.column_names[1:] and model.history.column("loss").to_pylist()
    loss = f"  loss {losses[-1]:.3f}" if losses else ""
    done = time.perf_counter()
    print(
        f"{label}  {model!r}  {figures}{loss}  fit {fitted - started:.0f} s, "
        f"lists {done - fitted:.0f} s",
        flush=True,
    )
    return report["ndcg@10"]


def main() -> None:
    """Choose, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("interactions", type=Path, nargs="+")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--settings", nargs="*", default=["{}"], help="JSON objects")
    parser.add_argument("--others", default="", help="other models, separated by commas")
    options = parser.parse_args()
    for path in options.interactions:
        data = sl.Dataset.from_tables(str(path), time="position")
        known, test = sl.split.leave_last_out(data, order="time")
        train, valid = sl.split.leave_last_out(known, order="time")
        print(f"{path}: {data}", flush=True)
        tried = [json.loads(text) | {"device": options.device} for text in options.settings]
        if len(tried) > 1:
            found = [measured(sl.SASRec(**one), train, valid, "validation") for one in tried]
            tried = [tried[found.index(max(found))]]
        measured(sl.SASRec(**tried[0]), known, test, "test")
        for name in filter(None, options.others.split(",")):
            measured(model_class(name)(), known, test, "test")


if __name__ == "__main__":
    main()
