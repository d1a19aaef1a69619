"""Item vectors are laid out once, for as long as they live."""

from __future__ import annotations

import gc

import numpy as np
import pyarrow as pa
import pytest

import shortlist as sl
from shortlist.recommend.blocks import make_ready
from shortlist.scoring import packed
from shortlist.scoring.packed import keep_packed, packed_of
from shortlist.scoring.scores import DenseScores, FactorScores


def vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(4, 40)).astype(np.float32)


def test_it_is_kept_for_this_very_array_and_goes_with_it() -> None:
    items, query = vectors(), np.ones((1, 4), dtype=np.float32)
    before = len(packed._kept)
    assert packed_of(items) is None
    keep_packed(FactorScores(query, items))
    first = packed_of(items)
    assert first is not None
    keep_packed(FactorScores(query, items))
    assert packed_of(items) is first
    assert packed_of(items.copy()) is None
    assert len(packed._kept) == before + 1
    del items
    gc.collect()
    assert len(packed._kept) == before


def test_what_is_kept_can_no_longer_be_written_to() -> None:
    items = vectors()
    keep_packed(FactorScores(np.ones((1, 4), dtype=np.float32), items))
    with pytest.raises(ValueError, match="read-only"):
        items[0, 0] = 1.0


def test_other_shapes_have_nothing_to_lay_out() -> None:
    before = len(packed._kept)
    keep_packed(DenseScores(vectors()))
    assert len(packed._kept) == before


def test_lists_of_a_ready_model_have_the_same_bits() -> None:
    rng = np.random.default_rng(1)
    log = pa.table({"user_id": rng.integers(0, 60, 900), "item_id": rng.integers(0, 300, 900)})
    model = sl.IALS(embedding_size=8, epochs=2).fit(sl.Dataset.from_tables(log))
    plain = model.recommend(k=20).table
    assert packed_of(model.learned.columns) is None
    make_ready(model)
    assert packed_of(model.learned.columns) is not None
    assert model.recommend(k=20).table.equals(plain)
    users = plain["user_id"].unique().to_pylist()
    one_by_one = [model.recommend([user], k=20).table for user in users]
    assert pa.concat_tables(one_by_one).equals(plain)


@pytest.mark.parametrize("model", [sl.Popularity(), sl.ItemCosine()])
def test_models_without_item_vectors_are_ready_as_they_are(model: sl.ItemCosine) -> None:
    log = pa.table({"user_id": [1, 1, 2], "item_id": ["a", "b", "a"]})
    make_ready(model.fit(sl.Dataset.from_tables(log)))
    assert model.recommend([2], k=1).column("item_id") == ["b"]
