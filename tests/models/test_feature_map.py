from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureEncoder
from shortlist.models.feature_map import FeatureMap
from shortlist.models.ials.model import IALS
from shortlist.models.towers.learned import feature_rows
from shortlist.recommend.query import Query
from shortlist.testing import ModelContract, checkerboard, small_world

SMALL: dict[str, Any] = {
    "embedding_size": 6, "epochs": 4, "regularization": 0.02, "unobserved_weight": 0.1,
    "weighting": "binary", "features": True,
}  # fmt: skip


class TestIALSWithFeatures(ModelContract):
    model = partial(IALS, **SMALL)


def people(count: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table({
        "city": rng.choice(["Seoul", "Busan", "Daegu"], count),
        "age": rng.integers(18, 70, count),
        "likes": [list(rng.choice(["tea", "rye", "gin"], 2, replace=False)) for _ in range(count)],
    })  # fmt: skip


def test_a_planted_map_is_found() -> None:
    table, unseen = people(300, 1), people(20, 2)
    encoder, rng = FeatureEncoder.fit(table), np.random.default_rng(3)
    planted = rng.normal(size=(encoder.n_features, 5))
    vectors = 2 + feature_rows(encoder, table) @ planted
    known = rng.random(300) < 0.7
    noisy = np.where(known[:, np.newaxis], vectors, 99).astype(np.float32)
    found = FeatureMap.learn(table, noisy, known, 1e-6)
    assert found is not None
    expected = 2 + feature_rows(encoder, unseen) @ planted
    assert_allclose(found.vectors(found.rows(unseen)), expected, atol=1e-3)


@pytest.mark.parametrize("penalty", [0.03, 1.0, 50.0])
def test_weights_are_those_of_ridge_regression(penalty: float) -> None:
    table, rng = people(60, 4), np.random.default_rng(5)
    vectors = rng.normal(size=(60, 3)).astype(np.float32)
    known = np.arange(60) % 4 > 0
    found = FeatureMap.learn(table, vectors, known, penalty)
    assert found is not None
    inputs = feature_rows(found.encoder, table).toarray()[known].astype(np.float64)
    targets = vectors[known].astype(np.float64)
    system = inputs.T @ inputs + penalty * np.eye(inputs.shape[1])
    expected = np.linalg.solve(system, inputs.T @ (targets - targets.mean(axis=0)))
    assert_allclose(found.weights, expected, atol=1e-5)
    assert_allclose(found.mean, targets.mean(axis=0), atol=1e-6)


def test_nothing_to_learn_from() -> None:
    vectors = np.ones((4, 2), np.float32)
    everyone = np.ones(4, dtype=bool)
    assert FeatureMap.learn(None, vectors, everyone, 1.0) is None
    assert FeatureMap.learn(people(4, 0), vectors, ~everyone, 1.0) is None
    assert FeatureMap.learn(pa.table({"same": ["x"] * 4}), vectors, everyone, 1.0) is None


def test_features_change_no_learned_vector() -> None:
    data = small_world().data
    plain = IALS(**SMALL | {"features": False}).fit(data)
    described = IALS(**SMALL).fit(data)
    assert_array_equal(plain.learned.users, described.learned.users)
    assert_array_equal(plain.learned.items, described.learned.items)
    warm = np.flatnonzero(data.item_counts)
    assert_array_equal(plain.item_vectors()[warm], described.item_vectors()[warm])
    assert not plain.uses_features
    assert described.uses == ("choices", "user features", "item features")


def two_tastes() -> Dataset:
    """The checkerboard, with two more users and two more items that nobody chose."""
    world = checkerboard()
    more = pa.table({"user_id": ["new0", "new1"], "taste": ["even", "odd"]})
    fresh = pa.table({"item_id": ["fresh0", "fresh1"], "taste": ["even", "odd"]})
    return Dataset.from_tables(
        world.interactions.select(["user_id", "item_id"]),
        pa.concat_tables([world.users, more]),
        pa.concat_tables([world.items, fresh]),
    )


def test_new_users_and_new_items_go_by_their_taste() -> None:
    model = IALS(**SMALL).fit(two_tastes())
    tastes = [{f"i{n:02}" for n in range(parity, 12, 2)} | {f"fresh{parity}"} for parity in (0, 1)]
    lists = model.recommend(["new0", "new1"], k=7)
    queries = model.recommend(queries=[Query(features={"taste": t}) for t in ("even", "odd")], k=7)
    for parity in (0, 1):
        here = slice(7 * parity, 7 * parity + 7)
        assert set(lists.column("item_id")[here]) == tastes[parity]
        assert queries.column("item_id")[here] == lists.column("item_id")[here]
    assert set(lists.column("source")) == {"IALS"}
    warm = model.recommend(["u00"], k=2).column("item_id")  # one item of the taste, and the new one
    assert set(warm) == {checkerboard().answers["u00"], "fresh0"}
    near = model.similar(["fresh1"], k=6).column("item_id")
    assert set(near) == tastes[1] - {"fresh1"}
    vectors = model.user_vectors() @ model.item_vectors().T
    row = model.data.users.rows(pa.array(["new0"]))[0]
    best = np.argsort(-vectors[row], kind="stable")[:7]
    assert set(model.data.items.take(best).to_pylist()) == tastes[0]


def test_a_list_by_features_is_explained_by_them() -> None:
    model = IALS(**SMALL).fit(two_tastes())
    explained = model.explain("new1", "fresh1")
    kinds, names = (explained.parts.column(name).to_pylist() for name in ("kind", "name"))
    assert set(kinds) == {"everybody", "feature"}
    assert set(names) == {"what all users share", "taste=odd"}
    listed = model.recommend(["new1"], k=7)
    score = listed.column("score")[listed.column("item_id").index("fresh1")]
    assert sum(explained.parts.column("amount").to_pylist()) == pytest.approx(score, abs=1e-5)


def test_what_the_map_does_not_know() -> None:
    model = IALS(**SMALL).fit(two_tastes())
    nothing = model.recommend(queries=[Query(features={})], k=2)
    assert nothing.column("source") == ["popularity"] * 2
    mean = model.learned.user_map[-1]
    other = model.recommend(queries=[Query(features={"taste": "round"})], k=1)
    assert other.column("score")[0] == pytest.approx((model.item_vectors() @ mean).max(), abs=1e-5)
    assert "round" in model.unused_features(pa.table({"taste": ["round"]}))["taste"]


def test_new_interactions_keep_the_maps() -> None:
    model = IALS(**SMALL).fit(two_tastes())
    before = model.learned.user_map.copy()
    log = pa.table({"user_id": ["new0"], "item_id": ["i01"]})
    model.partial_fit(Dataset.from_tables(log))
    assert_array_equal(model.learned.user_map, before)
    assert "the maps from features to vectors are those of the last fit" in model.not_updated
    assert model.recommend(["new0"], k=1).column("item_id")[0] in {f"i{n:02}" for n in range(12)}
    assert model.recommend(["new1"], k=1).column("source") == ["IALS"]
