"""recommend --engine ray://host:port, from a process outside the cluster. Skipped without Ray."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pyarrow.parquet as pq
import pytest

from shortlist.models.cosine import ItemCosine
from shortlist.testing import small_world

pytest.importorskip("ray", reason="Ray is not installed: pip install 'shortlist[ray]'")
pytestmark = pytest.mark.slow

CLUSTER = """
import sys
from ray.cluster_utils import Cluster
node = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
nodes = Cluster(True, head_node_args=node | {"ray_client_server_port": int(sys.argv[1])})
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


def test_a_cluster_by_its_address(tmp_path: Path) -> None:
    model = ItemCosine().fit(small_world().data)
    bundle, target = model.save(tmp_path / "bundle"), tmp_path / "lists.parquet"
    command = [sys.executable, "-W", "ignore", "-c", CLUSTER, str(port := free_port())]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as cluster:
        assert cluster.stdin is not None
        assert cluster.stdout is not None
        host = next(line.split()[1] for line in cluster.stdout if line.startswith("host "))
        done = subprocess.run(
            [*COMMAND, bundle, "--engine", f"ray://{host}:{port}", "--out", target],
            env=os.environ | {"RAY_AUTH_MODE": "token"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        cluster.stdin.close()  # it ends
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith(f"wrote {len(model.recommend())} rows to {target}\n")
    assert pq.read_table(target).equals(model.recommend().table.combine_chunks())


def test_an_address_where_no_cluster_is(tmp_path: Path) -> None:
    bundle = ItemCosine().fit(small_world().data).save(tmp_path / "bundle")
    done = subprocess.run(
        [*COMMAND, bundle, "--engine", f"ray://127.0.0.1:{free_port()}"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    assert "error: no Ray cluster answers at ray://127.0.0.1:" in done.stderr
    assert "to do: check the address and the port" in done.stderr
