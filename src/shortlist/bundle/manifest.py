"""The manifest of a bundle: its model, settings, data, metrics and files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from shortlist.bundle.folder import Folder, damaged, opened
from shortlist.errors import BundleError, InputError
from shortlist.text import shortened

FORMAT = 2
MANIFEST = "manifest.json"
_BUNDLE_FILE = re.compile(
    r"arrays\.safetensors|(users|items|interactions|history|dislikes|learned\..+)\.parquet"
)
_LONGEST = 200  # characters of a name in a message


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
            remedy="name a folder that shortlist fit or model.save wrote",
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


def require_replaceable(path: Path) -> None:
    """Raise an InputError unless a path is a bundle of any version, or an empty folder.

    A bundle is replaced as a whole, so it may hold no other files. It may be damaged.
    """
    names = {entry.name for entry in path.iterdir()} if path.is_dir() else {""}
    own = {MANIFEST, *filter(_BUNDLE_FILE.fullmatch, names)}
    try:
        content = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        content = None
    whole = isinstance(content, dict) and {"shortlist", "format", "model"} <= content.keys()
    if whole and isinstance(content.get("files"), dict):
        own |= content["files"].keys()
    # Other programs also name a file manifest.json, so that name alone makes no bundle.
    if names and not whole and not (MANIFEST in names and len(own) > 1):
        raise InputError(
            f"{path} is not a bundle, and is not replaced by one", remedy="name another folder"
        )
    if others := sorted(names - own):
        raise InputError(
            f"{path} holds {shortened(others[0], _LONGEST)}, which is not part of the bundle and "
            "would be deleted with it",
            remedy="move it elsewhere, or name another folder",
        )
