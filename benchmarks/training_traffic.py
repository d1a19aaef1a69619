"""What an epoch of IALS sends over the network of a Ray cluster, for docs/scale.md.

    unshare -n sh -c 'ip link set lo up; python benchmarks/training_traffic.py'

The nodes run on this machine and talk over its loopback device, whose bytes are counted; without
``unshare`` those of other programs as well. An epoch is the difference between fits of two and of
six epochs, over four.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

from scale import board

from shortlist.data.dataset import Dataset
from shortlist.engine import RayEngine, ray_held
from shortlist.models.ials.model import IALS

SHORT, LONG = 2, 6  # epochs
asked: list[int] = []  # the rows of each question
held_memory: list[float] = []  # of each worker in the end, in MB


def memory_here(_: Any) -> float:
    """Return the MB that a worker has to itself."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [memory] = [int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon:")]
    return memory


def count() -> None:
    """Note how many items each question is about, and what memory workers have in the end."""
    ask, close = ray_held.RayHeld._ask, ray_held.RayHeld.close

    def closing(held: Any) -> None:
        if len(held):
            held_memory[:] = held.each(memory_here)
        close(held)

    ray_held.RayHeld.close = closing  # type: ignore[assignment,method-assign]

    def counting(held: Any, task: Any, question: Any) -> Any:
        asked.append(len(question.rows))
        return ask(held, task, question)

    ray_held.RayHeld._ask = counting  # type: ignore[assignment,method-assign]


def loopback_bytes() -> int:
    """Return what the loopback device has received so far."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, figures = line.partition(":")
        if name.strip() == "lo":
            return int(figures.split()[0])
    raise SystemExit("there is no loopback device")


def fitted(data: Dataset, factors: int, steps: int | None, epochs: int) -> dict[str, float]:
    """Fit once; return what it took."""
    asked.clear()
    before = loopback_bytes()
    settings: dict[str, Any] = {"regularization": 0.01, "unobserved_weight": 0.1}
    model = IALS(embedding_size=factors, epochs=epochs, cg_steps=steps, **settings)
    model.fit(data, engine=RayEngine())
    return {
        "MB": (loopback_bytes() - before) / 1e6,
        "rows": sum(asked),
    }


def measure(interactions: int, nodes: int, factors: int, steps: int | None) -> None:
    """Print the traffic of an epoch beside the formula."""
    import ray
    from ray.cluster_utils import Cluster

    data = board(interactions)
    node = {"num_cpus": 1, "object_store_memory": 2**30}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        head = {"num_cpus": 0, "object_store_memory": 2**30, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        for _ in range(nodes):
            cluster.add_node(**node)
    short, long = (fitted(data, factors, steps, epochs) for epochs in (SHORT, LONG))
    each = {name: (long[name] - short[name]) / (LONG - SHORT) for name in long}
    size = 4 * data.n_items * factors / 1e6
    rounds = each["rows"] / data.n_items
    formula = size * (1 + 2 * rounds) if nodes > 1 else 3 * size
    line = {
        "nodes": nodes,
        "users": data.n_users,
        "interactions": data.n_interactions,
        "factors": factors,
        "steps": steps,
        "rounds": round(rounds, 2),
        "MB a node and epoch": round(each["MB"] / nodes, 1),
        "formula": round(formula, 1),
        "MB of a worker": round(max(held_memory)),
        "MB once": round(short["MB"] - SHORT * each["MB"], 1),
    }
    print(json.dumps(line), flush=True)
    ray.shutdown()
    cluster.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interactions", type=int, nargs="+", default=[1_000_000, 4_000_000])
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--steps", type=int, help="of conjugate gradients; by default as needed")
    arguments = parser.parse_args()
    count()
    for interactions in arguments.interactions:
        for nodes in arguments.nodes:
            measure(interactions, nodes, arguments.factors, arguments.steps)


if __name__ == "__main__":
    main()
