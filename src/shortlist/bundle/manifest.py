"""What a bundle says of itself."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from shortlist.errors import BundleError

FORMAT = 1
MANIFEST = "manifest.json"


class Manifest(BaseModel):
    """What ``manifest.json`` says."""

    model_config = ConfigDict(frozen=True)

    format: int
    shortlist: str
    created: str
    model: str
    config: dict[str, Any]
    learned: dict[str, Any]
    data: dict[str, Any]
    metrics: dict[str, Any]
    files: dict[str, str]


def read_manifest(path: str | Path) -> Manifest:
    """Read what a bundle says of itself.

    Raises
    ------
    BundleError
        The folder is missing, not a bundle, damaged, or of another format.
    """
    path = Path(path)
    if not (path / MANIFEST).is_file():
        what = "is not a bundle (it has no manifest.json)" if path.exists() else "does not exist"
        raise BundleError(f"{path} {what}", remedy="name a folder that model.save(...) wrote")
    try:
        content = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except ValueError as error:  # not UTF-8, or not JSON
        raise _damaged(path, str(error)) from error
    found = content.get("format") if isinstance(content, dict) else None
    if isinstance(found, int) and found != FORMAT:
        raise BundleError(
            f"{path} has bundle format {found}; this version reads format {FORMAT}",
            remedy="fit and save the model again with this version"
            if found < FORMAT
            else "upgrade shortlist",
        )
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the whole"
        raise _damaged(path, f"{key}: {first['msg']}") from error


def _damaged(path: Path, why: str) -> BundleError:
    return BundleError(
        f"{MANIFEST} is damaged: {why}",
        where=str(path),
        remedy="save the model again, or copy the bundle again",
    )


def may_be_replaced(path: Path) -> bool:
    """Whether there is a bundle at the path, of whatever version, or an empty folder."""
    if not path.is_dir():
        return False
    try:
        content = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # other programs call a file manifest.json, too
        return not any(path.iterdir())
    return isinstance(content, dict) and {"shortlist", "format", "model"} <= content.keys()


def hash_of(file: Path) -> str:
    """Give the SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
