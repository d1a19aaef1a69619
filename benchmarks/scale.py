"""What lists, comparing and tuning cost on a Ray cluster: work, traffic, memory, for docs/scale.md.

``python -m benchmarks.scale --interactions 2000000`` starts a cluster on this machine with 1 and
with 2 workers. Traffic is what leaves and reaches the process that started the job. Work is the
processor time of all processes. Without a cluster it measures the work of training as well;
``benchmarks.training_traffic`` measures the traffic of training.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from shortlist import compare, engine, tune
from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Vocabulary
from shortlist.engine import RayEngine
from shortlist.models.cosine import ItemCosine
from shortlist.models.ials.model import IALS, IALSLearned
from shortlist.models.rp3beta import RP3beta

ITEMS, FACTORS, PER_USER = 10_000, 64, 50
TICK = os.sysconf("SC_CLK_TCK")


class CountingEngine(RayEngine):
    """A Ray engine that counts what it sends and receives."""

    sent = received = blocks = 0

    def _put(self, part: Any, description: str) -> Any:
        self.sent += part.nbytes
        return super()._put(part, description)

    def _wait_for(self, reference: Any, description: str) -> Any:
        outcome = super()._wait_for(reference, description)
        self.received += len(outcome[1])
        self.blocks += 1
        return outcome


def board(n_interactions: int) -> Dataset:
    """Make interactions of users with items whose popularity falls like 1 / rank."""
    import pyarrow as pa

    rng = np.random.default_rng(0)
    n_users = n_interactions // PER_USER
    share = 1 / np.arange(1, ITEMS + 1)
    drawn = rng.choice(ITEMS, size=int(1.15 * n_interactions), p=share / share.sum())
    keys = np.unique(rng.integers(n_users, size=len(drawn)) * ITEMS + drawn)
    users, items = (keys // ITEMS).astype(np.int32), (keys % ITEMS).astype(np.int32)
    return Dataset(
        Vocabulary(pa.array(np.arange(n_users)), kind="user"),
        Vocabulary(pa.array(np.arange(ITEMS)), kind="item"),
        users,
        items,
        np.ones(len(keys), dtype=np.float32),
        None,
        np.arange(len(keys)),
    )


def processor_seconds() -> dict[str, float]:
    """Return the processor time of this process, and of the workers of the cluster."""
    workers = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(b"ray::"):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                workers += (int(fields[11]) + int(fields[12])) / TICK
        except OSError:
            continue
    return {"driver": time.process_time(), "workers": workers}


def worker_memory() -> float:
    """Return the most memory that a worker had to itself, in MB."""
    most = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(b"ray::"):
                for line in (folder / "status").read_text().splitlines():
                    if line.startswith("RssAnon:"):
                        most = max(most, int(line.split()[1]))
        except OSError:
            continue
    return most / 1024


def measured(job: Any, where: Any) -> dict[str, float]:
    before, started = processor_seconds(), time.perf_counter()
    job()
    seconds = time.perf_counter() - started
    after = processor_seconds()
    figures = {f"{name} cpu s": round(after[name] - before[name], 1) for name in after}
    figures |= {"seconds": round(seconds, 1)}
    if isinstance(where, CountingEngine):
        figures |= {
            "sent MB": round(where.sent / 1e6, 1),
            "received MB": round(where.received / 1e6, 1),
            "blocks": where.blocks,
            "worker MB": round(worker_memory()),
        }
    return figures


def one(n_interactions: int, workers: int, chosen: list[str]) -> None:
    """Measure with some workers; 0: without a cluster."""
    data = board(n_interactions)
    started = time.perf_counter()
    if workers:
        import ray

        ray.init("local", num_cpus=workers, object_store_memory=2 * 2**30, log_to_driver=False)
        list(RayEngine(block_bytes=1).map_rows(abs_of, 2 * workers, 1, ""))
    start = round(time.perf_counter() - started, 1)
    rng = np.random.default_rng(1)
    users, items = (
        rng.normal(0, 0.1, (count, FACTORS)).astype(np.float32)
        for count in (data.n_users, data.n_items)
    )
    settings = {"regularization": 0.01, "unobserved_weight": 0.1}
    model = IALS(embedding_size=FACTORS, epochs=2, solver="cg", **settings)
    model.restore(
        data,
        IALSLearned(users, items, *model.learn_maps(data, users, items), settings),
        model.history,
    )
    few = data.select(data.user_rows < 100)
    IALS(**model.get_params()).fit(few).recommend(k=10)  # compiles, or reads what was compiled
    train, test = split.leave_last_out(data, order="row")
    fixed = {"neighbors": 50, "weighting": "binary", "shrinkage": 0}
    trained = IALS(embedding_size=FACTORS, epochs=2, solver="cg")

    def compared() -> object:
        models: list[Any] = [ItemCosine(**fixed), RP3beta(neighbors=50), IALS(**model.get_params())]
        return compare(models, train, test)

    jobs: dict[str, Any] = {
        "lists": lambda: model.recommend(k=10),
        "compare": compared,
        "tune": lambda: tune(trained, train, trials=10, check=False),
    }
    if not workers:
        jobs["training"] = lambda: IALS(**model.get_params()).fit(data)
    for name, job in jobs.items():
        if name not in chosen:
            continue
        where = CountingEngine() if workers else engine.LocalEngine()
        with engine.use(where):
            figures = measured(job, where)
        line = {"job": name, "interactions": data.n_interactions, "users": data.n_users}
        print(json.dumps(line | {"workers": workers, "start s": start} | figures), flush=True)


def abs_of(block: range) -> int:
    return block.start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interactions", type=int, default=2_000_000)
    parser.add_argument("--workers", type=int, help="only this number, in this process")
    parser.add_argument("--jobs", default="lists,training", help="also: compare, tune")
    arguments = parser.parse_args()
    if arguments.workers is not None:
        one(arguments.interactions, arguments.workers, arguments.jobs.split(","))
        return
    for workers in (0, 1, 2):
        command = [sys.executable, "-m", "benchmarks.scale"]
        command += ["--interactions", str(arguments.interactions), "--workers", str(workers)]
        command += ["--jobs", arguments.jobs]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
