"""Weights and dislikes in the classical models, against naive references."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose

import shortlist as sl
from shortlist.data.dataset import Dataset
from shortlist.models.base import Model
from shortlist.recommend.recommender import dense_scores

ITEMS = pa.table({"item_id": range(20), "colour": ["red", "blue", "green", "grey"] * 5})
COUNTING: tuple[type[Model[Any, Any]], ...] = (
    sl.Popularity, sl.EASE, sl.RP3beta, sl.GraphFilter, sl.IALS, sl.ContentBased,
)  # fmt: skip
SIZES: dict[type[Model[Any, Any]], dict[str, Any]] = {sl.IALS: {"embedding_size": 4, "epochs": 3}}
PUSHED: tuple[Model[Any, Any], ...] = (
    sl.EASE(regularization=3, weighting="weighted"),
    sl.RP3beta(neighbors=9, alpha=0.7, beta=0.3, normalized=True),
    sl.GraphFilter(ideal_weight=0.3, sharpening=0.5, popularity=0.2, embedding_size=4),
    sl.ItemCosine(neighbors=9, weighting="weighted", shrinkage=1),
    sl.ContentBased(aggregate="sum", feature_weights={}),
)


def rated(lowest: int = 1, seed: int = 1) -> Dataset:
    """60 users with 12 of 20 items each; weights ``lowest`` to 5, those below 0 are dislikes."""
    rng = np.random.default_rng(seed)
    users, items = np.nonzero(rng.random((60, 20)) < 0.6)
    weights = rng.integers(lowest, 6, len(users))
    log = pa.table({"user_id": users, "item_id": items, "w": weights})
    return Dataset.from_tables(log, items=ITEMS, weight="w")


def made(model: type[Model[Any, Any]], **settings: Any) -> Model[Any, Any]:
    """Make a model that is quick to fit."""
    return model(**SIZES.get(model, {}) | settings)


def all_scores(model: Model[Any, Any]) -> np.ndarray[Any, Any]:
    return dense_scores(model, np.arange(model.data.n_users, dtype=np.int32))


def scaled(data: Dataset) -> np.ndarray[Any, Any]:
    """The weights over their mean, users x items."""
    weights = data.matrix.toarray().astype(np.float64)
    return np.asarray(weights / data.weights.mean())


def test_popularity_by_weight() -> None:
    data = rated()
    model = sl.Popularity(weighting="weighted").fit(data)
    assert_allclose(model.learned.counts, data.matrix.toarray().sum(axis=0))
    [part] = model.explain(None, 3, query=sl.Query(history=[1])).parts.to_pylist()
    assert part["name"] == "weights of users who chose it"


def test_ease_by_weight() -> None:
    data = rated()
    weights = scaled(data)
    precision = np.linalg.inv(weights.T @ weights + 3 * np.eye(20))
    expected = -precision / np.diag(precision)
    np.fill_diagonal(expected, 0)
    model = sl.EASE(regularization=3, weighting="weighted").fit(data)
    assert_allclose(model.learned.weights, expected, atol=1e-5)
    assert_allclose(all_scores(model), weights @ expected, atol=1e-4)


def test_ease_by_weight_through_few_users() -> None:
    wide = rated().select(rated().user_rows < 4)
    keep = np.unique(wide.user_rows)
    log = wide.to_arrow().filter(pa.array(np.isin(wide.user_rows, keep)))
    data = Dataset.from_tables(log, items=ITEMS, weight="weight")
    weights = scaled(data)
    precision = np.linalg.inv(weights.T @ weights + 3 * np.eye(20))
    expected = -precision / np.diag(precision)
    np.fill_diagonal(expected, 0)
    model = sl.EASE(regularization=3, weighting="weighted").fit(data)
    assert model.learned.weights.shape == (4, 20)
    assert_allclose(all_scores(model), weights @ expected, atol=1e-4)
    explained = model.explain(data.users.ids[1].as_py(), 3)
    assert explained.parts["amount"].to_numpy().sum() == pytest.approx(explained.score, abs=1e-4)


def test_rp3beta_by_weight() -> None:
    data = rated()
    weights = scaled(data)
    of_users, of_items = weights.sum(axis=1), weights.sum(axis=0)
    to_users = (weights.T / of_items[:, np.newaxis]) ** 0.7
    walks = to_users @ (weights / of_users[:, np.newaxis]) ** 0.7 / of_items**0.3
    np.fill_diagonal(walks, 0)
    walks /= walks.sum(axis=1, keepdims=True)
    options: dict[str, Any] = {"neighbors": None, "alpha": 0.7, "beta": 0.3, "normalized": True}
    model = sl.RP3beta(**options, weighting="weighted").fit(data)
    assert_allclose(model.learned.weights.toarray(), walks, atol=1e-5)
    assert_allclose(all_scores(model), weights @ walks, atol=1e-5)


def test_graph_filter_by_weight() -> None:
    data = rated()
    weights = scaled(data)
    of_users, of_items = weights.sum(axis=1), weights.sum(axis=0)
    graph = weights / np.sqrt(of_users[:, np.newaxis] * of_items)
    linear = graph.T @ graph
    linear = (linear - 0.5 * linear @ linear) * of_items**0.2
    leading = np.linalg.svd(graph)[2][:4]
    ideal = leading.T @ leading * np.sqrt(of_items) / np.sqrt(of_items)[:, np.newaxis]
    options = {"ideal_weight": 0.3, "sharpening": 0.5, "popularity": 0.2, "embedding_size": 4}
    model = sl.GraphFilter(**options, weighting="weighted").fit(data)
    assert_allclose(all_scores(model), weights @ (linear + 0.3 * ideal), atol=2e-4)


@pytest.mark.parametrize("aggregate", ["sum", "mean"])
def test_content_by_weight(aggregate: Any) -> None:
    data = rated()
    weights = scaled(data)
    if aggregate == "mean":
        weights /= weights.sum(axis=1, keepdims=True)
    colours = np.arange(20) % 4
    options: dict[str, Any] = {"feature_weights": {}, "aggregate": aggregate}
    model = sl.ContentBased(**options, weighting="weighted").fit(data)
    expected = weights @ (colours[:, np.newaxis] == colours)
    assert_allclose(all_scores(model), expected, atol=1e-4)


@pytest.mark.parametrize("model", COUNTING, ids=lambda model: model.__name__)
def test_equal_weights_leave_nothing_to_choose(model: type[Model[Any, Any]]) -> None:
    plain = rated()
    log = plain.to_arrow().select(["user_id", "item_id"])
    data = Dataset.from_tables(log, items=ITEMS)
    automatic, binary = made(model).fit(data), made(model, weighting="binary").fit(data)
    assert "weighting" not in automatic.chosen
    assert "dislikes" not in automatic.chosen
    assert np.array_equal(all_scores(automatic), all_scores(binary))
    assert automatic.ignores == ("item features",) * (model is not sl.ContentBased)
    doubled = Dataset.from_tables(
        log.append_column("w", pa.array([2.0] * len(log))), items=ITEMS, weight="w"
    )
    assert np.array_equal(all_scores(made(model).fit(doubled)), all_scores(automatic))


@pytest.mark.parametrize("model", COUNTING, ids=lambda model: model.__name__)
def test_what_is_chosen_is_what_is_used(model: type[Model[Any, Any]], tmp_path: Path) -> None:
    data = rated()
    fitted = made(model).fit(data)
    assert fitted.chosen["weighting"] in ("binary", "weighted")
    assert fitted.uses_weights == (fitted.chosen["weighting"] == "weighted")
    given = made(model, **fitted.chosen).fit(data)
    assert np.array_equal(all_scores(given), all_scores(fitted))
    for weighting in ("binary", "weighted"):
        counted = made(model, weighting=weighting).fit(data)
        assert ("weights" in counted.uses, "weights" in counted.ignores) == (
            (True, False) if weighting == "weighted" else (False, True)
        )
        counted.save(tmp_path / weighting)
        assert np.array_equal(all_scores(sl.load(tmp_path / weighting)), all_scores(counted))
    refitted = made(model).fit(data)
    refitted.fit(Dataset.from_tables(data.to_arrow().select(["user_id", "item_id"]), items=ITEMS))
    assert "weighting" not in refitted.chosen


def strong_and_stray(n_users: int = 400) -> Dataset:
    """Strong choices of one's own half of the items, and as many weak ones of any items."""
    rng = np.random.default_rng(5)
    users = np.repeat(np.arange(n_users), 10)
    strong = np.tile(np.arange(10) < 5, n_users)
    own = 30 * (users % 2) + rng.integers(0, 30, len(users))
    items = np.where(strong, own, rng.integers(0, 60, len(users)))
    weights = np.where(strong, 5.0, 0.5)
    log = pa.table({"user_id": users, "item_id": items, "w": weights})
    return Dataset.from_tables(log, weight="w", repeats="max")


