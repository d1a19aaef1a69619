"""The architecture that the documents describe is the one that the code has."""

from __future__ import annotations

import re
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]


def test_no_file_imports_itself_through_others() -> None:
    """Imports inside functions and for type checking count as well."""
    graph = grimp.build_graph("shortlist", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        list(TopologicalSorter(imports).static_order())
    except CycleError as error:
        pytest.fail(f"import circle: {' <- '.join(error.args[1])}")


def test_the_architecture_page_names_files_that_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    paths = re.findall(r"`([\w/]+(?:\.py|/))`", page)
    missing = [path for path in paths if not (ROOT / "src" / "shortlist" / path).exists()]
    assert len(paths) > 30
    assert missing == []


def test_the_diagram_shows_the_layers_that_are_enforced() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    drawn = re.findall(r"(\w+)/", page.split("```")[1])
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    layers = config["tool"]["importlinter"]["contracts"][0]["layers"]
    rooms = [room for layer in layers for room in layer.split(" | ")]
    folders = [room for room in rooms if (ROOT / "src" / "shortlist" / room).is_dir()]
    assert drawn == folders
