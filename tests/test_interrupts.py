"""Ctrl-C ends every fit soon, also where most of the time is spent in compiled code."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from shortlist.models.registry import MODULES

FIT = """
import json, signal, sys
import numpy as np, pyarrow as pa
from shortlist.data.dataset import Dataset
from shortlist.models.registry import model_class

name, n_users, n_items, settings = sys.argv[1], *json.loads(sys.argv[2])
rng = np.random.default_rng(0)
users = np.repeat(np.arange(n_users), 30)
data = Dataset.from_tables(
    pa.table({"user_id": users, "item_id": (rng.random(len(users)) ** 2 * n_items).astype(int)}),
    pa.table({"user_id": np.arange(n_users), "group": [f"g{n % 20}" for n in range(n_users)]}),
    pa.table({"item_id": np.arange(n_items), "kind": [f"k{n % 50}" for n in range(n_items)],
              "title": [f"word{n % 977} word{n % 331}" for n in range(n_items)]}),
)
model = model_class(name)(**settings)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
try:
    print("fitting", flush=True)
    while True:  # until interrupted, however fast the machine is
        model.fit(data)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
SETTINGS: dict[str, dict[str, Any]] = {
    "Cascade": {"stages": ["ItemCosine", "UserCosine"]},
    "Indexed": {"model": {"model": "IALS", "config": {"epochs": 1}}},
}
LIMIT = 2.0  # processor seconds between the signal and the end of the process
FAST = ("EASE", "IALS", "ItemCosine")


def seconds_after_interrupt(model: str, sizes: tuple[int, int], delay: float) -> float:
    """Interrupt a fit after a delay; return the processor time it took from then to its end."""
    process = subprocess.Popen(
        [sys.executable, "-c", FIT, model, json.dumps([*sizes, SETTINGS.get(model, {})])],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "NUMBA_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as output:
        assert output.readline() == "fitting\n"
        time.sleep(delay)
        with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:  # noqa: PTH123
            user, system = file.read().rpartition(")")[2].split()[11:13]
        used = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        process.send_signal(signal.SIGINT)
        assert output.read() == "interrupted\n"
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    return usage.ru_utime + usage.ru_stime - used


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    "model", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in sorted(MODULES))]
)
def test_ctrl_c_ends_a_fit(model: str, request: pytest.FixtureRequest) -> None:
    slow = request.node.get_closest_marker("slow") is not None
    rng = random.Random(model)
    sizes = (20_000, 6_000) if slow else (6_000, 3_000)
    for _ in range(3 if slow else 1):
        delay = rng.uniform(0, 8 if slow else 1)
        assert seconds_after_interrupt(model, sizes, delay) < LIMIT, f"after {delay:.1f} s"
