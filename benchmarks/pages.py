"""A page of figures that several benchmarks write: each replaces its own marked section."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def write_section(page: Path, name: str, lines: Sequence[str]) -> None:
    """Replace the section of a page that begins and ends with the marks of a name, or add it."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    section = "\n".join([begin, "", *lines]).rstrip()
    parts = [part for part in (before.strip(), f"{section}\n\n{end}", after.strip()) if part]
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
