"""Errors of the operating system, such as a full disk, as errors of this library."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shortlist.errors import InputError, ShortlistError

_FULL = {
    errno.ENOSPC: ("the disk is full", "free some space, or choose another disk"),
    errno.EDQUOT: ("the quota of disk space is used up", "free some space, or choose another disk"),
    errno.EIO: ("the disk failed to read or write", "check the disk"),
    errno.EMFILE: ("too many files are open", "raise the limit (ulimit -n), or close some"),
    errno.ENFILE: ("too many files are open", "close some programs"),
}
_DENIED = {
    errno.EROFS: ("the file system is read-only", "choose another folder"),
    errno.EACCES: ("permission is denied", "change the permissions, or choose another path"),
    errno.EPERM: ("the operation is not permitted", "change the permissions, or another path"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a name of up to 255 bytes"),
    errno.ELOOP: ("symbolic links form a loop", "correct the links"),
    errno.EISDIR: ("this is a folder", "give the path of a file"),
    errno.ENOTDIR: ("a part of the path is not a folder", "correct the path"),
    errno.ENOENT: ("there is no such file or folder", "check the path"),
    errno.EEXIST: ("the file exists", "choose another name"),
    errno.EBUSY: ("the file is in use", "close the program that uses it"),
}


def system_error(error: OSError, path: str | Path | None = None) -> ShortlistError:
    """Convert an error of the operating system, such as a full disk, to one of this library."""
    name = error.filename if path is None else path
    place = str(os.fsdecode(name)) if isinstance(name, str | bytes | Path) else None
    if place is not None and len(place) > 300:
        place = f"{place[:300]}..."
    code = error.errno or 0
    if code in _DENIED:
        what, remedy = _DENIED[code]
        return InputError(what, where=place, remedy=remedy)
    what, remedy = _FULL.get(
        code,
        (f"the system refused: {error.strerror or error}", "check the path and the disk"),
    )
    return ShortlistError(what, where=place, remedy=remedy)


@contextmanager
def system_errors(path: str | Path) -> Iterator[None]:
    """Convert errors of the operating system in the block; ``path`` is named in messages."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno is None:  # not raised by the operating system
            raise
        raise system_error(error, path) from error
