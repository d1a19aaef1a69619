"""From which size an index pays: queries per second and recall, against the exact top-k kernel.

Items are vectors of length 64: mixtures of 500 random tastes with noise, and with lengths as uneven
as popularity makes them. Queries are mixtures with less noise. Both searches answer the same
queries with lists of 10: without rules, and with 20 items excluded per query and a rule that allows
one item in ten.

    python benchmarks/index.py --items 100000 1000000 --json index.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from shortlist.models.indexed import build_graph, item_rows, open_graph, search
from shortlist.scoring.scores import FactorScores, Floats, ItemFactors
from shortlist.scoring.selection import Best, Eligible, top_k
from shortlist.text import text_table

K, SIZE, TASTES = 10, 64, 500


def random_scores(n_items: int, n_queries: int, seed: int) -> FactorScores:
    """Draw items and queries."""
    rng = np.random.default_rng(seed)
    tastes = rng.normal(0, 1, (TASTES, SIZE)).astype(np.float32)

    def mixtures(count: int, noise: float) -> Floats:
        vectors = rng.normal(0, noise, (count, SIZE)).astype(np.float32)
        for _ in range(2):
            vectors += tastes[rng.integers(0, TASTES, count)] * rng.random((count, 1), np.float32)
        return vectors

    items = mixtures(n_items, 0.3) * rng.lognormal(0, 0.3, (n_items, 1)).astype(np.float32)
    return FactorScores(mixtures(n_queries, 0.2), ItemFactors.from_rows(items))


def eligible(n_items: int, n_queries: int, ruled: bool, seed: int) -> Eligible:
    """Make every item eligible, or one item in ten without 20 excluded items per query."""
    rng = np.random.default_rng(seed)
    excluded = 20 if ruled else 0
    return Eligible(
        np.arange(n_queries + 1, dtype=np.int64) * excluded,
        rng.integers(0, n_items, n_queries * excluded).astype(np.int32),
        rng.random((1, n_items)) < 0.1,
        np.full(n_queries, 0 if ruled else -1, dtype=np.int32),
        np.arange(n_items, dtype=np.int32),
    )


def best_of(times: int, call: Callable[[], Best]) -> tuple[Best, float]:
    """Call several times; return the result and the shortest time."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - started)
    return result, min(seconds)


def measure(n_items: int, n_queries: int, expansions: list[int], seed: int) -> list[dict[str, Any]]:
    """Measure the kernel and each expansion of the graph; return one row for each."""
    scores = random_scores(n_items, n_queries, seed)
    items = item_rows(scores)
    started = time.perf_counter()
    graph = build_graph(items, connectivity=16, expansion_add=128)
    build = time.perf_counter() - started
    rows: list[dict[str, Any]] = []
    for ruled in (False, True):
        allowed = eligible(n_items, n_queries, ruled, seed)
        exact, seconds = best_of(3, partial(top_k, scores, allowed, K))
        rows.append({"search": "exact", "recall": 1.0, "seconds": seconds, "build": 0.0})
        rows[-1] |= {"ruled": ruled}
        for expansion in expansions:
            index = open_graph(graph, n_items, expansion)
            found, seconds = best_of(3, partial(search, index, items, scores, allowed, K))
            if not (found.rows >= 0).all():
                raise SystemExit("a list is shorter than k")
            hits = [
                len(np.intersect1d(a, b)) / K for a, b in zip(exact.rows, found.rows, strict=True)
            ]
            rows.append({"search": f"graph, {expansion}", "recall": float(np.mean(hits))})
            rows[-1] |= {"seconds": seconds, "build": build, "ruled": ruled}
    exact_seconds: dict[bool, float] = {
        row["ruled"]: row["seconds"] for row in rows if row["search"] == "exact"
    }
    for row in rows:
        row |= {
            "items": n_items,
            "queries_a_second": n_queries / row["seconds"],
            "times_exact": exact_seconds[row["ruled"]] / row["seconds"],
            "graph_mb": len(graph) / 2**20,
        }
    return rows


def main() -> None:
    """Measure, print a table, and write JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--expansions", type=int, nargs="+", default=[64, 128, 512])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for n_items in arguments.items:
        rows += measure(n_items, arguments.queries, arguments.expansions, arguments.seed)
        shown = [
            [
                f"{row['items']:,}", row["search"], "1 in 10, 20 excluded" if row["ruled"] else "",
                f"{row['queries_a_second']:,.0f}", f"{row['times_exact']:.1f}",
                f"{row['recall']:.4f}", f"{row['build']:.0f}",
            ]
            for row in rows
        ]  # fmt: skip
        header = ["items", "search", "rules", "queries/s", "x exact", f"recall@{K}", "build s"]
        print(text_table(header, shown), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
