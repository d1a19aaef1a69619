"""What every model learns from extreme numbers is finite, or fit says what is wrong."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError, NumericalError
from shortlist.models.base import Model
from shortlist.models.popularity import Popularity
from shortlist.models.registry import MODULES, model_class
from shortlist.recommend.query import Query
from shortlist.scoring.capabilities import ComparesItems, Explains

# Small sizes, so that a fit takes milliseconds; everything else is drawn from the search ranges.
SMALL: dict[str, Any] = {
    "epochs": 3,
    "trees": 5,
    "candidates": 5,
    "batch_size": 64,
    "stages": ("UserCosine", "ItemCosine"),
}
WEIGHTED = ("weighting", "weighted")
TRAINED_BY_TORCH = {"GMF", "MLP", "NeuMF", "Retrieval", "Ranking", "MultiTask"}


@st.composite
def logs(draw: st.DrawFn) -> Dataset:
    """Draw interactions with extreme weights, outliers, duplicate rows, or few rows."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    n_users, n_items = draw(st.sampled_from([(3, 12), (12, 3), (14, 11)]))
    pairs = np.argwhere(rng.random((n_users, n_items)) < 0.5)
    if not len(pairs):
        pairs = np.array([[0, 0]])
    scale = 10.0 ** draw(st.sampled_from([-30, -20, -5, 0, 2, 5, 10, 20, 30]))
    weights = scale * rng.uniform(0.5, 2, len(pairs))
    if draw(st.booleans()):  # one outlier
        weights[rng.integers(len(pairs))] = 10.0 ** draw(st.sampled_from([-30, 5, 10, 30]))
    if draw(st.booleans()):  # every user twice
        pairs = np.concatenate([pairs, pairs + [n_users, 0]])
        weights = np.concatenate([weights, weights])
    items = np.arange(n_items)
    log = pa.table({"user_id": pairs[:, 0], "item_id": pairs[:, 1], "weight": weights})
    users = np.arange(2 * n_users)
    return Dataset.from_tables(
        log,
        pa.table({"user_id": users, "group": [f"g{n % 3}" for n in users]}),
        pa.table(
            {"item_id": items, "kind": [f"k{n % 4}" for n in items], "size": 10.0 ** (items - 5)}
        ),
        weight="weight",
    )


def extreme_settings(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Draw settings at either end of their search ranges, or at their defaults."""
    drawn: dict[str, st.SearchStrategy[Any]] = {}
    for setting, field in model_class(name).Config.model_fields.items():
        extra = field.json_schema_extra
        search = extra.get("search") if isinstance(extra, dict) else None
        if setting in SMALL:
            drawn[setting] = st.just(SMALL[setting])
        elif setting == "weighting":
            drawn[setting] = st.sampled_from([field.default, "weighted", "binary"])
        elif search is not None and not search.choices:
            kind = int if isinstance(field.default, int) else float
            drawn[setting] = st.sampled_from([field.default, kind(search.low), kind(search.high)])
    return st.fixed_dictionaries(drawn)


def assert_finite_and_complete(model: Model[Any, Any]) -> None:
    """Assert that each user gets every item that they have not chosen, with a finite score."""
    data = model.data
    table = model.recommend(k=data.n_items).to_arrow()
    assert np.isfinite(table.column("score").to_numpy()).all()
    assert table.num_rows == data.n_users * data.n_items - data.n_interactions
    user, item = data.users.ids[0].as_py(), data.items.ids[0].as_py()
    if isinstance(model, ComparesItems):
        similar = model.similar(data.items.ids.to_pylist(), k=data.n_items).to_arrow()
        assert np.isfinite(similar.column("score").to_numpy()).all()
        assert similar.num_rows == data.n_items * (data.n_items - 1)
    if isinstance(model, Explains):
        reasons = model.explain(user, item)
        assert np.isfinite([reasons.score, *reasons.parts.column("amount").to_pylist()]).all()


def assert_finite_or_refused(name: str, data: Dataset, settings: dict[str, Any]) -> None:
    """Fit the model and fold in; the numbers are finite, or the error says what to do."""
    model = model_class(name)(**settings)
    try:
        model.fit(data)
    except InputError as error:
        assert error.remedy
        assert not model.is_fitted
        return
    assert_finite_and_complete(model)
    items = data.items.ids.to_pylist()[:3]
    for weight in (1e-30, 1.0, 1e30):
        history = {item: weight * (1 + n) for n, item in enumerate(items)}
        try:
            table = model.recommend(queries=[Query(history=history)], k=data.n_items).to_arrow()
        except NumericalError as error:
            assert error.remedy
        else:
            assert np.isfinite(table.column("score").to_numpy()).all()
            assert table.num_rows == data.n_items - len(history)
