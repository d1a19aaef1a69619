from __future__ import annotations

from pathlib import Path

import pytest

from shortlist import machine
from shortlist.errors import ShortlistError
from shortlist.machine import available_memory, memory_bytes, require_memory

GIB = 2**30


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 8 GiB free."""
    monkeypatch.setattr(machine, "_ROOT", tmp_path)
    write(tmp_path, "proc/meminfo", f"MemTotal: 9 kB\nMemAvailable: {8 * GIB // 1024} kB")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text + "\n")


def test_this_machine() -> None:
    available, size = available_memory(), memory_bytes()
    assert size is None or (available is not None and 0 < available <= size)


def test_without_cgroups_what_is_free(root: Path) -> None:
    assert available_memory() == 8 * GIB


@pytest.mark.parametrize("limited", ["", "a", "a/b"])
def test_the_second_version_of_cgroups(root: Path, limited: str) -> None:
    write(root, "proc/self/cgroup", "0::/a/b")
    for name in ("", "a", "a/b"):
        folder = f"sys/fs/cgroup/{name}/"
        write(root, f"{folder}memory.max", str(4 * GIB) if name == limited else "max")
        write(root, f"{folder}memory.current", str(3 * GIB))
        write(root, f"{folder}memory.stat", f"anon {2 * GIB}\ninactive_file {GIB}")
    assert available_memory() == 2 * GIB


@pytest.mark.parametrize("seen_at", ["docker/1", ""])  # from outside, or within the container
def test_the_first_version_of_cgroups(root: Path, seen_at: str) -> None:
    write(root, "proc/self/cgroup", "3:cpu,cpuacct:/x\n2:memory:/docker/1\n0::/")
    folder = f"sys/fs/cgroup/memory/{seen_at}/"
    write(root, f"{folder}memory.limit_in_bytes", str(4 * GIB))
    write(root, f"{folder}memory.usage_in_bytes", str(5 * GIB // 2))
    write(root, f"{folder}memory.stat", f"inactive_file 0\ntotal_inactive_file {GIB}")
    assert available_memory() == 4 * GIB - 3 * GIB // 2


def test_a_used_up_limit_is_not_negative(root: Path) -> None:
    write(root, "proc/self/cgroup", "0::/")
    write(root, "sys/fs/cgroup/memory.max", "1000")
    write(root, "sys/fs/cgroup/memory.current", "3000")
    write(root, "sys/fs/cgroup/memory.stat", "inactive_file 0")
    assert available_memory() == 0


def test_a_system_that_does_not_say_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_ROOT", tmp_path)
    assert available_memory() == memory_bytes()


def test_what_does_not_fit_is_refused(root: Path) -> None:
    require_memory("a small job", 8 * GIB, "nothing")
    with pytest.raises(ShortlistError) as error:
        require_memory("a large job", 17 * GIB, "make it smaller")
    assert str(error.value) == (
        "a large job needs 17 GB of memory; 8.0 GB are free\n  to do: make it smaller"
    )
