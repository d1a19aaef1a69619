"""Item vectors are packed once, by the object that holds them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import shortlist as sl
from shortlist.kernels.topk import packed_items
from shortlist.recommend.recommender import pack_items
from shortlist.scoring.scores import ItemFactors


def vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(4, 40)).astype(np.float32)


def test_vectors_are_packed_once_by_the_object_that_holds_them() -> None:
    items, others = ItemFactors(vectors()), ItemFactors(vectors())
    items.pack()
    first = items.packed
    assert first is not None
    assert np.array_equal(first, packed_items(vectors()))
    items.pack()
    assert items.packed is first
    assert others.packed is None


def test_packed_vectors_are_read_only() -> None:
    items = ItemFactors(vectors())
    items.pack()
    with pytest.raises(ValueError, match="read-only"):
        items.columns[0, 0] = 1.0


def test_vectors_in_rows_are_transposed_and_selected() -> None:
    items = ItemFactors.from_rows(np.ascontiguousarray(vectors().T))
    assert len(items) == 40
    assert np.array_equal(items.columns, vectors())
    some = items.take(np.array([7, 3], dtype=np.int32))
    assert np.array_equal(some.columns, vectors()[:, [7, 3]])


def test_lists_of_packed_and_unpacked_items_have_the_same_bits() -> None:
    rng = np.random.default_rng(1)
    log = pa.table({"user_id": rng.integers(0, 60, 900), "item_id": rng.integers(0, 300, 900)})
    model = sl.IALS(embedding_size=8, epochs=2).fit(sl.Dataset.from_tables(log))
    plain = model.recommend(k=20).table
    tiles = [model.learned.factors.packed]
    pack_items(model)
    tiles.append(model.learned.factors.packed)
    assert [one is None for one in tiles] == [True, False]
    assert model.recommend(k=20).table.equals(plain)
    users = plain["user_id"].unique().to_pylist()
    single = [model.recommend([user], k=20).table for user in users]
    assert pa.concat_tables(single).equals(plain)


@pytest.mark.parametrize("model", [sl.Popularity(), sl.ItemCosine()])
def test_packing_leaves_models_without_item_vectors_alone(model: sl.ItemCosine) -> None:
    log = pa.table({"user_id": [1, 1, 2], "item_id": ["a", "b", "a"]})
    pack_items(model.fit(sl.Dataset.from_tables(log)))
    assert model.recommend([2], k=1).column("item_id") == ["b"]