@pytest.mark.parametrize(
    "model", [sl.EASE(), sl.IALS(embedding_size=8), sl.GraphFilter(embedding_size=8)], ids=repr
)
def test_weights_that_tell_are_chosen(model: Model[Any, Any]) -> None:
    assert model.fit(strong_and_stray()).chosen["weighting"] == "weighted"


@pytest.mark.parametrize("model", [sl.UserCosine(), sl.ItemCosine()], ids=repr)
def test_the_cosines_try_weights_too(model: Model[Any, Any]) -> None:
    data = strong_and_stray()
    assert model.fit(data).chosen["weighting"] == "weighted"
    given = type(model)(**model.chosen).fit(data)
    assert np.array_equal(all_scores(given), all_scores(model))


def test_the_weight_of_all_zeros_grows_with_the_weights() -> None:
    data = rated()
    binary, weighted = (
        sl.IALS(embedding_size=4, weighting=weighting).fit(data).used.unobserved_weight
        for weighting in ("binary", "weighted")
    )
    assert weighted == pytest.approx(binary * data.weights.mean())


@pytest.mark.parametrize("model", PUSHED, ids=lambda model: model.name)
def test_dislikes_are_taken_away(model: Model[Any, Any]) -> None:
    data = rated(lowest=-3)
    assert data.dislikes is not None
    settings = model.get_params() | {"weighting": "binary"}
    plain, pushed = (
        type(model)(**settings | {"dislikes": share}).fit(data) for share in (0.0, 0.25)
    )
    disliked = Dataset.from_tables(data.dislikes.to_arrow().select(["user_id", "item_id"]))
    against = [
        sl.Query(history=disliked.items.take(disliked.choices[[row]].indices).to_pylist())
        for row in range(disliked.n_users)
    ]
    listed = plain.recommend(queries=against, k=20, exclude_seen=False).to_arrow()
    expected = all_scores(plain).astype(np.float64)
    rows = data.users.rows(disliked.users.ids)[listed["query"].to_numpy()]
    columns = data.items.rows(listed["item_id"].to_pylist())
    expected[rows, columns] -= 0.25 * listed["score"].to_numpy()
    assert_allclose(all_scores(pushed), expected, atol=2e-4)
    user, item = data.users.ids[int(disliked.user_rows[0])].as_py(), data.items.ids[4].as_py()
    explained = pushed.explain(user, item)
    assert explained.parts["amount"].to_numpy().sum() == pytest.approx(explained.score, abs=1e-4)
    if model.name != "ContentBased":
        assert "disliked item" in explained.parts["kind"].to_pylist()


