"""recommend --engine ray://host:port, from a process outside the cluster. Skipped without Ray."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from shortlist.models.cosine import ItemCosine
from shortlist.models.ials.model import IALS
from shortlist.models.registry import load
from shortlist.testing import of_matrix, small_world

pytest.importorskip("ray", reason="Ray is not installed: pip install 'shortlist[ray]'")
pytestmark = pytest.mark.slow

CLUSTER = """
import sys
from ray.cluster_utils import Cluster
node = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
nodes = Cluster(True, head_node_args=node | {"ray_client_server_port": int(sys.argv[1])})
nodes.add_node(num_cpus=1, object_store_memory=80 * 2**20)
print("host", nodes.address.rpartition(":")[0], flush=True)
sys.stdin.read()
nodes.shutdown()
"""
COMMAND = [sys.executable, "-c", "from shortlist.cli import main; main()", "recommend"]


def free_port() -> int:
    """Return a port below those that Ray gives to workers."""
    for port in range(9_100, 9_900):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError


@contextmanager
def cluster() -> Iterator[str]:
    """Start two nodes of one core; yield their address for clients."""
    command = [sys.executable, "-W", "ignore", "-c", CLUSTER, str(port := free_port())]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as nodes:
        assert nodes.stdin is not None
        assert nodes.stdout is not None
        host = next(line.split()[1] for line in nodes.stdout if line.startswith("host "))
        yield f"ray://{host}:{port}"
        nodes.stdin.close()  # it ends


def run(command: list[Any]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        env=os.environ | {"RAY_AUTH_MODE": "token"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done


FIT = """
import sys, shortlist as sl
model = sl.load(sys.argv[1])
sl.IALS(**model.get_params()).fit(model.data, engine=sys.argv[2]).save(sys.argv[3])
"""


def test_a_cluster_by_its_address(tmp_path: Path) -> None:
    model = ItemCosine().fit(small_world().data)
    bundle, target = model.save(tmp_path / "bundle"), tmp_path / "lists.parquet"
    choices = np.random.default_rng(0).random((2_500, 60)) < 0.1
    trained = IALS(embedding_size=12, epochs=3, regularization=0.01).fit(of_matrix(choices * 1.0))
    trained.save(tmp_path / "here")
    with cluster() as address:
        done = run([*COMMAND, bundle, "--engine", address, "--out", target])
        run([sys.executable, "-c", FIT, tmp_path / "here", address, tmp_path / "there"])
    assert done.stderr.endswith(f"wrote {len(model.recommend())} rows to {target}\n")
    assert pq.read_table(target).equals(model.recommend().table.combine_chunks())
    there = load(tmp_path / "there")
    assert there.learned.users.tobytes() == trained.learned.users.tobytes()
    assert there.history.equals(trained.history)
