"""The built wheel works in an environment that has only the core."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_wheel_goes_from_a_csv_to_lists(tmp_path: Path) -> None:
    def run(*command: str | Path) -> str:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        done = subprocess.run(
            [*map(str, command)], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT)
    [wheel] = tmp_path.glob("*.whl")
    run(sys.executable, "-m", "venv", "bare")
    bin_folder = tmp_path / "bare" / "bin"
    run(bin_folder / "pip", "install", "--constraint", ROOT / "constraints.txt", wheel)
    lines = [f"{user},{(user + n) % 9}" for user in range(30) for n in range(3)]
    (tmp_path / "orders.csv").write_text("\n".join(["customer,sku", *lines]))
    command = bin_folder / "shortlist"
    assert "30 users, 9 items, 90 pairs" in run(command, "look", "orders.csv")
    columns = ["--user-id", "customer", "--item-id", "sku"]
    run(command, "fit", "orders.csv", *columns, "--model", "ItemCosine", "--out", "bundle")
    run(command, "recommend", "bundle", "-k", "2", "--out", "lists.csv")
    assert len((tmp_path / "lists.csv").read_text().splitlines()) == 61