def thumbs(n_users: int = 400) -> Dataset:
    """Everyone likes hits; what people dislike tells which half of the others they like."""
    rng = np.random.default_rng(8)
    rows = []
    for user in range(n_users):
        side = user % 2
        rows += [(user, int(item), 1) for item in rng.choice(10, 1, replace=False)]
        rows += [(user, 10 + 2 * int(n) + side, 1) for n in rng.choice(20, 3, replace=False)]
        rows += [(user, 10 + 2 * int(n) + 1 - side, -1) for n in rng.choice(20, 8, replace=False)]
    users, items, weights = zip(*rows, strict=True)
    log = pa.table({"user_id": users, "item_id": items, "w": weights})
    return Dataset.from_tables(log, weight="w")


@pytest.mark.parametrize("model", [sl.EASE(), sl.ItemCosine(), sl.RP3beta()], ids=repr)
def test_dislikes_that_tell_are_pushed_away(model: Model[Any, Any]) -> None:
    data = thumbs()
    fitted = model.fit(data)
    assert fitted.chosen["dislikes"] > 0
    assert "weighting" not in fitted.chosen or model.name == "ItemCosine"
    assert fitted.uses == ("choices", "dislikes")


@pytest.mark.parametrize("signal", [{"weighting": "weighted"}, {"dislikes": 0.3}])
def test_content_takes_a_way_that_counts_what_is_given(signal: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    log = rated(lowest=-3).to_arrow()
    times = pa.table({"at": rng.integers(0, 1000, len(log))})["at"]
    rows = log.select(["user_id", "item_id", "weight"]).append_column("at", times)
    rows = rows.set_column(2, "w", pa.array(rng.choice([-1, 1, 5], len(log))))
    data = Dataset.from_tables(rows, items=ITEMS, weight="w", time="at")
    model = sl.ContentBased(**signal).fit(data)
    assert model.chosen["aggregate"] == "mean"
    assert model.used.model_dump().items() >= signal.items()
    assert sl.ContentBased(weighting="binary", dislikes=0, aggregate="max").fit(data).ignores == (
        "weights", "times",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "used"),
    [
        ({"item_weighting": "weighted"}, True),
        ({"item_weighting": "tfidf"}, False),
        ({"item_weighting": "weighted", "item_blocks": "features"}, False),
        ({"item_weighting": "weighted", "item_term": 0.0, "user_term": 1.0}, False),
    ],
)
def test_what_a_hybrid_says_of_weights_is_what_its_scores_say(
    settings: dict[str, Any], used: bool
) -> None:
    data = rated()
    other = Dataset.from_tables(data.to_arrow().drop("weight"), items=ITEMS)
    form = sl.Hybrid.form("item interactions").get_params() | settings
    model = sl.Hybrid(**form).fit(data)
    assert ("weights" in model.uses, "weights" in model.ignores) == (used, not used)
    assert np.array_equal(all_scores(model), all_scores(sl.Hybrid(**form).fit(other))) != used


def test_what_the_models_use_is_said_in_a_line() -> None:
    train, test = sl.split.random(rated())
    weighted = sl.EASE(regularization=3, weighting="weighted")
    compared = sl.compare([sl.ContentBased(weighting="binary"), weighted], train, test, k=5)
    assert sorted(compared.uses.split("; ")) == [
        "choices, item features: ContentBased",
        "choices, weights: EASE",
    ]
    assert compared.models["EASE"].ignores == ("item features",)
