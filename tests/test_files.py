from __future__ import annotations

import errno
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from shortlist import files
from shortlist.errors import InputError
from shortlist.files import atomic_directory, atomic_file
from shortlist.system import system_error


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


class TestFile:
    def test_the_file_appears_complete(self, tmp_path: Path) -> None:
        with atomic_file(tmp_path / "a.txt") as partial:
            partial.write_text("half")
            assert not (tmp_path / "a.txt").exists()
            assert partial.parent.parent == tmp_path  # renaming needs the same file system
            assert partial.suffix == ".txt"
            partial.write_text("whole")
        assert (tmp_path / "a.txt").read_text() == "whole"
        assert names(tmp_path) == ["a.txt"]

    def test_a_failure_keeps_the_old_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("old")
        with suppress(KeyboardInterrupt), atomic_file(tmp_path / "a.txt") as partial:
            partial.write_text("half")
            raise KeyboardInterrupt
        assert (tmp_path / "a.txt").read_text() == "old"
        assert names(tmp_path) == ["a.txt"]

    def test_permissions_follow_the_umask(self, tmp_path: Path) -> None:
        before = os.umask(0o027)
        try:
            with atomic_file(tmp_path / "a.txt") as partial:
                partial.write_text("x")
        finally:
            os.umask(before)
        assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640

    def test_the_target_of_a_link_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "real.txt").write_text("old")
        (tmp_path / "link.txt").symlink_to("real.txt")
        with atomic_file(tmp_path / "link.txt") as partial:
            partial.write_text("new")
        assert (tmp_path / "link.txt").is_symlink()
        assert (tmp_path / "real.txt").read_text() == "new"

    def test_a_folder_is_not_a_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError) as error, atomic_file(tmp_path):
            pytest.fail("the block must not run")
        assert str(error.value) == (
            f"{tmp_path} is a folder, not a file\n  to do: give the path of a file in this folder"
        )

    def test_the_parent_folder_must_exist(self, tmp_path: Path) -> None:
        for atomic in (atomic_file, atomic_directory):
            with pytest.raises(InputError) as error, atomic(tmp_path / "no" / "a"):
                pytest.fail("the block must not run")
            assert str(error.value) == (
                f"the folder {tmp_path / 'no'} does not exist\n"
                "  to do: create it, or choose another folder"
            )

    def test_a_name_without_a_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with atomic_file("a.txt") as partial:
            partial.write_text("x")
        with atomic_directory("b") as folder:
            (folder / "c").write_text("y")
        assert (tmp_path / "a.txt").read_text() == "x"
        assert (tmp_path / "b" / "c").read_text() == "y"


