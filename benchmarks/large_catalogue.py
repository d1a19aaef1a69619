"""Which families fit a million items into 16 GB: seconds, peak memory, or the refusal.

    python benchmarks/large_catalogue.py [--items 1000000] [--interactions 20000000]
        [--gigabytes 16] [--models IALS,SparseEASE] [--json OUT]

The data is synthetic: popularity falls like 1 / rank, twenty choices a user. Every model is fitted
in a process of its own, whose address space is limited, and lists ten items for a thousand users.
What a model refuses, or dies of, is shown in place of the figures.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import ShortlistError
from shortlist.models.registry import model_class
from shortlist.text import text_table

MODELS = ("Popularity", "ItemCosine", "UserCosine", "RP3beta", "GraphFilter", "IALS", "SparseEASE",
          "EASE", "SASRec")  # fmt: skip
PER_USER, LISTED = 20, 1000


def power_law(n_items: int, n_interactions: int) -> Dataset:
    """Draw items in proportion to 1 / rank; repeated pairs count once."""
    rng, n_users = np.random.default_rng(0), n_interactions // PER_USER
    users = np.repeat(np.arange(n_users), PER_USER)
    ranks = np.exp(rng.random(len(users)) * np.log(n_items))
    keys = np.unique(users * n_items + (ranks - 1).astype(np.int64))
    return Dataset(
        Vocabulary(pa.array(np.arange(n_users)), kind="user"),
        Vocabulary(pa.array(np.arange(n_items)), kind="item"),
        (keys // n_items).astype(np.int32),
        (keys % n_items).astype(np.int32),
        np.ones(len(keys), dtype=np.float32),
        None,
        np.arange(len(keys)),
    )


def one_run(name: str, n_items: int, n_interactions: int, gigabytes: float) -> dict[str, Any]:
    """Fit and list in this process, and print what it took or why it could not."""
    limit = int(gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    data = power_law(n_items, n_interactions)
    started, processor = time.perf_counter(), time.process_time()
    try:
        model = model_class(name)().fit(data)
        fitted, used = time.perf_counter(), time.process_time()
        model.recommend(list(range(LISTED)), k=10)
    except (ShortlistError, MemoryError) as error:
        return {"model": name, "outcome": str(error).replace("\n  to do:", ";") or "out of memory"}
    return {
        "model": name,
        "outcome": "fits",
        "fit s": round(fitted - started),
        "fit CPU s": round(used - processor),
        "lists s": round(time.perf_counter() - fitted, 1),
        "peak GB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 1),
    }


def main() -> None:
    """Run every model in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--interactions", type=int, default=20_000_000)
    parser.add_argument("--gigabytes", type=float, default=16)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    size = options.items, options.interactions, options.gigabytes
    if options.one:
        print(json.dumps(one_run(options.models, *size)))
        return
    rows = []
    for name in options.models.split(","):
        numbers = ["--items", str(size[0]), "--interactions", str(size[1]), "--gigabytes",
                   str(size[2])]  # fmt: skip
        command = [sys.executable, __file__, "--one", "--models", name, *numbers]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        row = {"model": name, "outcome": f"died with exit code {done.returncode}"}
        if done.returncode == 0:
            row = json.loads(done.stdout.splitlines()[-1])
        print(json.dumps(row), file=sys.stderr, flush=True)
        rows.append(row)
    columns = ["model", "fit s", "fit CPU s", "lists s", "peak GB", "outcome"]
    print(text_table(columns, [[str(row.get(name, "")) for name in columns] for row in rows]))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
