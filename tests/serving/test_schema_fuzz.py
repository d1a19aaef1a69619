"""Generated requests over the OpenAPI document: every reply is one that the document declares."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .test_process import running
from .test_soak import board

EXAMPLES = int(os.environ.get("SHORTLIST_FUZZ_EXAMPLES", "50"))  # per operation
SEED = 20_240_531

pytestmark = pytest.mark.slow


def test_schemathesis(bundles: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("schemathesis", reason="no schemathesis: pip install it")
    arguments = (bundles["ials"], bundles["content"], "--database", board(tmp_path))
    with running(*arguments) as (process, port, _):
        address = f"http://127.0.0.1:{port}"
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json"),
            *("--url", address, "--checks", "all", "--seed", str(SEED)),
            *("--max-examples", str(EXAMPLES), "--workers", "2", "--no-color"),
            # Unknown ids are 404, rules may refuse what the schema allows, and two members of a
            # body exclude each other: no schema can say all that.
            *("--exclude-checks", "positive_data_acceptance"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=900)
        assert process.poll() is None, "the process died"
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2_000:]
