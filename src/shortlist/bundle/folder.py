"""A bundle's folder, opened at one moment: its files stay those of one bundle while it is replaced.

A writer exchanges the whole folder. So the folder is opened once, and all of its files are opened
relative to it; what is read afterwards comes from the open files, whatever happens to their names.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path

from shortlist.errors import BundleError
from shortlist.text import shortened

_LONGEST = 200  # characters of a name in a message
_ATTEMPTS = 1000  # how often the folder may be replaced while its files are being opened
_MAX_FILES = 4096
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def damaged(what: str, path: Path | None = None) -> BundleError:
    """Return the error of a bundle that is not as it was written."""
    remedy = "save the model again, or copy the bundle again"
    return BundleError(what, where=None if path is None else str(path), remedy=remedy)


class Folder:
    """The open files of a bundle; ``path`` is the folder, for messages."""

    def __init__(self, path: Path, files: dict[str, BufferedReader]) -> None:
        self.path, self._files = path, files

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return self.file(name).read()

    def hash_of(self, name: str) -> str:
        """Return the SHA-256 of a file."""
        return hashlib.file_digest(self.file(name), "sha256").hexdigest()

    def file(self, name: str) -> BufferedReader:
        """Return an open file, at its start; a BundleError if there is none."""
        if name not in self._files:
            raise damaged(f"{shortened(name, _LONGEST)} is missing", self.path)
        stream = self._files[name]
        stream.seek(0)
        return stream

    def path_of(self, name: str) -> Path:
        """Return a path to the open file, for libraries that read nothing but paths."""
        stream = self.file(name)
        descriptor = Path(f"/dev/fd/{stream.fileno()}")
        return descriptor if os.name == "posix" and descriptor.exists() else self.path / name


@contextmanager
def opened(path: Path) -> Iterator[Folder]:
    """Open a folder and all files in it; a BundleError if that is not possible."""
    with ExitStack() as stack:
        for _ in range(_ATTEMPTS):
            files = _open_files(path, stack)
            if files is not None:
                yield Folder(path, files)
                return
        raise BundleError(
            f"{path} was replaced {_ATTEMPTS} times while it was being opened",
            remedy="save to it less often",
        )


def _open_files(path: Path, stack: ExitStack) -> dict[str, BufferedReader] | None:
    """Open the files of a folder; return None if the folder is no longer at its path."""
    relative = os.open in os.supports_dir_fd and os.listdir in os.supports_fd
    with ExitStack() as attempt:
        try:
            directory = os.open(path, _READ | getattr(os, "O_DIRECTORY", 0)) if relative else None
            if directory is not None:
                attempt.callback(os.close, directory)
            names = os.listdir(path if directory is None else directory)  # noqa: PTH208
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise _unreadable(path, error) from error
        if len(names) > _MAX_FILES:
            raise BundleError(
                f"{path} has {len(names)} files, more than any bundle ({_MAX_FILES})",
                remedy="name a folder that shortlist fit or model.save wrote",
            )
        files: dict[str, BufferedReader] = {}
        for name in names:
            target = path / name if directory is None else name
            try:
                handle = os.open(target, _READ | getattr(os, "O_BINARY", 0), dir_fd=directory)
            except FileNotFoundError:  # deleted, or a broken link: a manifest that lists it says so
                continue
            except OSError as error:
                raise BundleError(
                    f"{name} cannot be read: {error.strerror}",
                    where=str(path),
                    remedy="check the permissions of the file",
                ) from error
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                os.close(handle)
                continue
            files[name] = attempt.enter_context(os.fdopen(handle, "rb"))
        if directory is not None and not _is_at(path, directory):
            return None
        stack.push(attempt.pop_all())
        return files


def _is_at(path: Path, directory: int) -> bool:
    """Return whether the path still leads to the open folder."""
    try:
        return os.path.samestat(path.stat(), os.fstat(directory))
    except OSError:  # between two renames, on systems that cannot exchange folders
        return False


def _unreadable(path: Path, error: OSError | ValueError) -> BundleError:
    shown = shortened(str(path), _LONGEST)
    remedy = "name a folder that shortlist fit or model.save wrote"
    if isinstance(error, FileNotFoundError):
        return BundleError(f"{shown} does not exist", remedy=remedy)
    if isinstance(error, NotADirectoryError):
        return BundleError(f"{shown} is not a bundle (it has no manifest.json)", remedy=remedy)
    if isinstance(error, PermissionError):
        remedy = "check the permissions of the folder"
    why = getattr(error, "strerror", None) or str(error)
    return BundleError(f"{shown} cannot be read: {why}", remedy=remedy)
