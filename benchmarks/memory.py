"""Peak memory of ``recommend`` for all users, at doubling numbers of users.

Each run is its own process: it makes the data and a model with random vectors (memory does not
depend on their values), records its peak memory, writes the best 20 items of all users to a Parquet
file, and records the peak again. The result grows with the users and is reported separately.

    python benchmarks/memory.py [--users 50000 100000 200000] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import shortlist as sl
from shortlist.models.ials.model import IALSLearned
from shortlist.text import text_table

ITEMS, FACTORS, K, PER_USER = 10_000, 64, 20, 30


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one_run(n_users: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(n_users), PER_USER)
    items = rng.integers(0, ITEMS, len(users))
    log = pa.table({"user_id": users, "item_id": items})
    data = sl.Dataset.from_tables(log, items=pa.table({"item_id": np.arange(ITEMS)}))
    vectors, others = (
        rng.normal(size=(n, FACTORS)).astype(np.float32) for n in (data.n_users, data.n_items)
    )
    settings = {"regularization": 0.002, "unobserved_weight": 0.1}
    model = sl.IALS(embedding_size=FACTORS, **settings)
    model.restore(
        data,
        IALSLearned(vectors, others, *model.learn_maps(data, vectors, others), settings),
        model.history,
    )
    model.recommend([0], k=K)  # compiles
    before = peak_mb()
    with tempfile.TemporaryDirectory() as folder:
        lists = model.recommend(k=K)
        lists.write(Path(folder) / "lists.parquet")
    result = lists.to_arrow().nbytes / 2**20
    return {"users": n_users, "before": before, "peak": peak_mb(), "result": result}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=[50_000, 100_000, 200_000])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one_run(options.one)))
        return
    rows = []
    for n_users in options.users:
        command = [sys.executable, __file__, "--one", str(n_users)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows.append(json.loads(output))
    cells = [
        [
            f"{row['users']:,}",
            f"{row['before']:.0f}",
            f"{row['peak']:.0f}",
            f"{row['result']:.0f}",
            f"{max(0, row['peak'] - row['before'] - row['result']):.0f}",
        ]
        for row in rows
    ]
    header = ["users", "MB before", "peak MB", "result MB", "rest MB"]
    print(text_table(header, cells))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
