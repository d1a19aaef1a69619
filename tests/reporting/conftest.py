"""A comparison on small data with times, titles and features, and its page."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import shortlist as sl
from shortlist.models.base import Model
from shortlist.reporting import ComparisonWithReport

from .pages import Element, read

N_USERS, N_ITEMS, TASTES = 260, 60, 3
EVIL = "<script>alert('1')</script> & \"x\""
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def tables(*, seed: int = 0) -> dict[str, Any]:
    """Users with three tastes, who choose only items of their taste, the first ones most often."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(N_USERS):
        own = [item for item in range(N_ITEMS) if item % TASTES == user % TASTES]
        chances = 1 / (5 + np.arange(len(own)))
        chosen = rng.choice(own, size=3 + user % 6, replace=False, p=chances / chances.sum())
        rows += [(user, int(item), START + dt.timedelta(hours=user, minutes=minute))
                 for minute, item in enumerate(chosen)]  # fmt: skip
    users, items, times = zip(*rows, strict=True)
    titles = [f"Film {item}" for item in range(N_ITEMS)]
    titles[0] = EVIL
    return {
        "interactions": pa.table({"user_id": users, "item_id": items, "at": times}),
        "users": pa.table(
            {"user_id": range(N_USERS), "likes": [f"taste {u % TASTES}" for u in range(N_USERS)]}
        ),
        "items": pa.table(
            {
                "item_id": range(N_ITEMS),
                "title": titles,
                "taste": [f"taste {item % TASTES}" for item in range(N_ITEMS)],
                "shelf": [f"shelf {item // 15}" for item in range(N_ITEMS)],
            }
        ),
    }


@pytest.fixture(scope="session")
def comparison() -> ComparisonWithReport:
    data = sl.Dataset.from_tables(**tables(), time="at")
    train, test = sl.split.leave_last_out(data)
    models: list[Model[Any, Any]] = [
        sl.Popularity(),
        sl.ItemCosine(),
        sl.IALS(embedding_size=8, epochs=4),
        sl.ContentBased(),
    ]
    return sl.compare(models, train, test, k=(3, 10), seed=3)


@pytest.fixture(scope="session")
def text(comparison: ComparisonWithReport, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    command = "shortlist compare 'a & b.duckdb' --report report.html"
    assert comparison.write_report(path, title=f"Films {EVIL}", command=command) == path
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def page(text: str) -> Element:
    return read(text)
