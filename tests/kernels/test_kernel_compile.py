from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kernel_cases import run_all

from shortlist.kernels.compile import forget_outdated, kernel
from shortlist.kernels.threads import over_rows, thread_count, thread_limit
from shortlist.kernels.types import OutDoubles

DOUBLE = """
from shortlist.kernels.compile import kernel
from shortlist.kernels.types import OutDoubles

@kernel
def double(count: int, values: OutDoubles) -> None:
    for n in range(count):
        values[n] *= 2
"""
ANNOUNCED = """
import numpy as np
from double import double
from shortlist.kernels.compile import announce_compilation

values = np.array([1.0])
with announce_compilation(lambda: print("compiling")):
    for _ in range(2):
        double(1, values)
print(*values)
"""


def python(code: str, modules: Path | None = None, **environment: str) -> list[str]:
    """Run code in a new process, with modules from a folder, and return the words it prints."""
    path = os.pathsep.join([*([str(modules)] if modules else []), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_compilation_is_announced_once_and_not_when_the_cache_has_it(tmp_path: Path) -> None:
    (tmp_path / "double.py").write_text(DOUBLE)
    for printed in (["compiling", "4.0"], ["4.0"]):
        assert python(ANNOUNCED, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == printed


COUNT = """
import kernel_cases
from numba.core import event

with event.install_recorder("numba:compile") as recorder:
    kernel_cases.run_all()
starts = [e for _, e in recorder.buffer if e.is_start]
print(len(starts), *(e.data["dispatcher"].py_func.__name__ for e in starts))
"""


def test_nothing_is_compiled_when_the_cache_has_every_kernel() -> None:
    run_all()
    assert python(COUNT, Path(__file__).parent) == ["0"]


CHECKED = """
import numpy as np
from double import double
values = np.array([1.5, 1.5])
double(2, values[:1])
print(*values)
"""


def test_kernels_check_bounds_where_numba_is_told_to(tmp_path: Path) -> None:
    """Also where code without checks has been cached before, unless both name one cache folder."""
    (tmp_path / "double.py").write_text(DOUBLE)
    assert python(CHECKED, tmp_path, NUMBA_BOUNDSCHECK="0") == ["3.0", "3.0"]
    for folder in (str(tmp_path / "checked"), ""):
        with pytest.raises(subprocess.CalledProcessError) as caught:
            python(CHECKED, tmp_path, NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=folder)
        assert "IndexError: index is out of bounds" in caught.value.stderr


def test_compiled_code_older_than_any_source_is_forgotten(tmp_path: Path) -> None:
    for file, changed in [("topk.py", 100), ("selection.py", 300)]:
        (tmp_path / file).touch()
        os.utime(tmp_path / file, (changed, changed))
    old, new = tmp_path / "topk._best-10.py311.nbi", tmp_path / "als._gram-20.py311.nbi"
    for index, written in [(old, 200), (new, 400)]:
        index.touch()
        os.utime(index, (written, written))
    forget_outdated(tmp_path, "_best", tmp_path)
    forget_outdated(tmp_path, "_gram", tmp_path)
    assert not old.exists()
    assert new.exists()


def test_a_kernel_works_where_nothing_can_be_cached() -> None:
    source = "def double(values: OutDoubles) -> None:\n    values[0] *= 2\n"
    namespace: dict[str, Any] = {"OutDoubles": OutDoubles}
    exec(source, namespace)  # Numba has no place for the code of a function without a file
    values = np.array([1.5])
    kernel(namespace["double"])(values)
    assert values.tolist() == [3.0]


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("n_rows", [0, 1, 10, 101])
def test_every_row_is_worked_on_once(threads: int, n_rows: int) -> None:
    seen = [0] * n_rows

    def work(start: int, stop: int) -> None:
        assert 0 < stop - start <= 4
        for row in range(start, stop):
            seen[row] += 1

    with thread_limit(threads):
        over_rows(work, n_rows, 4)
    assert seen == [1] * n_rows


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_in_a_thread_reaches_the_caller_and_ends_the_rest(threads: int) -> None:
    started = []

    def work(start: int, stop: int) -> None:
        started.append(start)
        raise ValueError(f"row {start}")

    with thread_limit(threads), pytest.raises(ValueError, match="row "):
        over_rows(work, 1000, 1)
    assert len(started) <= threads


def test_thread_limit_ends_with_its_block() -> None:
    before = thread_count()
    with thread_limit(3):
        assert thread_count() == 3
        with thread_limit(1):
            assert thread_count() == 1
        assert thread_count() == 3
    assert thread_count() == before


@pytest.mark.parametrize(
    ("n_rows", "multiple", "least", "sizes"),
    [
        (10_000, 1, 1, [96] * 104 + [16]),
        (100, 1, 1, [25] * 4),
        (100, 6, 1, [30] * 3 + [10]),
        (100, 1, 40, [40, 40, 20]),
        (0, 1, 40, []),
    ],
)
def test_every_thread_gets_some_rows(
    n_rows: int, multiple: int, least: int, sizes: list[int]
) -> None:
    blocks: list[tuple[int, int]] = []

    def work(start: int, stop: int) -> None:
        blocks.append((start, stop))

    with thread_limit(4):
        over_rows(work, n_rows, 96, multiple=multiple, least=least)
    assert [stop - start for start, stop in sorted(blocks)] == sizes
