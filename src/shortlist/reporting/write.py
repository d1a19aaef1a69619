"""From a comparison to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shortlist import extras
from shortlist.errors import InputError
from shortlist.files import atomic_file

if TYPE_CHECKING:
    from shortlist.evaluation.comparison import Comparison


def require_report(path: str | Path) -> None:
    """Refuse to start work that ends in a report which cannot be written.

    Raises
    ------
    ConfigError
        The extra ``report`` is not installed.
    InputError
        The folder does not exist, or ``path`` is a folder.
    """
    extras.require("report", "the report")
    place = Path(path).resolve()
    if place.is_dir() or not place.parent.is_dir():
        missing = place.parent if not place.parent.is_dir() else place
        what = "is a folder, not a file" if missing is place else "does not exist"
        raise InputError(
            f"the report cannot be written: {missing} {what}",
            remedy="name a file in a folder that exists",
        )


def write_report(
    comparison: Comparison, path: str | Path, *, title: str, command: str | None = None
) -> Path:
    """Write the page; :meth:`Comparison.write_report` documents the arguments."""
    require_report(path)
    from shortlist.reporting.contents import gather
    from shortlist.reporting.page import render

    page = render(gather(comparison, title=title, command=command))
    with atomic_file(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return Path(path)
