"""The examples run, and print what they promise."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
PROMISED = {
    "movies.py": "671 users, 9,066 items, full catalogue",
    "jobs.py": "1,500 users, 1,200 items, full catalogue",
    "neural.py": "Cascade    ndcg@10 0.",
    "tune.py": "with one choice fewer per person to learn from: ndcg@10 0.",
    "database.py": "run 2: 50 rows read, 0 missed, ",
    "service.py": "'source': 'ItemCosine'",
}
NEEDED = {  # by the name of what an extra brings
    "neural.py": "torch",
    "tune.py": "optuna",
    "database.py": "adbc_driver_sqlite",
    "service.py": "uvicorn",
}


SLOW = {"neural.py", "tune.py"}  # their parts are tested by themselves


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in PROMISED],
)
def test_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name in NEEDED:
        pytest.importorskip(NEEDED[name], reason="an extra is not installed")
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert PROMISED[name] in capsys.readouterr().out


def test_every_example_is_run_and_listed() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == PROMISED.keys()
    readme = (EXAMPLES.parent / "README.md").read_text("utf-8")
    assert [name for name in PROMISED if f"examples/{name}" not in readme] == []
