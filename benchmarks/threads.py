"""The same job with 1, 2, 4, ... threads: seconds of fit and lists, and whether the bits agree.

    python benchmarks/threads.py [--data ml-1m,sports] [--models IALS,EASE] [--threads 1,2,4,8,16]

The data sets are those of ``python -m benchmarks.boards``, in the folder that SHORTLIST_DATA names.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
from boards.data_sets import READERS

from shortlist.kernels.threads import thread_limit
from shortlist.models.registry import model_class
from shortlist.text import text_table

MODELS = "ItemCosine,UserCosine,RP3beta,GraphFilter,EASE,IALS"


def timed(name: str, data: Any, threads: int) -> tuple[float, float, pa.Table]:
    """Return the seconds of the fit and of everyone's list, and the lists."""
    with thread_limit(threads):
        started = time.perf_counter()
        model = model_class(name)().fit(data)
        fitted = time.perf_counter()
        lists = pa.table(model.recommend(k=20))
        return fitted - started, time.perf_counter() - fitted, lists


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="ml-1m,sports")
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--threads", default="1,2,4,8,16")
    options = parser.parse_args()
    root = Path(os.environ.get("SHORTLIST_DATA", "."))
    rows = []
    for data_set in options.data.split(","):
        data = READERS[data_set](root).train
        for name in options.models.split(","):
            timed(name, data, os.cpu_count() or 1)  # compiles, or loads what is compiled
            expected = None
            for threads in map(int, options.threads.split(",")):
                fit, lists, table = timed(name, data, threads)
                expected = table if expected is None else expected
                same = "yes" if table.equals(expected) else "NO"
                rows.append([data_set, name, str(threads), f"{fit:.2f}", f"{lists:.2f}", same])
                print("  ".join(rows[-1]), flush=True)
    print(text_table(("data", "model", "threads", "fit s", "lists s", "same bits"), rows))


if __name__ == "__main__":
    main()
