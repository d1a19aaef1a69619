"""The explanations of a list are those of its items, for every model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import shortlist as sl
from shortlist.recommend.explain import explain_items
from shortlist.scoring.capabilities import Explains

MODELS: list[Any] = [
    sl.Popularity(),
    sl.IALS(embedding_size=8, epochs=2),
    sl.IALS(embedding_size=8, epochs=2, weighting="weighted"),
    sl.EASE(),
    sl.ItemCosine(),
    sl.UserCosine(),
    sl.ContentBased(),
    sl.ContentBased(aggregate="max"),
    sl.Hybrid(),
    sl.MatrixFactorization(embedding_size=4, epochs=2),
    sl.Retrieval(embedding_size=4, epochs=1),
    sl.Cascade(stages=[sl.ItemCosine(), sl.Popularity()]),
]


@pytest.fixture(scope="module")
def data() -> sl.Dataset:
    generator = np.random.default_rng(5)
    users, items = generator.integers(0, 40, 600), generator.integers(0, 60, 600)
    weights = generator.integers(1, 6, 600).astype(np.float32)
    log = pa.table({"user_id": users, "item_id": items, "weight": weights})
    genres = pa.table({"item_id": np.arange(60), "genre": [f"g{item % 5}" for item in range(60)]})
    return sl.Dataset.from_tables(log, items=genres, weight="weight")


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_lists_of_explanations(data: sl.Dataset, model: Any) -> None:
    assert isinstance(model.fit(data), Explains)
    queries = (sl.Query(user=3), sl.Query(history={1: 2.0, 7: 5.0, 30: 1.0}), sl.Query(history=[]))
    for query in queries:
        items = [5, 50, 17, 2]
        alone = [model.explain(None, item, query=query) for item in items]
        for most in (None, 1, 3):
            together = list(explain_items(model, query, items, most))
            assert len(together) == len(items)
            for one, many in zip(alone, together, strict=True):
                assert (many.item, many.source) == (one.item, one.source)
                assert many.score == pytest.approx(one.score, rel=1e-6)
                expected = one.parts.slice(0, most)
                assert many.parts.column("name").equals(expected.column("name"))
                assert many.parts.column("kind").equals(expected.column("kind"))
                np.testing.assert_allclose(
                    many.parts.column("amount"), expected.column("amount"), rtol=1e-9, atol=1e-12
                )
    assert list(explain_items(model, queries[0], [])) == []
