"""The examples run, and print what they promise."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize(
    ("name", "promised"),
    [
        ("movies.py", "671 users, 9,066 items, full catalogue"),
        ("jobs.py", "1,500 users, 1,200 items, full catalogue"),
    ],
)
def test_example(name: str, promised: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert promised in capsys.readouterr().out


def test_every_example_is_listed() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {"movies.py", "jobs.py"}
