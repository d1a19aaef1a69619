"""Atomic writing of files and folders: write to a temporary path, then rename.

After a crash, the target is either the complete old version or the complete new one. Everything
unfinished is in a folder ``.shortlist-*`` beside the target, locked while its process lives. The
next writer into the same folder removes those that no process locks.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shortlist.errors import InputError
from shortlist.system import system_errors

_UNFINISHED = ".shortlist-"  # the start of the names of temporary folders
_BUNDLE_FILES = ("manifest.json", "arrays.safetensors")  # see shortlist.bundle


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path on the same disk; rename it to ``path`` if the block succeeds.

    An InputError if the folder does not exist, is a bundle or cannot be written to, or ``path``
    is a folder; a ShortlistError if the disk is full.
    """
    with system_errors(path):
        path = Path(path).resolve()  # replaces the target of a symbolic link, not the link
        _require_file(path)
        with _temporary_folder(path.parent) as folder:
            partial = folder / path.name
            partial.touch()
            yield partial
            os.chmod(partial, 0o666 & ~_umask())  # noqa: PTH101 - some writers make it private
            _sync(partial)
            partial.replace(path)


@contextmanager
def atomic_directory(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; replace ``path`` with it if the block succeeds.

    Linux exchanges the two folders in a single system call, so ``path`` always holds a complete
    folder. Other systems move the old folder aside first. Errors are those of :func:`atomic_file`.
    """
    with system_errors(path):
        path = Path(path).resolve()
        _require_writable(path)
        with _temporary_folder(path.parent) as partial:
            yield partial
            os.chmod(partial, 0o777 & ~_umask())  # noqa: PTH101 - mkdtemp made it private
            for file in partial.rglob("*"):
                if file.is_file():
                    os.chmod(file, 0o666 & ~_umask())  # noqa: PTH101 - safetensors writes it private
                    _sync(file)
            if not path.exists():
                partial.rename(path)
            elif not _exchange(partial, path):
                old = Path(tempfile.mkdtemp(prefix=".replaced-", dir=path.parent))
                path.replace(old)
                partial.rename(path)
                shutil.rmtree(old)


@contextmanager
def _temporary_folder(parent: Path) -> Iterator[Path]:
    """Make a folder, locked by this process, and remove in the end what has its name then.

    After an exchange that is the old folder; after a failure, an incomplete one.
    """
    for leftover in parent.glob(f"{_UNFINISHED}*"):
        handle = _lock_folder(leftover)
        if handle is not None:
            shutil.rmtree(leftover, ignore_errors=True)
            os.close(handle)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=parent))
        handle = _lock_folder(folder, wait=True)
        if folder.exists():
            break
        if handle is not None:  # another process took it for a leftover before it was locked
            os.close(handle)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def _lock_folder(folder: Path, *, wait: bool = False) -> int | None:
    """Lock a folder until the handle is closed or the process ends; None: it cannot be locked."""
    if sys.platform == "win32":
        return None
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        if lock(handle, wait=wait):
            return handle
        os.close(handle)
    return None


def lock(handle: int, *, wait: bool = False) -> bool:
    """Lock an open file or folder until it is closed or the process ends, even if it is killed.

    Return whether no other process has it locked; Windows locks nothing.
    """
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            return False
    return True


def require_file(path: str | Path) -> None:
    """Raise the InputError of :func:`atomic_file` now, before the work whose result it keeps."""
    with system_errors(path):
        _require_parent(Path(path).parent)
        _require_file(Path(path).resolve())


def require_folder(path: str | Path) -> None:
    """Raise the InputError of :func:`atomic_directory` now, before the work that fills it."""
    with system_errors(path):
        _require_parent(Path(path).parent)
        _require_writable(Path(path).resolve())


def _require_file(path: Path) -> None:
    """Raise an InputError unless a file of this name may be made."""
    _require_writable(path)
    if path.is_dir():
        raise InputError(
            f"{path} is a folder, not a file", remedy="give the path of a file in this folder"
        )


def _require_writable(path: Path) -> None:
    """Raise an InputError unless a file or folder of this name may be made."""
    folder = path.parent
    _require_parent(folder)
    refuse_bundle(folder)
    with suppress(FileNotFoundError):
        path.lstat()  # fails if the name is too long
    if not os.access(folder, os.W_OK | os.X_OK):
        is_read_only = hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY
        number = errno.EROFS if is_read_only else errno.EACCES
        raise OSError(number, os.strerror(number), str(folder))


def _require_parent(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(
            f"the folder {folder} does not exist", remedy="create it, or choose another folder"
        )


def refuse_bundle(folder: Path) -> None:
    """Raise an InputError if a folder to write into is a bundle."""
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
