"""A folder to write files into: on a disk, or in a store that Arrow knows, such as S3."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs

from shortlist.errors import InputError, ShortlistError
from shortlist.files import atomic_file
from shortlist.system import system_errors


@dataclass(frozen=True)
class Place:
    """A folder by its absolute path or its address; every file is written whole or not at all."""

    url: str

    @classmethod
    def of(cls, target: str | Path) -> Place:
        """Return the place of a path, or of an address such as ``s3://bucket/folder``."""
        text = os.fspath(target)
        if "://" not in text:
            return cls(str(Path(text).resolve()))
        place = cls(text)
        try:
            place._system()
        except (pa.ArrowException, OSError, ValueError, NotImplementedError) as error:
            raise InputError(
                f"no file system of Arrow opens {text}: {error}",
                remedy="name a folder, or an address like s3://bucket/folder",
            ) from error
        return place

    @property
    def local(self) -> bool:
        """Whether it is a path on this machine's disks."""
        return "://" not in self.url

    def names(self) -> set[str]:
        """Return the names of the files; an empty set if there is no such folder."""
        with self._errors("listed"):
            system, path = self._system()
            files = system.get_file_info(fs.FileSelector(path, allow_not_found=True))
            return {file.base_name for file in files if not file.base_name.startswith(".")}

    def create(self) -> None:
        """Make the folder, inside one that exists; a store needs none."""
        if self.local:
            with self._errors("made"):
                Path(self.url).mkdir(exist_ok=True)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        with self._errors("read"):
            system, path = self._system()
            with system.open_input_stream(f"{path}/{name}") as stream:
                content: bytes = stream.read()
        return content

    def write(self, name: str, content: Any) -> None:
        """Write a file of some bytes; readers see all of it or nothing."""
        if self.local:
            with atomic_file(Path(self.url) / name) as partial:
                partial.write_bytes(content)
            return
        with self._errors("written to"):
            system, path = self._system()
            with system.open_output_stream(f"{path}/{name}") as stream:
                stream.write(content)

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        with self._errors("written to"), suppress(FileNotFoundError):
            system, path = self._system()
            system.delete_file(f"{path}/{name}")

    def _system(self) -> tuple[fs.FileSystem, str]:
        if self.local:
            return fs.LocalFileSystem(), self.url
        system, path = fs.FileSystem.from_uri(self.url)
        return system, path.rstrip("/")

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        if self.local:
            with system_errors(self.url):
                yield
            return
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise ShortlistError(
                f"the folder could not be {what}: {error}",
                where=self.url,
                remedy="check the address, the credentials and the network, and run it again",
            ) from error