class TestDirectory:
    @pytest.fixture(params=[True, False], ids=["exchange", "move aside"])
    def target(
        self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Path:
        """A folder with a file; on systems with and without an atomic exchange of folders."""
        if not request.param:
            monkeypatch.setattr(files, "_exchange", lambda *_: False)
        (tmp_path / "d" / "sub").mkdir(parents=True)
        (tmp_path / "d" / "sub" / "old").write_text("old")
        return tmp_path / "d"

    def test_a_new_folder(self, tmp_path: Path) -> None:
        with atomic_directory(tmp_path / "d") as partial:
            (partial / "a").write_text("x")
            assert not (tmp_path / "d").exists()
        assert (tmp_path / "d" / "a").read_text() == "x"
        assert names(tmp_path) == ["d"]

    def test_an_old_folder_is_replaced(self, target: Path) -> None:
        with atomic_directory(target) as partial:
            (partial / "new").write_text("new")
        assert names(target) == ["new"]
        assert names(target.parent) == ["d"]

    def test_a_failure_keeps_the_old_folder(self, target: Path) -> None:
        with suppress(ZeroDivisionError), atomic_directory(target) as partial:
            (partial / "new").write_text("half")
            raise ZeroDivisionError
        assert (target / "sub" / "old").read_text() == "old"
        assert names(target) == ["sub"]
        assert names(target.parent) == ["d"]

    def test_permissions_follow_the_umask(self, target: Path) -> None:
        before = os.umask(0o027)
        try:
            with atomic_directory(target):
                pass
        finally:
            os.umask(before)
        assert target.stat().st_mode & 0o777 == 0o750

    def test_linux_exchanges_two_folders_atomically(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            (tmp_path / name / name).touch()
        if files._exchange(tmp_path / "one", tmp_path / "two"):
            assert names(tmp_path / "one") == ["two"]
            assert names(tmp_path / "two") == ["one"]
        assert not files._exchange(tmp_path / "one", tmp_path / "nothing")


KILLED = """
import os, sys
from pathlib import Path
from shortlist.files import atomic_directory, atomic_file

with atomic_directory(sys.argv[1] + "/d") as folder, atomic_file(sys.argv[1] + "/a.txt") as file:
    (folder / "big").write_text("half")
    file.write_text("half")
    os.kill(os.getpid(), 9)
"""


class TestLeftovers:
    @pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked")
    def test_the_next_writer_removes_what_a_killed_one_left(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
        )
        assert done.returncode == -9
        left = names(tmp_path)
        assert len(left) == 2
        assert all(name.startswith(".shortlist-") for name in left)
        with atomic_file(tmp_path / "other.txt") as partial:
            partial.write_text("whole")
        assert names(tmp_path) == ["other.txt"]

    def test_the_work_of_another_writer_stays(self, tmp_path: Path) -> None:
        with atomic_directory(tmp_path / "d") as folder:
            (folder / "a").write_text("half")
            with atomic_file(tmp_path / "b.txt") as partial:
                partial.write_text("whole")
            assert (folder / "a").read_text() == "half"
        assert names(tmp_path) == ["b.txt", "d"]

    def test_files_of_others_stay(self, tmp_path: Path) -> None:
        (tmp_path / ".d.backup").mkdir()
        (tmp_path / ".shortlist-notes").write_text("mine")
        with atomic_directory(tmp_path / "d"):
            pass
        assert names(tmp_path) == [".d.backup", ".shortlist-notes", "d"]


class TestNames:
    @pytest.mark.parametrize("name", ["a" * 251 + ".txt", "\u8a71" * 83 + ".txt"])
    def test_the_longest_name_that_the_system_allows(self, tmp_path: Path, name: str) -> None:
        with atomic_file(tmp_path / name) as partial:
            partial.write_text("x")
        with atomic_directory(tmp_path / name.replace("txt", "d")):
            pass
        assert names(tmp_path) == sorted([name, name.replace("txt", "d")])

    @pytest.mark.parametrize("atomic", [atomic_file, atomic_directory])
    def test_a_longer_name(self, tmp_path: Path, atomic: Any) -> None:
        path = tmp_path / ("a" * 256)
        shown = f"{str(path)[:300]}..."
        with pytest.raises(InputError) as error, atomic(path):
            pytest.fail("the block must not run")
        assert str(error.value) == (
            f"the name is too long\n  where: {shown}\n  to do: choose a name of up to 255 bytes"
        )
        assert names(tmp_path) == []


def test_errors_of_the_system_name_the_place_and_the_remedy() -> None:
    full = system_error(OSError(errno.ENOSPC, "No space left on device"), "lists.csv")
    assert not isinstance(full, InputError)
    assert str(full).splitlines() == [
        "the disk is full",
        "  where: lists.csv",
        "  to do: free some space, or choose another disk",
    ]
    denied = system_error(PermissionError(errno.EACCES, "denied", b"/a.csv"))
    assert isinstance(denied, InputError)
    assert (denied.what, denied.where) == ("permission is denied", "/a.csv")
    odd = system_error(OSError(errno.EFAULT, "Bad address"), "x" * 400)
    assert odd.what == "the system refused: Bad address"
    assert odd.where == "x" * 300 + "..."
