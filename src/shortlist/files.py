"""Files that matter are written beside their place and renamed into it.

A crash at any moment leaves either the old file (or folder) or the new one, never half of one.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shortlist.errors import InputError


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to ``path`` when the block succeeds.

    Raises
    ------
    InputError
        The folder does not exist, or ``path`` is a folder.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "answer.txt"
    >>> with atomic_file(target) as partial:
    ...     _ = partial.write_text("42")
    >>> target.read_text()
    '42'
    """
    path = Path(path).resolve()  # a link stays a link, and what it leads to is replaced
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a file", remedy="name a file in it")
    _require_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        os.chmod(partial, 0o666 & ~_umask())  # noqa: PTH101 - mkstemp made it private
        _sync(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; put it in the place of ``path`` on success.

    Where the system can exchange two folders in one step (Linux) there is no moment without a
    whole folder at ``path``; elsewhere the old one is moved aside first.
    """
    path = Path(path).resolve()
    _require_folder(path.parent)
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield partial
        os.chmod(partial, 0o777 & ~_umask())  # noqa: PTH101 - mkdtemp made it private
        for file in partial.rglob("*"):
            if file.is_file():
                _sync(file)
        if not path.exists():
            partial.rename(path)
        elif not _exchange(partial, path):
            aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
            path.replace(aside)
            partial.rename(path)
            shutil.rmtree(aside)
    finally:
        # After an exchange this is the old folder, otherwise what a failed block left behind.
        shutil.rmtree(partial, ignore_errors=True)


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(
            f"the folder {folder} does not exist", remedy="create it, or name another place"
        )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync(file: Path) -> None:
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def _exchange(one: Path, other: Path) -> bool:
    """Swap two paths in one step (renameat2 with RENAME_EXCHANGE); False where that is missing."""
    if sys.platform != "linux":
        return False
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    at_fdcwd, rename_exchange = -100, 2
    status = renameat2(
        at_fdcwd, os.fsencode(one), at_fdcwd, os.fsencode(other), ctypes.c_uint(rename_exchange)
    )
    return bool(status == 0)
