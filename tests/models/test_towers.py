"""Towers and heads as they score, without PyTorch, against how they were trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from shortlist.data.dataset import Dataset
from shortlist.errors import CapabilityError, ConfigError, InputError, ShortlistError
from shortlist.models.towers.model import MultiTask, Ranking, Retrieval
from shortlist.models.towers.network import Pairs
from shortlist.models.towers.two_towers import TwoTowers
from shortlist.recommend.query import Query
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.selection import dense
from shortlist.testing import checkerboard, small_world
from shortlist.testing.worlds import tiny

SMALL: dict[str, Any] = {"embedding_size": 6, "epochs": 3, "batch_size": 32, "learning_rate": 0.05}
FORMS: dict[str, dict[str, Any]] = {
    "sums": {},
    "ids": {"user_ids": True, "history": False},
    "no features": {"features": False, "biases": False},
    "deep": {"layers": (9, 7), "user_ids": True},
    "deep and normalized": {"layers": (9,), "normalize": True},
}
HEADS: dict[str, dict[str, Any]] = {
    "product alone": {"head_layers": (), "dropout": 0.0},
    "dense": {"head_layers": (9, 7), "product": False, "biases": False},
    "cross": {"head_layers": (7,), "cross_layers": 2},
    "low rank": {"head_layers": (), "cross_layers": 1, "cross_rank": 2},
}


def trained(model: Any) -> TwoTowers:
    """The towers as training left them, to be asked and not trained."""
    towers: TwoTowers = model._training.trainable.eval()
    return towers


@pytest.mark.parametrize("form", FORMS)
def test_vectors_are_those_of_training(form: str) -> None:
    data = small_world().data
    model = Retrieval(**SMALL, **FORMS[form]).fit(data)
    towers = trained(model)
    with torch.no_grad():
        users, items = towers.user(np.arange(data.n_users)), towers.all_items()
    depth = model.config.embedding_size
    some = data.user_counts > 0  # of the others an id says nothing
    assert_allclose(model.item_vectors(), items.numpy(), atol=1e-5)
    assert_allclose(model.user_vectors()[some, :depth], users.numpy()[some, :depth], atol=1e-5)
    scores = dense(model.score(model.learned.profiles(data)))
    assert_allclose(scores, model.user_vectors() @ model.item_vectors().T, atol=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_heads_are_those_of_training(head: str) -> None:
    data = small_world().data
    model = Ranking(**SMALL, **HEADS[head], loss="squared").fit(data)
    rng = np.random.default_rng(0)
    users = rng.choice(np.flatnonzero(data.user_counts), 50).astype(np.int64)
    items = rng.integers(0, data.n_items, 50)
    towers = trained(model)
    with torch.no_grad():
        task: Any = towers.by_name["ranking"]
        expected = task.score(towers, Pairs(users, items)).numpy()
    ids = data.users.take(users.astype(np.int32)), data.items.take(items.astype(np.int32))
    predicted = model.predict(ids[0].to_pylist(), ids[1].to_pylist())
    assert_allclose(predicted, expected, atol=1e-5)
    block = dense(model.score(model.learned.profiles(data)))
    assert_array_equal(block[users, items], predicted)


@pytest.mark.parametrize("form", FORMS)
def test_reasons_add_up_to_the_score(form: str) -> None:
    model = Retrieval(**SMALL, **FORMS[form]).fit(small_world().data)
    for query in (Query(user="u03"), Query(user="u03", history=["i11"])):
        explained = model.explain(None, "i06", query=query)
        amounts = explained.parts.column("amount").to_numpy()
        assert amounts.sum() == pytest.approx(explained.score, abs=1e-5)
        kinds = set(explained.parts.column("kind").to_pylist())
        assert ("chosen item" in kinds) == model.config.history or explained.source != model.name
        if model.config.features and explained.source == model.name:
            assert "feature" in kinds


def test_a_posting_that_nobody_chose_has_the_vector_of_its_features() -> None:
    data = small_world().data
    model = Retrieval(**SMALL, input_dropout=0.0).fit(data)
    cold, table = data.items.require(["i28"])[0], trained(model).item.of_features
    assert data.item_counts[cold] == 0
    encoded = trained(model).item.features
    assert table is not None
    assert encoded is not None
    expected = encoded.toarray()[cold] @ table.detach().numpy()
    assert_allclose(model.item_vectors()[cold], expected, atol=1e-6)
    assert np.abs(expected).sum() > 0


def test_features_alone_get_the_taste_of_people_like_that() -> None:
    """On the checkerboard the feature taste tells everything."""
    model = Retrieval(**SMALL | {"epochs": 30}).fit(checkerboard().data)
    for taste, first in (("even", 0), ("odd", 1)):
        found = model.recommend(queries=[Query(features={"taste": taste})], k=6)
        assert set(found.column("item_id")) == {f"i{n:02}" for n in range(first, 12, 2)}
        assert set(found.column("source")) == {"Retrieval"}


def test_ids_alone_without_biases_are_two_tables_and_no_more() -> None:
    """The towers of the tutorials of TensorFlow Recommenders: an embedding a side."""
    data = small_world().data
    settings = SMALL | {"user_ids": True, "history": False, "features": False, "biases": False}
    model = Retrieval(**settings).fit(data)
    shapes = {name: tuple(one.shape) for name, one in trained(model).named_parameters()}
    assert shapes == {"user.ids": (data.n_users, 6), "item.ids": (data.n_items, 6)}
    assert_array_equal(model.learned.everybody, np.zeros(6))
    kinds = model.explain("u03", "i06").parts.column("kind").to_pylist()
    assert set(kinds) == {"training"}


def test_who_can_be_told_something() -> None:
    data = small_world().data
    nobody = Profiles.new(data.matrix[[5]])  # of whom there is no interaction
    somebody = Profiles.new(data.matrix[[3]])
    of_histories = Retrieval(**SMALL, features=False).fit(data)
    assert not of_histories.can_score(nobody)[0]
    assert of_histories.can_score(somebody)[0]
    of_ids = Retrieval(**SMALL, user_ids=True, history=False, features=False).fit(data)
    assert not of_ids.uses_features
    assert not of_ids.can_score(somebody)[0]  # no vector but by training
    assert (
        of_ids.can_score(of_ids.learned.profiles(data)).tolist() == (data.user_counts > 0).tolist()
    )
    assert of_ids.recommend(queries=[Query(history=["i03"])], k=1).column("source") == [
        "popularity"
    ]


def test_a_list_does_not_depend_on_who_else_is_asked_for() -> None:
    data = small_world().data
    for model in (
        Retrieval(**SMALL, layers=(5,), user_ids=True).fit(data),
        Ranking(**SMALL, head_layers=(9, 5)).fit(data),
        Ranking(**SMALL, cross_layers=1).fit(data),
    ):
        everybody = model.learned.profiles(data)
        together = dense(model.score(everybody))
        for user in (0, 7, 39):
            alone = dense(model.score(everybody.take(np.array([user]))))
            assert_array_equal(alone[0], together[user])


def test_a_column_that_vanished_since_the_fit_is_named() -> None:
    data = small_world().data
    model = Retrieval(**SMALL).fit(data)
    profiles = model.learned.profiles(data)
    without = Profiles(
        profiles.users, profiles.history, profiles.changed, pa.table({"age": [1] * 40})
    )
    with pytest.raises(InputError, match="the column 'city' is missing"):
        model.score(without)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_or_infinite_is_missing(number: float) -> None:
    log = pa.table({"user_id": [1, 2, 3], "item_id": ["a", "b", "c"]})

    def fitted(last: float | None) -> Retrieval:
        users = pa.table({"user_id": [1, 2, 3], "age": [1.0, 7.0, last]})
        return Retrieval(**SMALL).fit(Dataset.from_tables(log, users))

    assert_array_equal(fitted(number).user_vectors(), fitted(None).user_vectors())


def test_a_loss_that_runs_away_is_stopped() -> None:
    with pytest.raises(ShortlistError, match="Ranking diverged") as error:
        Ranking(
            **SMALL | {"learning_rate": 1e25, "epochs": 30}, optimizer="sgd", loss="squared"
        ).fit(small_world().data)
    assert "lower the learning rate" in str(error.value)


def test_batches_larger_than_the_data_are_all_of_it() -> None:
    data = small_world().data
    settings = SMALL | {"user_ids": True, "history": False, "input_dropout": 0.0}
    one = Retrieval(**settings | {"batch_size": 10**6}).fit(data)
    other = Retrieval(**settings | {"batch_size": None}).fit(data)
    assert_array_equal(one.item_vectors(), other.item_vectors())


def test_where_everybody_chose_everything_nothing_is_rejected() -> None:
    full = tiny(("ann", "tea"), ("ann", "rye"), ("bob", "tea"), ("bob", "rye"))
    of_all = [Ranking(**SMALL, rejection=rejection).fit(full) for rejection in (True, False)]
    lists = [model.recommend(exclude_seen=False).to_arrow() for model in of_all]
    assert lists[0].equals(lists[1])
    Retrieval(**SMALL).fit(full)  # nothing competes, and nothing is learned
    with pytest.raises(InputError, match="has nothing to put in order"):
        Ranking(**SMALL, loss="hinge", negatives=0).fit(full)


def test_settings_that_contradict_each_other_are_refused() -> None:
    data = small_world().data
    with pytest.raises(InputError, match="nothing tells users apart"):
        Retrieval(**SMALL, history=False, features=False).fit(data)
    with pytest.raises(InputError, match="nothing combines users and items"):
        Ranking(**SMALL, head_layers=(), product=False).fit(data)
    with pytest.raises(ConfigError, match="are both 0"):
        MultiTask(**SMALL, retrieval_weight=0, rating_weight=0).fit(data)


def test_only_squared_error_predicts_ratings() -> None:
    model = Ranking(**SMALL).fit(small_world().data)
    with pytest.raises(CapabilityError, match="loss='logistic' cannot predict ratings"):
        model.predict(["u03"], ["i03"])


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Any) -> None:
    data = small_world().data
    Retrieval(**SMALL).fit(data, checkpoint=tmp_path / "state")
    with pytest.raises(InputError, match="the checkpoint of another training: another model"):
        MultiTask(**SMALL).fit(data, checkpoint=tmp_path / "state")


@pytest.mark.parametrize("model", [Retrieval, Ranking, MultiTask])
def test_a_training_that_was_interrupted_ends_where_it_would_have(
    model: Any, tmp_path: Any
) -> None:
    data, settings = small_world().data, SMALL | {"validation": 0.1}
    model(**settings | {"epochs": 2}).fit(data, checkpoint=tmp_path / "state")
    later = model(**settings | {"epochs": 4}).fit(data, checkpoint=tmp_path / "state")
    whole = model(**settings | {"epochs": 4}).fit(data)
    assert later.history.equals(whole.history)
    assert_array_equal(later.learned.items, whole.learned.items)


def test_hard_negatives_are_the_best_of_what_was_not_chosen() -> None:
    data = small_world().data
    model = Retrieval(**SMALL, user_ids=True, hard_negatives=3, input_dropout=0.0).fit(data)
    towers = trained(model)
    task: Any = towers.by_name["retrieval"]
    task.start_epoch([0, 9, 1], towers)
    scores = model.user_vectors() @ model.item_vectors().T
    scores[data.user_rows, data.item_rows] = -np.inf
    scores[:, data.item_counts == 0] = -np.inf
    for user in np.flatnonzero(data.user_counts):
        worst = scores[user, task.hardest[user]].min()
        assert (scores[user] > worst + 1e-5).sum() <= 2
        assert np.isfinite(scores[user, task.hardest[user]]).all()


def test_lists_of_a_user_run_in_a_circle() -> None:
    data = small_world().data
    model = Ranking(**SMALL, loss="listmle", list_size=4).fit(data)
    towers = trained(model)
    task: Any = towers.by_name["ranking"]
    chosen = np.arange(len(data))
    lists = task.lists(chosen)
    assert (lists[:, 0] == chosen).all()
    assert (data.user_rows[lists] == data.user_rows[:, None]).all()
    many = data.user_counts[data.user_rows] >= 4
    assert all(len(set(row)) == 4 for row in lists[many].tolist())
