"""An object store for tests: Moto answers as S3 does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pyarrow import fs

_WHY = "not installed: flask flask-cors moto[s3], which need an older python-dateutil than pinned"


@dataclass
class Bucket:
    """A bucket, empty at first, and its address."""

    name: str
    options: str

    def uri(self, path: str) -> str:
        """Return the address of a file or folder in it."""
        return f"s3://{self.name}/{path}?{self.options}"

    @property
    def system(self) -> Any:
        """Arrow's file system for it."""
        return fs.FileSystem.from_uri(self.uri(""))[0]

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        content: bytes = self.system.open_input_stream(f"{self.name}/{path}").read()
        return content

    def write(self, path: str, content: bytes) -> None:
        """Write a file."""
        with self.system.open_output_stream(f"{self.name}/{path}") as stream:
            stream.write(content)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    server = pytest.importorskip("moto.server", reason=_WHY)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    store = server.ThreadedMotoServer(port=0)
    store.start()
    try:
        host, port = store.get_host_and_port()
        options = f"scheme=http&endpoint_override={host}:{port}&region=us-east-1"
        found = Bucket("board", f"{options}&allow_bucket_creation=true")
        found.system.create_dir(found.name)
        yield found
    finally:
        store.stop()
