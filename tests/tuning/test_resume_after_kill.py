"""A search in a process that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shortlist.testing import small_world
from shortlist.tuning import tune

from .dial import plain

SCRIPT = """
import sys
from shortlist.models.ease import EASE
from shortlist.testing import small_world
from shortlist.tuning import tune
import time

learn = EASE.learn

def slow_learn(self, data):
    time.sleep(0.05)
    return learn(self, data)

EASE.learn = slow_learn
tune("EASE", small_world().data, trials=60, study=sys.argv[1])
"""


def ended(study: Path) -> int:
    return study.read_bytes().count(b'{"end"') if study.exists() else 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_a_killed_search_resumes_with_the_same_result(tmp_path: Path) -> None:
    study = tmp_path / "study"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for kill in range(4):
        before = ended(study)
        with subprocess.Popen([sys.executable, "-c", SCRIPT, study], env=environment) as process:
            deadline = time.monotonic() + 120
            while ended(study) < before + 2 + kill and time.monotonic() < deadline:
                assert process.poll() is None
                time.sleep(0.003 * (kill + 1))  # at another moment of a trial each time
            process.send_signal(signal.SIGKILL)
    assert 14 <= ended(study) < 60
    data = small_world().data
    resumed = tune("EASE", data, trials=60, study=study)
    uninterrupted = tune("EASE", data, trials=60)
    assert plain(resumed.trials) == plain(uninterrupted.trials)
    assert [path.name for path in tmp_path.iterdir()] == ["study"]
