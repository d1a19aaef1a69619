"""Ray clusters of several nodes on this machine, and their processes."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


@contextmanager
def cluster(**head: Any) -> Iterator[Any]:
    """Start a cluster on this machine, and connect to it."""
    import ray
    from ray.cluster_utils import Cluster

    arguments = NODE | {"include_dashboard": False} | head
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nodes = Cluster(initialize_head=True, head_node_args=arguments)
        ray.init(address=nodes.address, log_to_driver=False, logging_level="ERROR")
    try:
        yield nodes
    finally:
        ray.shutdown()
        nodes.shutdown()


def add_node_without_library(nodes: Any, folder: Path) -> None:
    """Add a node whose Python cannot import shortlist."""
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "class Lacking:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'shortlist':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}')\n"
        "sys.meta_path.insert(0, Lacking())\n"
    )
    nodes.add_node(**NODE, env_vars={"PYTHONPATH": str(folder)})


def working(nodes: Any, title: str = "run_block") -> list[int]:
    """Return the processes of the cluster that work now, on a block or as an actor ("Holder.")."""
    raylets = {
        process.process.pid
        for node in nodes.list_all_nodes()
        for process in node.all_processes.get("raylet", [])
    }
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if command.startswith(f"ray::{title}".encode()) and parent in raylets:
            found.append(int(folder.name))
    return found


@contextmanager
def killing_a_worker(nodes: Any, title: str = "run_block") -> Iterator[None]:
    """Kill the first worker that is seen to work; fail if there was none."""
    killed: list[int] = []
    stop = threading.Event()

    def kill() -> None:
        while not killed and not stop.is_set():
            for process in working(nodes, title)[:1]:
                os.kill(process, signal.SIGKILL)
                killed.append(process)
            time.sleep(0.002)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        stop.set()
        killer.join()
    assert killed
