"""Seconds to read tables into a Dataset, and for the first steps with it.

    python benchmarks/ingest.py [--rows 1e6,5e6,20e6] [--forms arrow,parquet,csv] [--json OUT]

The rows are synthetic and in random order, with 145 rows per user and 740 per item (as in ML-20M),
64-bit ids, a weight and a time. Files are written to a temporary folder and are in the page cache
when they are read. CPU seconds are the sum over all threads: if they are not more than the seconds,
other processes used the other cores. Memory is the peak of the process, and its peak before.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from shortlist.data import split
from shortlist.data.dataset import Dataset

FORMS = ("arrow", "text ids", "parquet", "csv")


def synthetic(n: int, seed: int = 0) -> pa.Table:
    """Draw ``n`` rows; users' activity is log-normal, items' popularity a power law."""
    rng = np.random.default_rng(seed)
    n_users, n_items = max(n // 145, 2), max(n // 740, 2)
    activity = np.cumsum(rng.lognormal(sigma=1.0, size=n_users))
    popularity = np.cumsum((np.arange(n_items) + 50.0) ** -0.9)
    users = np.searchsorted(activity / activity[-1], rng.random(n))
    items = rng.permutation(n_items)[np.searchsorted(popularity / popularity[-1], rng.random(n))]
    return pa.table(
        {
            "user_id": users * 7 + 3,
            "item_id": items * 3 + 1,
            "rating": rng.integers(1, 11, n) / 2,
            "timestamp": rng.integers(789_652_009, 1_427_784_002, n),
        }
    )


def as_form(table: pa.Table, form: str, folder: Path) -> Any:
    if form == "parquet":
        parquet.write_table(table, folder / "log.parquet")
        return folder / "log.parquet"
    if form == "csv":
        csv.write_csv(table, folder / "log.csv")
        return folder / "log.csv"
    if form == "text ids":
        for column, name in enumerate(("user_id", "item_id")):
            text = pa.compute.binary_join_element_wise(
                name[0].upper(), table.column(name).cast(pa.string()), ""
            )
            table = table.set_column(column, name, text)
    return table


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # GiB


def measure(rows: int, form: str) -> dict[str, Any]:
    """Time each stage once, in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        source = as_form(synthetic(rows), form, Path(folder))
        before = peak()
        result: dict[str, Any] = {"rows": rows, "form": form}

        def timed(name: str, work: Callable[[], Any]) -> Any:
            started, busy = time.perf_counter(), time.process_time()
            answer = work()
            result[name] = round(time.perf_counter() - started, 3)
            result[f"{name} cpu"] = round(time.process_time() - busy, 3)
            return answer

        data = timed(
            "from_tables", lambda: Dataset.from_tables(source, weight="rating", time="timestamp")
        )
        result |= {"pairs": len(data), "peak": round(peak(), 2), "before": round(before, 2)}
        timed("matrix", lambda: data.matrix)
        timed("fingerprint", lambda: data.fingerprint)
        timed("leave_last_out", lambda: split.leave_last_out(data))
        timed("random", lambda: split.random(data))
    return result


COLUMNS = {
    "rows": "rows", "form": "form", "pairs": "pairs", "from_tables": "from_tables s",
    "from_tables cpu": "cpu s",
    "matrix": "matrix s", "fingerprint": "fingerprint s", "leave_last_out": "leave_last_out s",
    "random": "random s", "peak": "peak GiB", "before": "before GiB",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default="1e6,5e6,20e6", help="separated by commas")
    parser.add_argument("--forms", default=",".join(FORMS), help=f"of {', '.join(FORMS)}")
    parser.add_argument("--repeats", type=int, default=1, help="number of runs; the fastest counts")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    forms = [form.strip() for form in arguments.forms.split(",")]
    if not set(forms) <= set(FORMS):
        parser.error(f"--forms: choose from {', '.join(FORMS)}")
    spawn, results = multiprocessing.get_context("spawn"), []
    print("  ".join(f"{title:>{max(len(title), 10)}}" for title in COLUMNS.values()))
    for rows in (int(float(text)) for text in arguments.rows.split(",")):
        for form in forms:
            runs = []
            for _ in range(arguments.repeats):
                with spawn.Pool(1) as pool:  # a fresh process, so that its peak is this run's
                    runs.append(pool.apply(measure, (rows, form)))
            best = min(runs, key=lambda run: run["from_tables"])
            results.append(best)
            cells = [f"{best[name]:,}" if name != "form" else form for name in COLUMNS]
            widths = [max(len(title), 10) for title in COLUMNS.values()]
            print("  ".join(f"{c:>{w}}" for c, w in zip(cells, widths, strict=True)), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
