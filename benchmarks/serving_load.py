"""Load test of two services: `shortlist serve`, and a plain FastAPI service around `implicit`.

    apt-get install wrk
    pip install -e ".[serve,bench]"
    python benchmarks/serving_load.py [--seconds 30] [--rounds 2] [--connections 100] [--json OUT]

Each service is a process on this machine. Both use the same vectors (100,000 items, 50,000 users,
64 dimensions), and their lists are compared first. `wrk` keeps the connections busy with
``GET /users/{random}/recommendations?k=10``. The services take turns, so that other load on the
machine slows both. Ten minutes of ours: ``--seconds 600 --rounds 1 --only ours``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import save_npz

import shortlist as sl
from shortlist.text import text_table

N_ITEMS, N_USERS, N_INTERACTIONS, FACTORS, K = 100_000, 50_000, 1_500_000, 64, 10
SCRIPT = """
math.randomseed(7)
request = function()
  return wrk.format("GET", "/users/" .. math.random(0, USERS - 1) .. "/recommendations?k=K")
end
"""
RUN = "from shortlist.cli import main; main()"
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


def prepare(folder: Path) -> None:
    """Fit on synthetic data, and write the same vectors for both services."""
    from speed import synthetic

    matrix = synthetic(N_USERS, N_ITEMS, N_INTERACTIONS, seed=0)
    users, items = matrix.nonzero()
    titles = [f"Item number {row}" for row in range(N_ITEMS)]
    data = sl.Dataset.from_tables(
        pa.table({"user_id": users, "item_id": items}),
        users=pa.table({"user_id": np.arange(N_USERS)}),
        items=pa.table({"item_id": np.arange(N_ITEMS), "title": titles}),
    )
    model = sl.IALS(embedding_size=FACTORS, epochs=3).fit(data)
    model.save(folder / "bundle")
    np.save(folder / "users.npy", model.user_vectors())
    np.save(folder / "items.npy", model.item_vectors())
    save_npz(folder / "interactions.npz", matrix)
    (folder / "titles.json").write_text(json.dumps(titles), encoding="utf-8")


@contextmanager
def running(name: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Start a service, wait until it answers, and stop it at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    here = Path(__file__).parent
    command = {
        "ours": ["-c", RUN, "serve", str(folder / "bundle"), "--port", str(port)],
        "plain": [str(here / "serving_plain.py"), str(folder), str(port)],
    }[name]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, *command], env=environment)
    try:
        for _ in range(600):
            try:
                ask(port, 0)
                break
            except OSError:
                time.sleep(0.2)
        yield process.pid, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def ask(port: int, user: int) -> list[dict[str, Any]]:
    address = f"http://127.0.0.1:{port}/users/{user}/recommendations?k={K}"
    with urllib.request.urlopen(address, timeout=60) as reply:
        items: list[dict[str, Any]] = json.load(reply)["items"]
    return items


def memory_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process; other programs hardly change it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(port: int, pid: int, seconds: int, connections: int, script: Path) -> dict[str, Any]:
    """Keep a service busy, and record its memory."""
    memory: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(1.0):
            memory.append(memory_mb(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    cpu = cpu_seconds(pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency"]
    output = subprocess.run(
        [*command, "-s", str(script), f"http://127.0.0.1:{port}"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    cpu = cpu_seconds(pid) - cpu
    done.set()
    watcher.join()
    count = int(re.search(r"(\d+) requests in", output)[1])  # type: ignore[index]
    failures = sum(int(text) for text in re.findall(r"Non-2xx or 3xx responses: (\d+)", output))
    errors = re.findall(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output
    )
    failures += sum(int(text) for counts in errors for text in counts)
    return {
        "requests/s": float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1]),  # type: ignore[index]
        "p50 ms": latency(output, 50),
        "p99 ms": latency(output, 99),
        "cpu ms/request": 1e3 * cpu / count,
        "failed": failures,
        "memory MB, start": memory[0],
        "memory MB, end": memory[-1],
        "memory MB, most": max(memory),
    }


def latency(output: str, percent: int) -> float:
    value, unit = re.search(rf"\s{percent}%\s+([\d.]+)(us|ms|s|m)\b", output).groups()  # type: ignore[union-attr]
    return float(value) * UNITS[unit]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--only", choices=("ours", "plain"))
    parser.add_argument("--keep", type=Path, help="a folder for the data, which is kept")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    names = [options.only] if options.only else ["ours", "plain"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(exist_ok=True)
        if not (folder / "titles.json").exists():
            prepare(folder)
        script = folder / "requests.lua"
        script.write_text(SCRIPT.replace("USERS", str(N_USERS)).replace("k=K", f"k={K}"))
        results = measure(names, folder, script, options)
    show(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def measure(
    names: list[str], folder: Path, script: Path, options: argparse.Namespace
) -> dict[str, list[dict[str, Any]]]:
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    lists: dict[str, Any] = {}
    for _ in range(options.rounds):
        for name in names:
            with running(name, folder) as (pid, port):
                lists[name] = [[item["item_id"] for item in ask(port, user)] for user in range(50)]
                load(port, pid, 3, options.connections, script)  # warm
                result = load(port, pid, options.seconds, options.connections, script)
            print(name, json.dumps(result))
            results[name].append(result)
    if len(names) == 2:
        same = sum(ours == plain for ours, plain in zip(lists["ours"], lists["plain"], strict=True))
        print(f"{same} of 50 lists are the same in both services")
    return results


def show(results: dict[str, list[dict[str, Any]]]) -> None:
    header = ["service", *next(iter(results.values()))[0]]
    means = {
        name: {key: float(np.mean([run[key] for run in runs])) for key in header[1:]}
        for name, runs in results.items()
    }
    rows = [[name, *(f"{mean[key]:.2f}" for key in header[1:])] for name, mean in means.items()]
    print(text_table(header, rows))
    if len(means) == 2:
        ours, plain = means["ours"], means["plain"]
        print(f"throughput: {ours['requests/s'] / plain['requests/s']:.2f} of the plain service")
        print(f"cpu: {ours['cpu ms/request'] / plain['cpu ms/request']:.2f} of the plain service")
        print(f"p99: {ours['p99 ms'] / plain['p99 ms']:.2f} of the plain service")


if __name__ == "__main__":
    main()
