"""The Python blocks of most pages run alone, on few films; the site builds."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import shortlist as sl
from shortlist.models.registry import MODULES, model_class
from shortlist.scoring.capabilities import Explains

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    page.relative_to(DOCS).as_posix()
    for page in DOCS.rglob("*.md")
    if "```python" in page.read_text("utf-8")
)
# These fit, compare and search for longer; test_blocks.py runs them.
SLOW = {
    "tutorials/jobs.md", "tutorials/films.md", "how-to/data.md", "how-to/tune.md",
    "how-to/cascade.md", "how-to/evaluate.md", "how-to/cluster.md",
}  # fmt: skip


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def films() -> sl.Dataset:
    """The film data of the tutorial: its first 60 viewers."""
    data = sl.films()
    return data.select(data.user_rows < 60)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in SLOW])
def test_the_code_of_a_page_runs(
    page: str, films: sl.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sl, "films", lambda: films)
    for number, block in enumerate(blocks(page), 1):
        names: dict[str, Any] = {}
        exec(compile(block, f"{page}, block {number}", "exec"), names)


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", MODULES)
def test_every_model_has_a_page_with_all_its_parameters(name: str, hooks: ModuleType) -> None:
    page = (DOCS / "models" / f"{name.lower()}.md").read_text("utf-8")
    shown = hooks.on_page_markdown(page)
    for field, info in model_class(name).Config.model_fields.items():
        assert f"| `{field}` | `{info.default!r}` | " in shown
    assert "<!--" not in shown
    assert ">>>" not in shown
    for heading in ("## When to use it", "## What it costs", "## Parameters"):
        assert heading in page, heading


def test_pages_name_the_models_that_have_a_capability() -> None:
    models = {name: model_class(name)() for name in MODULES}
    silent = [f"`{name}`" for name, model in models.items() if not isinstance(model, Explains)]
    listed = f"{', '.join(silent[:-1])} and {silent[-1]}"
    readme = (ROOT / "README.md").read_text("utf-8")
    assert f"adding up to the score; every model except {listed} |" in readme
    assert f"every model except {listed} |" in (DOCS / "migration.md").read_text("utf-8")
    assert f"({', '.join(silent)})" in _words("how-to/explain.md")
    comparison = _words("comparison.md")
    assert f"| {len(models) - len(silent)} of the {len(models)} models |" in comparison
    assert f"| number of models | {len(models)}, " in comparison
    featured = [f"`{name}`" for name, model in models.items() if model.uses_features]
    featured.append("`IALS(features=True)`")
    assert f"| {', '.join(featured)}; `Cascade` of such stages |" in comparison
    assert f"({', '.join(featured)}, and a `Cascade`" in _words("how-to/rules.md")


def _words(page: str) -> str:
    return " ".join((DOCS / page).read_text("utf-8").split())


SHELL = re.compile(r"^\$ (?:\.venv/bin/)?shortlist (.+?)(?<!\\)$", re.MULTILINE | re.DOTALL)


def _commands() -> list[str]:
    texts = [path.read_text("utf-8") for path in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))]
    return [one.replace("\\\n", " ") for text in texts for one in SHELL.findall(text)]


@pytest.mark.parametrize("line", sorted(set(_commands())))
def test_commands_that_are_shown_exist(line: str) -> None:
    from typer.main import get_command

    from shortlist.cli.app import app

    command, *words = shlex.split(line, comments=True)
    commands: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    known = {name for one in commands[command].params for name in one.opts}
    assert [word for word in words if word.startswith("-") and word not in known] == []


def test_rules_of_the_page_hold(films: sl.Dataset) -> None:
    model = sl.ItemCosine().fit(films)
    listed = model.recommend([1], k=5, where={"year": {"gte": 1990, "lt": 2000}}).column("item_id")
    table = films.item_features
    assert table is not None
    rows = films.items.rows(listed)
    years = np.array(table.column("year").to_pylist(), dtype=float)[rows]
    assert len(listed) == 5
    assert ((years >= 1990) & (years < 2000)).all()


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "site" / "models" / "ease" / "index.html").read_text("utf-8")
    assert "<code>regularization</code>" in page
