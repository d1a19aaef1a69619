"""From Parquet to everyone's list on disk, at growing sizes: seconds and peak memory.

    python benchmarks/growth.py [--millions 2 20 100] [--programs shortlist,implicit,rusket]
        [--peers PYTHON] [--peers-up-to 20] [--picture docs/growth.svg] [--json OUT]

iALS with 64 factors, 15 epochs, the 20 best unseen items of every user. The log is synthetic: 145
choices a user on average, 27,000 items whose popularity falls like 1 / rank^0.9. Beside ours:
pandas with implicit, and polars with rusket, both in the Python that ``--peers`` names. Every run
is a process of its own; the programs take turns.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

N_ITEMS, PER_USER, FACTORS, EPOCHS, K = 27_000, 145, 64, 15, 20
CHUNK = 1_000_000  # rows written at a time
BATCH = 10_000  # users that implicit lists at a time

Steps = Iterator[str]


def write_log(path: Path, n: int) -> None:
    """Write ``n`` interactions, grouped by user; about one in ten repeats another."""
    rng = np.random.default_rng(0)
    popularity = np.cumsum((np.arange(N_ITEMS) + 50.0) ** -0.9)
    number = rng.permutation(N_ITEMS)
    schema = pa.schema({"user_id": pa.int64(), "item_id": pa.int64()})
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, n, CHUNK):
            users = np.arange(start, min(start + CHUNK, n)) // PER_USER
            drawn = np.searchsorted(popularity, rng.random(len(users)) * popularity[-1])
            writer.write_table(pa.table([users, number[drawn]], schema=schema))


def shortlist(log: Path, out: Path) -> Steps:
    """Run ours; the settings are given, as the others choose none."""
    import shortlist as sl

    data = sl.Dataset.from_tables(log)
    yield "read"
    settings = {"regularization": 0.003, "unobserved_weight": 0.1}
    model = sl.IALS(embedding_size=FACTORS, epochs=EPOCHS, **settings).fit(data)
    yield "fit"
    model.recommend(k=K).write(out / "lists.parquet")
    yield "lists"


def implicit(log: Path, out: Path) -> Steps:
    """Run pandas and implicit, as its documentation has it."""
    import pandas as pd
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    table = pd.read_parquet(log).drop_duplicates()
    users, items = (table[name].astype("category") for name in ("user_id", "item_id"))
    ones = np.ones(len(table), np.float32)
    matrix = csr_matrix((ones, (users.cat.codes, items.cat.codes)))
    yield "read"
    model = AlternatingLeastSquares(FACTORS, iterations=EPOCHS, random_state=0)
    model.fit(matrix, show_progress=False)
    yield "fit"
    lists = []
    for start in range(0, matrix.shape[0], BATCH):
        rows = np.arange(start, min(start + BATCH, matrix.shape[0]))
        found, scores = model.recommend(rows, matrix[rows], N=K)
        ids = users.cat.categories.to_numpy()[rows]
        lists.append(
            pd.DataFrame(
                {
                    "user_id": np.repeat(ids, K),
                    "item_id": items.cat.categories.to_numpy()[found.ravel()],
                    "score": scores.ravel(),
                }
            )
        )
    pd.concat(lists).to_parquet(out / "lists.parquet")
    yield "lists"


def rusket(log: Path, out: Path) -> Steps:
    """Run polars and rusket, as its documentation has it."""
    import polars as pl
    from rusket import ALS
    from scipy.sparse import csr_matrix

    table = pl.read_parquet(log).unique(maintain_order=True)
    ones = np.ones(len(table), np.float32)
    codes = [(table[name].rank("dense") - 1).to_numpy() for name in table.columns]
    matrix = csr_matrix((ones, (codes[0], codes[1])))
    yield "read"
    model = ALS(factors=FACTORS, iterations=EPOCHS, alpha=1.0, seed=0).fit(matrix)
    yield "fit"
    pl.DataFrame(model.batch_recommend(n=K)).write_parquet(out / "lists.parquet")
    yield "lists"


PROGRAMS: dict[str, Callable[[Path, Path], Steps]] = {
    "shortlist": shortlist, "implicit": implicit, "rusket": rusket,
}  # fmt: skip


def one_run(program: str, log: Path) -> dict[str, Any]:
    """Run a program in this process; return seconds a step and the peak memory."""
    seconds, started = {}, time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for step in PROGRAMS[program](log, Path(folder)):
            seconds[step] = time.perf_counter() - started
            started = time.perf_counter()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        **seconds,
        "all": sum(seconds.values()),
        "processor": usage.ru_utime + usage.ru_stime,
        "gigabytes": usage.ru_maxrss / 2**20,
    }


def draw(rows: list[dict[str, Any]], picture: Path) -> None:
    """Draw seconds and memory by the number of interactions, both axes logarithmic."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, value, label in zip(
        axes, ("all", "gigabytes"), ("seconds", "peak memory, GB"), strict=True
    ):
        for program in dict.fromkeys(row["program"] for row in rows):
            own = [row for row in rows if row["program"] == program and value in row]
            axis.loglog(
                [row["millions"] for row in own], [row[value] for row in own], "o-", label=program
            )
        axis.set_xlabel("interactions, millions")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3, which="both")
    axes[0].legend(frameon=False)
    figure.savefig(picture)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--millions", type=float, nargs="+", default=[2, 20, 100])
    parser.add_argument("--programs", default=",".join(PROGRAMS))
    parser.add_argument("--peers", default=sys.executable, help="Python of the other programs")
    parser.add_argument(
        "--peers-up-to", type=float, default=20, help="millions; larger logs are ours alone"
    )
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one_run(options.one[0], Path(options.one[1]))))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for millions in options.millions:
            log = Path(folder) / "log.parquet"
            write_log(log, int(millions * 1_000_000))
            for program in options.programs.split(","):
                if program != "shortlist" and millions > options.peers_up_to:
                    continue
                python = sys.executable if program == "shortlist" else options.peers
                done = subprocess.run(
                    [python, __file__, "--one", program, str(log)], capture_output=True, text=True
                )
                row: dict[str, Any] = {"program": program, "millions": millions}
                if done.returncode:
                    last = done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]
                    row["trouble"] = last[0]
                else:
                    row |= json.loads(done.stdout.splitlines()[-1])
                rows.append(row)
                print(row, file=sys.stderr, flush=True)
    names = ["millions", "program", "read", "fit", "lists", "all", "processor", "gigabytes"]
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for row in rows:
        cells = [row.get(name, "") for name in names]
        shown = [f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells]
        print(f"| {' | '.join(shown)} | {row.get('trouble', '')}")
    if options.picture:
        draw(rows, options.picture)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
