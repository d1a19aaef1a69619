"""The code in the README and the contributing guide does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import shortlist as sl
from shortlist.testing import ModelContract

ROOT = Path(__file__).parent.parent


def blocks(document: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / document).read_text("utf-8"), re.DOTALL)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, which the README's tables lie in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_first_block_of_the_readme(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sl.films()  # 40 viewers and some hundred films of it are enough here
    often = np.flatnonzero(whole.item_counts > 40)
    log = whole.select((whole.user_rows < 40) & np.isin(whole.item_rows, often)).to_arrow()
    assert whole.item_features is not None
    items = whole.item_features.append_column("item_id", whole.items.ids).take(pa.array(often))
    data = sl.Dataset.from_tables(log, items=items, weight="weight", time="time")
    monkeypatch.setattr(sl, "films", lambda: data)
    names: dict[str, Any] = {}
    exec(blocks("README.md")[0], names)
    assert "full catalogue" in capsys.readouterr().out
    listed = pq.read_table(here / "lists.parquet")
    assert set(listed.column("user_id").to_pylist()) == set(data.users.ids.to_pylist())
    features = data.item_features
    assert features is not None
    listed_rows = data.items.rows(listed.column("item_id").to_pylist())
    for film in features.take(pa.array(listed_rows)).to_pylist():
        assert "War" in film["genres"]
        assert film["year"] >= 1990
    assert (here / "bundle" / "manifest.json").is_file()


def test_the_second_block_of_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    board = sl.jobs(300, 250)
    monkeypatch.setattr(sl, "jobs", lambda: board)
    names: dict[str, Any] = {}
    exec(blocks("README.md")[1], names)
    assert names["lists"].column("source") == ["Hybrid"] * 5
    assert names["lists"].notes == ()


def test_a_new_model_in_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    code, contract = blocks("CONTRIBUTING.md")
    names: dict[str, Any] = {"ModelContract": ModelContract}
    exec(code, names)
    exec(contract, names)
    assert issubclass(names["TestRecent"], ModelContract)
    day = 86_400
    log = pa.table(
        {
            "user_id": [1, 2, 3, 4, 5],
            "item_id": ["old", "old", "old", "new", "new"],
            "at": [0, 0, 0, 60 * day, 60 * day],
        }
    )
    model = names["Recent"](half_life=30).fit(sl.Dataset.from_tables(log, time="at"))
    # Two half-lives ago, three choices count 3/4; two of today count 2.
    listed = model.recommend(queries=[sl.Query(history=[])], k=2)
    assert listed.column("item_id") == ["new", "old"]
    assert listed.column("score") == [2.0, 0.75]
    assert "half_life" in names["Recent"].__doc__
