"""Tables on other machines: ``s3://bucket/orders.parquet``, through Arrow's file systems.

The files are copied to a temporary folder and read there, so that ids and types are those of a
local file. Arrow takes credentials from where the tools of the provider take them, and options
from the URI: ``s3://bucket/orders.csv?endpoint_override=localhost:9000&scheme=http``.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from shortlist.errors import InputError

_SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs", "file")
_CHUNK = 2**22  # bytes


def is_remote(table: Any) -> bool:
    """Return whether a table is named by a URI that Arrow's file systems read.

    >>> is_remote("s3://bucket/orders.csv"), is_remote("postgresql://host/shop")
    (True, False)
    """
    return isinstance(table, str) and table.partition("://")[0].lower() in _SCHEMES


def shown(uri: str) -> str:
    """Return a URI without keys and options, for messages.

    >>> shown("s3://key:secret@bucket/orders.csv?region=eu-west-1")
    's3://bucket/orders.csv'
    """
    return re.sub(r"://[^/@]*@", "://", uri).partition("?")[0]


@contextmanager
def fetched(uri: str, label: str) -> Iterator[Path]:
    """Copy a file, or the files of a folder, and yield the local path; it is removed afterwards.

    An InputError if there is nothing, or Arrow cannot read there; the message names no key.
    """
    from pyarrow import fs  # slow to import

    with tempfile.TemporaryDirectory(prefix="shortlist-") as folder:
        try:
            system, path = fs.FileSystem.from_uri(uri)
            local = _copy(system, path, Path(folder))
        except (OSError, ValueError, NotImplementedError) as error:
            reason = str(error).splitlines()[0].replace(uri, shown(uri))
            raise InputError(
                f"{label}: {shown(uri)} cannot be read: {reason}",
                remedy="check the address and the credentials; a folder is read whole",
            ) from None
        yield local


def _copy(system: Any, path: str, folder: Path) -> Path:
    """Copy what a path of a file system names into a folder; return the copy."""
    from pyarrow import fs

    info = system.get_file_info(path)
    if info.type == fs.FileType.NotFound:
        raise FileNotFoundError("there is no such file or folder")
    if info.type == fs.FileType.File:
        return _copy_file(system, path, folder / PurePosixPath(path).name)
    target = folder / "tables"
    target.mkdir()
    for entry in system.get_file_info(fs.FileSelector(path, recursive=True)):
        if entry.type == fs.FileType.File:
            below = PurePosixPath(entry.path).relative_to(PurePosixPath(path))
            if ".." not in below.parts:
                _copy_file(system, entry.path, target / below)
    return target


def _copy_file(system: Any, path: str, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    # compression=None: a .gz stays one, and is read like a local one
    with system.open_input_stream(path, compression=None) as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy, _CHUNK)
    return target
