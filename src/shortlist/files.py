"""Atomic writing of files and folders: write to a temporary path, then rename.

After a crash, the target is either the complete old version or the complete new one.
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
from shortlist.system import system_errors

_BUNDLE_FILES = ("manifest.json", "arrays.safetensors")  # see shortlist.bundle


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to ``path`` if the block succeeds.

    An InputError if the folder does not exist, is a bundle or cannot be written to, or ``path``
    is a folder; a ShortlistError if the disk is full.
    """
    with system_errors(path):
        path = Path(path).resolve()  # replaces the target of a symbolic link, not the link
        if path.is_dir():
            raise InputError(
                f"{path} is a folder, not a file", remedy="give the path of a file in this folder"
            )
        _require_folder(path.parent)
        handle, name = tempfile.mkstemp(path.suffix, f".{path.name}.", path.parent)
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
    """Yield a temporary folder beside ``path``; replace ``path`` with it if the block succeeds.

    Linux exchanges the two folders in a single system call, so ``path`` always holds a complete
    folder. Other systems move the old folder aside first. Errors are those of :func:`atomic_file`.
    """
    with system_errors(path):
        path = Path(path).resolve()
        _require_folder(path.parent)
        partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield partial
            os.chmod(partial, 0o777 & ~_umask())  # noqa: PTH101 - mkdtemp made it private
            for file in partial.rglob("*"):
                if file.is_file():
                    os.chmod(file, 0o666 & ~_umask())  # noqa: PTH101 - safetensors writes it private
                    _sync(file)
            if not path.exists():
                partial.rename(path)
            elif not _exchange(partial, path):
                old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
                path.replace(old)
                partial.rename(path)
                shutil.rmtree(old)
        finally:
            # After an exchange this is the old folder; after a failure, an incomplete one.
            shutil.rmtree(partial, ignore_errors=True)


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(
            f"the folder {folder} does not exist", remedy="create it, or choose another folder"
        )
    if all((folder / name).is_file() for name in _BUNDLE_FILES):
        raise InputError(
            f"the folder {folder} is a bundle, and a file written into it could replace a part",
            remedy="choose another folder",
        )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync(file: Path) -> None:
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def _exchange(first: Path, second: Path) -> bool:
    """Swap two paths atomically (renameat2 with RENAME_EXCHANGE); False if unsupported."""
    if sys.platform != "linux":
        return False
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    at_fdcwd, rename_exchange = -100, 2
    status = renameat2(
        at_fdcwd, os.fsencode(first), at_fdcwd, os.fsencode(second), ctypes.c_uint(rename_exchange)
    )
    return bool(status == 0)
