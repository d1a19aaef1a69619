"""The manifest of a bundle: its model, settings, data, metrics and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from shortlist.bundle.folder import Folder, damaged, opened
from shortlist.errors import BundleError

FORMAT = 2
MANIFEST = "manifest.json"


class Manifest(BaseModel):
    """The content of ``manifest.json``.

    ``learned`` holds learned values that are neither arrays nor tables, ``data`` the fingerprint,
    the sizes and the rules of the training data, ``metrics`` notes on how good the model is,
    ``mark`` how far the interactions were read from their source, and ``files`` the SHA-256 of each
    file.
    """

    model_config = ConfigDict(frozen=True)

    format: int
    shortlist: str
    created: str
    model: str
    config: dict[str, Any]
    learned: dict[str, Any]
    data: dict[str, Any]
    metrics: dict[str, Any]
    mark: dict[str, Any] | None = None
    files: dict[str, str]


def read_manifest(path: str | Path) -> Manifest:
    """Read the manifest of a bundle.

    A BundleError if the folder is missing, not a bundle, damaged, or of another format.
    """
    with opened(Path(path)) as folder:
        return manifest_of(folder)


def manifest_of(folder: Folder) -> Manifest:
    """Read the manifest of an open folder; raises as :func:`read_manifest`."""
    path = folder.path
    if MANIFEST not in folder:
        raise BundleError(
            f"{path} is not a bundle (it has no manifest.json)",
            remedy="name a folder that model.save(...) wrote",
        )
    try:
        content = json.loads(folder.read(MANIFEST).decode("utf-8"))
        version = content.get("format") if isinstance(content, dict) else FORMAT
        if version == FORMAT or not isinstance(version, int):
            return Manifest.model_validate(content)
    except RecursionError as error:
        raise damaged(f"{MANIFEST} is damaged: its JSON is nested too deeply", path) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "manifest"
        raise damaged(f"{MANIFEST} is damaged: {key}: {first['msg']}", path) from error
    except ValueError as error:  # not UTF-8, or not JSON
        raise damaged(f"{MANIFEST} is damaged: {error}", path) from error
    older = "fit and save the model again with this version"
    raise BundleError(
        f"{path} has bundle format {version}; this version reads format {FORMAT}",
        remedy=older if version < FORMAT else "upgrade shortlist",
    )


def may_be_replaced(path: Path) -> bool:
    """Return whether the path is a bundle of any version, or an empty folder."""
    if not path.is_dir():
        return False
    try:
        content = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # other programs also name a file manifest.json
        return not any(path.iterdir())
    return isinstance(content, dict) and {"shortlist", "format", "model"} <= content.keys()
