"""From a matrix to everyone's list: our models beside those of other libraries, in turns.

    pip install -e ".[bench]" irspack==0.5.2 skrecsys==0.9.0 rusket==0.1.101 scikit-learn
    python benchmarks/speed.py [--data ml-100k,dense,sparse] [--jobs "item cosine,EASE"]
        [--repeats 3] [--memory] [--out docs/performance.md]

Data: ML-100K (downloaded once), seeded synthetic sets of two shapes, and the sets in the folder
that SHORTLIST_DATA names (ml-1m, beauty, sports). One choice of each user is held out. All
libraries run in one process, one after another in each round, so that other load hits all of them.
The answers are compared: NDCG@20 on the held-out choices, and the share of our lists that theirs
contain. A library that is not installed is reported as such.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pages import write_section
from peers import DISTRIBUTIONS, FACTORS, JOBS, THREADS, K, World, rows_of
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

import shortlist as sl
from shortlist.kernels.threads import thread_limit

DENSE_ITEMS = 10_000  # the most items that EASE is fitted on
DENSE_SCORES = 1 << 31  # users times items up to which libraries that write out all scores run
WRITES_SCORES = {("user cosine", "irspack"), ("user cosine", "scikit-learn")}


def synthetic(n_users: int, n_items: int, n: int, seed: int) -> csr_matrix:
    """Draw ``n`` distinct pairs; users' activity is log-normal, items' popularity a power law."""
    rng = np.random.default_rng(seed)
    activity = rng.lognormal(sigma=1.0, size=n_users)
    popularity = rng.permutation((np.arange(n_items) + 50.0) ** -0.9)
    pairs = np.empty(0, np.int64)
    while len(pairs) < n:
        users = rng.choice(n_users, n, p=activity / activity.sum())
        items = rng.choice(n_items, n, p=popularity / popularity.sum())
        pairs = np.union1d(pairs, users * n_items + items)
    pairs = np.sort(rng.choice(pairs, n, replace=False))
    return _matrix(pairs // n_items, pairs % n_items, (n_users, n_items))


def long_tail(n_users: int, n_items: int, n: int, seed: int, places: int = 300) -> csr_matrix:
    """Draw ``n`` distinct pairs, four of five at the user's own place, as check-ins are."""
    rng = np.random.default_rng(seed)
    activity = rng.lognormal(sigma=1.0, size=n_users)
    home = rng.integers(places, size=n_users)
    near = (np.arange(n_items // places) + 5.0) ** -0.8
    everywhere = rng.permutation((np.arange(n_items) + 50.0) ** -0.9)
    pairs = np.empty(0, np.int64)
    while len(pairs) < n:
        users = rng.choice(n_users, n, p=activity / activity.sum())
        local = rng.choice(len(near), n, p=near / near.sum()) * places + home[users]
        anywhere = rng.choice(n_items, n, p=everywhere / everywhere.sum())
        pairs = np.union1d(pairs, users * n_items + np.where(rng.random(n) < 0.8, local, anywhere))
    pairs = np.sort(rng.choice(pairs, n, replace=False))
    return _matrix(pairs // n_items, pairs % n_items, (n_users, n_items))


def _matrix(users: Any, items: Any, shape: tuple[int, int] | None = None) -> csr_matrix:
    matrix = csr_matrix((np.ones(len(users), np.float32), (users, items)), shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def _coded(users: Any, items: Any) -> csr_matrix:
    rows, columns = (np.unique(np.asarray(ids), return_inverse=True)[1] for ids in (users, items))
    return _matrix(rows, columns)


def _ml_100k() -> csr_matrix:
    with (
        tempfile.TemporaryDirectory() as folder,
        sl.Store.create(Path(folder) / "films.duckdb", "movies") as store,
    ):
        store.load(sl.fetch("ml-100k"))
        return csr_matrix(store.dataset().choices)


def _ml_1m(folder: Path) -> csr_matrix:
    with gzip.open(folder / "ml-1m.train.rating.gz", "rt") as file:
        pairs = np.loadtxt(file, dtype=np.int64, usecols=(0, 1))
    return _coded(pairs[:, 0], pairs[:, 1])


def _parts(folder: Path) -> csr_matrix:
    table = pq.read_table(folder / "interactions.parquet", columns=["user_id", "item_id"])
    return _coded(table["user_id"], table["item_id"])


def sources() -> dict[str, Callable[[], csr_matrix]]:
    """Return the data sets that are there."""
    found: dict[str, Callable[[], csr_matrix]] = {
        "ml-100k": _ml_100k,
        "dense": lambda: synthetic(30_000, 8_000, 2_000_000, 0),
        "sparse": lambda: long_tail(30_000, 41_000, 800_000, 0),
    }
    folder = Path(os.environ.get("SHORTLIST_DATA", "/nowhere"))
    readers: dict[str, Callable[[Path], csr_matrix]] = {
        "ml-1m": _ml_1m, "beauty": _parts, "sports": _parts,
    }  # fmt: skip
    for name, read in readers.items():
        if (folder / name).is_dir():
            found[name] = lambda read=read, name=name: read(folder / name)  # type: ignore[misc]
    return found


def world_of(name: str) -> World:
    """Hold out one choice of each user who has two, and leave out rows that are empty then."""
    matrix = sources()[name]()
    rng = np.random.default_rng(0)
    counts = np.diff(matrix.indptr)
    drawn = matrix.indptr[:-1] + (rng.random(len(counts)) * counts).astype(np.int64)
    held_out = np.zeros(matrix.nnz, dtype=bool)
    held_out[drawn[counts > 1]] = True
    users, items = matrix.nonzero()
    kept = np.unique(users[~held_out]), np.unique(items[~held_out])
    known = np.isin(users, kept[0]) & np.isin(items, kept[1])
    sides = []
    for side in (~held_out, held_out & known):
        rows = np.searchsorted(kept[0], users[side]), np.searchsorted(kept[1], items[side])
        sides.append(_matrix(*rows, shape=(len(kept[0]), len(kept[1]))))
    train, truth = sides
    table = pa.table(dict(zip(("user_id", "item_id"), train.nonzero(), strict=True)))
    return World(name, sl.Dataset.from_tables(table), train, truth)


def ndcg(lists: NDArray[np.int32], truth: csr_matrix) -> float:
    """Return the mean NDCG@K for one held-out choice a user."""
    tested = np.flatnonzero(np.diff(truth.indptr))
    hits = lists[tested] == truth.indices[truth.indptr[tested]][:, np.newaxis]
    return float((hits / np.log2(np.arange(K) + 2)).sum(axis=1).mean())


def overlap(ours: NDArray[np.int32], theirs: NDArray[np.int32]) -> float:
    """Return the mean share of our lists that theirs contain."""
    common = (ours[:, :, np.newaxis] == theirs[:, np.newaxis, :]) & (ours >= 0)[:, :, np.newaxis]
    return float(common.sum() / max((ours >= 0).sum(), 1))


def run_job(job: str, library: str, world: World) -> tuple[Any, float, float]:
    """Run a job once; return its answer, and the seconds of the clock and of all threads."""
    clock, processor = time.perf_counter(), time.process_time()
    with thread_limit(THREADS), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = JOBS[job][library](world)
    return answer, time.perf_counter() - clock, time.process_time() - processor


def compare(job: str, world: World, repeats: int) -> dict[str, dict[str, Any]]:
    """Run a job by all libraries, in turns; the first round warms up and gives the answers."""
    found: dict[str, dict[str, Any]] = {}
    lists: dict[str, NDArray[np.int32]] = {}
    for library in JOBS[job]:
        if (job, library) in WRITES_SCORES and np.prod(
            world.matrix.shape, dtype=float
        ) > DENSE_SCORES:
            found[library] = {"left out": "it writes out all scores, which takes too long here"}
            continue
        try:
            lists[library] = rows_of(run_job(job, library, world)[0], world)
        except ImportError:
            found[library] = {"left out": "not installed"}
        except Exception as error:  # a peer's failure is a result, not ours
            found[library] = {"left out": f"failed: {str(error).splitlines()[0][:80]}"}
        else:
            same = overlap(lists["shortlist"], lists[library])
            quality = {"ndcg": ndcg(lists[library], world.truth), "overlap": same}
            found[library] = {"clock": [], "cpu": [], **quality}
    for _ in range(repeats):
        for library in lists:
            _, clock, processor = run_job(job, library, world)
            found[library]["clock"].append(clock)
            found[library]["cpu"].append(processor)
    return found


def memory(job: str, library: str, data: str) -> float:
    """Return the memory in MB that a job takes at its peak, beyond the data, in its own process."""
    command = [sys.executable, __file__, "--once", json.dumps([job, library, data])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def once(job: str, library: str, data: str) -> None:
    """Print how much memory a job takes."""
    world = world_of(data)
    before = peak()
    run_job(job, library, world)
    print(f"\n{peak() - before}")  # a line of its own, after the progress bars of others


def peak() -> float:
    """Return the most memory in MB that this process had; ``ru_maxrss`` counts its parent's too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def product_seconds(world: World) -> float:
    """Return the seconds that the matrix product of the lists from factors takes alone."""
    users, items = world.random_vectors()
    columns, best = np.ascontiguousarray(items.T), float("inf")
    out = np.empty((min(2048, len(users)), len(items)), np.float32)
    with threadpool_limits(THREADS, user_api="blas"):
        for _ in range(3):
            started = time.perf_counter()
            for start in range(0, len(users), len(out)):
                block = users[start : start + len(out)]
                np.matmul(block, columns, out=out[: len(block)])
            best = min(best, time.perf_counter() - started)
    return best


def section(job: str, world: World, found: dict[str, dict[str, Any]]) -> list[str]:
    """Return a table of one job on one data set."""
    ours = found["shortlist"]
    head = "| | seconds [least, most] | CPU seconds | times ours, clock / CPU | memory, MB "
    lines = [f"### {job}", "", head + "| NDCG@20 | of our lists |", "|---|---|---|---|---|---|---|"]
    for library, one in found.items():
        if "left out" in one:
            lines.append(f"| {library} | {one['left out']} | | | | | |")
            continue
        clock, cpu = (statistics.median(one[name]) for name in ("clock", "cpu"))
        base = [statistics.median(ours[name]) for name in ("clock", "cpu")]
        ratios = f"{clock / base[0]:.1f} / {cpu / base[1]:.1f}"
        peak = f"{one['memory']:.0f}" if "memory" in one else ""
        lines.append(
            f"| {library} | {clock:.2f} [{min(one['clock']):.2f}, {max(one['clock']):.2f}] "
            f"| {cpu:.2f} | {ratios} | {peak} | {one['ndcg']:.4f} | {one['overlap']:.3f} |"
        )
    if job == "lists from 64 factors":
        alone = product_seconds(world)
        gflops = 2 * FACTORS * np.prod(world.matrix.shape, dtype=float) / alone / 1e9
        share = statistics.median(ours["clock"]) / alone
        lines += ["", f"The matrix product alone takes {alone:.2f} s ({gflops:.0f} GFLOP/s); "
                  f"ours takes {share:.2f} times as long."]  # fmt: skip
    return [*lines, ""]


def fastest_peer(found: dict[str, dict[str, Any]]) -> str:
    """Return how many times as long the fastest other library takes, and its name."""
    clocks = {
        name: statistics.median(one["clock"]) for name, one in found.items() if "clock" in one
    }
    ours = clocks.pop("shortlist")
    name = min(clocks, key=lambda peer: clocks[peer], default="")
    return f"{clocks[name] / ours:.1f} ({name})" if name else ""


def summary(ratios: dict[str, dict[str, str]], names: list[str]) -> list[str]:
    """Return a table of :func:`fastest_peer` by job and data set."""
    rows = [
        f"| {job} | {' | '.join(of.get(name, '') for name in names)} |"
        for job, of in ratios.items()
    ]
    return ["How many times as long as ours the fastest other library takes:", "",
            f"| | {' | '.join(names)} |", f"|{'---|' * (len(names) + 1)}", *rows, ""]  # fmt: skip


def versions() -> str:
    """Return the versions of all libraries, and what is not installed."""
    found = []
    for name in DISTRIBUTIONS:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name}: not installed")
    return ", ".join(found)


def main() -> None:
    """Run what is asked for and write its section of the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="default: all that are there")
    parser.add_argument("--jobs", default=",".join(JOBS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="also the memory, in new processes")
    parser.add_argument("--out", type=Path, default=Path("docs/performance.md"))
    parser.add_argument("--once", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        once(*json.loads(arguments.once))
        return
    names = arguments.data.split(",") if arguments.data else list(sources())
    jobs = arguments.jobs.split(",")
    head = [
        "# Performance", "",
        "From a matrix in memory to the 20 best unseen items of every user; our time includes the "
        "table of results. Written by `python benchmarks/speed.py`, which explains the columns. "
        "Settings are fixed and the same where a library has them; \"of our lists\" is the share "
        "of our lists that theirs contain, so .99 is the same answer up to ties.", "",
        f"{THREADS} threads of {platform.machine()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.0f} when it began (above the number of cores, trust the CPU "
        f"seconds); median of {arguments.repeats}. {versions()}.", "",
    ]  # fmt: skip
    lines: list[str] = []
    ratios: dict[str, dict[str, str]] = {job: {} for job in jobs}
    for name in names:
        world = world_of(name)
        n_users, n_items = world.matrix.shape
        lines += [f"## {name}", "", f"{n_users:,} x {n_items:,}, {world.matrix.nnz:,} choices.", ""]
        for job in jobs:
            if job == "EASE" and n_items > DENSE_ITEMS:
                continue
            found = compare(job, world, arguments.repeats)
            if arguments.memory:
                for library, one in found.items():
                    if "left out" not in one:
                        one["memory"] = memory(job, library, name)
            lines += section(job, world, found)
            ratios[job][name] = fastest_peer(found)
            print("\n".join(lines[-len(found) - 6 :]), flush=True)
    write_section(arguments.out, "speed", [*head, *summary(ratios, names), *lines])


if __name__ == "__main__":
    main()
