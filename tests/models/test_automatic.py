from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from shortlist.data.dataset import Dataset
from shortlist.errors import ConfigError
from shortlist.models.automatic import choose, fold_of, gains_of, most_popular
from shortlist.models.base import Model
from shortlist.models.cosine import ItemCosine, UserCosine
from shortlist.models.ease import EASE
from shortlist.models.graph_filter import GraphFilter
from shortlist.models.ials.model import IALS
from shortlist.models.popularity import Popularity
from shortlist.models.registry import load
from shortlist.models.rp3beta import RP3beta
from shortlist.models.vectors import size_for
from shortlist.testing import of_matrix, small_world, tiny

KINDS = (UserCosine, ItemCosine, RP3beta, GraphFilter, EASE, IALS)


def tastes(n_users: int, n_items: int, seed: int = 0) -> Dataset:
    """Users of two tastes, who chose a third of the items of theirs and a few others."""
    rng = np.random.default_rng(seed)
    same = np.arange(n_users)[:, np.newaxis] % 2 == np.arange(n_items) % 2
    return of_matrix(rng.random((n_users, n_items)) < np.where(same, 0.33, 0.03))


def test_a_fold_holds_out_the_last_interaction() -> None:
    log = pa.table(
        {
            "user_id": ["ann"] * 10 + ["bob"] * 2 + ["cat"] + ["dan"] * 40,
            "item_id": [*range(10), 3, 1, 5, *range(40)],
            "at": [*range(10), 20, 10, 1, *range(40, 0, -1)],
        }
    )
    data = Dataset.from_tables(log, time="at")
    fold = fold_of(data)
    assert fold is not None
    assert data.users.take(fold.users).to_pylist() == ["ann", "bob", "dan"]
    held_out = [data.items.take(fold.truth[[row]].indices).to_pylist() for row in range(3)]
    assert held_out == [[9], [3], [0]]
    assert fold.train.n_interactions == 53 - 3
    assert not (fold.train.choices.multiply(data.choices) - fold.train.choices).nnz


def test_the_order_of_the_source_does_not_break_ties_of_time() -> None:
    """Files are often sorted by item: then the same items would be held out of everybody."""
    users, items = np.divmod(np.arange(400 * 10), 10)
    log = {"user_id": users, "item_id": items, "day": np.zeros(len(users), np.int64)}
    table = pa.table(log)
    orders = (table, table.sort_by([("item_id", "descending")]))
    ascending, descending = (fold_of(Dataset.from_tables(rows, time="day")) for rows in orders)
    assert ascending is not None
    assert descending is not None
    assert_array_equal(ascending.truth.toarray(), descending.truth.toarray())
    assert np.bincount(ascending.truth.indices, minlength=10).min() > 20  # 40 each, if drawn


def test_without_times_a_fifth_and_at_most_five_are_held_out() -> None:
    counts = {"ann": 10, "bob": 2, "cat": 1, "dan": 40}
    pairs = [(user, item) for user, count in counts.items() for item in range(count)]
    data = tiny(*pairs)
    fold = fold_of(data)
    assert fold is not None
    assert np.diff(fold.truth.indptr).tolist() == [2, 1, 5]
    assert fold.train.n_interactions == 53 - 8


def test_a_fold_knows_no_dislike_from_after_what_it_holds_out() -> None:
    log = {
        "user_id": ["ann"] * 5 + ["bob"] * 3,
        "item_id": [1, 2, 3, 4, 5, 1, 2, 3],
        "stars": [5, -1, 5, -1, -1, 5, -1, -1],
        "at": [1, 2, 3, 4, 2, 1, 2, 3],
    }
    fold = fold_of(Dataset.from_tables(log, weight="stars", time="at"))
    assert fold is not None
    assert fold.train.dislikes is not None
    known = fold.train.dislikes.to_arrow().select(["user_id", "item_id"]).to_pylist()
    # ann's 3 is held out, at 3; of bob, with a single choice, nothing is.
    assert [(pair["user_id"], pair["item_id"]) for pair in known] == [
        ("ann", 2), ("ann", 5), ("bob", 2), ("bob", 3),
    ]  # fmt: skip


def test_without_times_a_fold_holds_out_a_share_of_the_dislikes() -> None:
    rng = np.random.default_rng(0)
    users, items = np.divmod(np.arange(40 * 50), 50)
    log = {"user_id": users, "item_id": items, "stars": rng.choice([-1, 5], len(users))}
    data = Dataset.from_tables(log, weight="stars")
    fold = fold_of(data)
    assert fold is not None
    assert fold.train.dislikes is not None
    assert data.dislikes is not None
    kept = len(fold.train.dislikes) / len(data.dislikes)
    assert kept == pytest.approx(fold.train.n_interactions / data.n_interactions, abs=0.05)


def test_without_times_the_interactions_are_drawn_once_and_for_all() -> None:
    data = tastes(50, 40)
    fold, again = fold_of(data), fold_of(data)
    assert fold is not None
    assert again is not None
    assert_array_equal(fold.truth.toarray(), again.truth.toarray())
    assert len(np.unique(fold.truth.indices)) > 20
    assert fold_of(tiny(("ann", "tea"), ("bob", "rye"))) is None


def test_gains_are_the_ndcg_of_the_lists() -> None:
    # tea and rye are known to all others; ann's tea and gin are held out of five items.
    data = tiny(
        *((user, item) for user in ("bob", "cat") for item in ("tea", "rye", "ale")),
        ("dan", "tea"), ("dan", "rye"), ("dan", "gin"),
    )  # fmt: skip
    fold = fold_of(data)
    assert fold is not None
    gains = gains_of(Popularity().fit(fold.train), fold)
    for row, user in enumerate(fold.users):
        seen, (held_out,) = fold.train.choices[[user]].indices, fold.truth[[row]].indices
        order = np.argsort(fold.train.popularity_order)
        rank = 1 + [item for item in order if item not in seen].index(held_out)
        assert gains[:, row] == pytest.approx(1 / np.log2(1 + rank))


def test_the_best_value_is_chosen_and_what_is_given_stays() -> None:
    data = tastes(300, 60)
    steps = (("neighbors", (1, 100)), ("weighting", ("binary",)), ("shrinkage", (0.0,)))
    assert choose(UserCosine(), data, steps) == {
        "neighbors": 100, "weighting": "binary", "shrinkage": 0.0,
    }  # fmt: skip
    given = UserCosine(neighbors=1, shrinkage=3)
    assert choose(given, data, steps) == {
        "neighbors": 1, "weighting": "binary", "shrinkage": 3.0,
    }  # fmt: skip


def test_a_value_that_is_not_clearly_better_does_not_replace_the_first() -> None:
    data = small_world().data
    tried: list[Any] = []

    def learn(fold: Dataset, settings: Mapping[str, Any]) -> Any:
        tried.append(settings["regularization"])
        return EASE(regularization=3).fit(fold).learned  # always the same

    assert choose(EASE(), data, (("regularization", (5.0, 1.0, 9.0)),), learn) == {
        "regularization": 5.0
    }
    assert tried == [5.0, 1.0, 9.0]


def test_without_a_fold_the_first_values_are_used() -> None:
    data = tiny(("ann", "tea"), ("bob", "rye"))
    assert EASE().fit(data).chosen == {"regularization": 150.0, "dropout": 0.0}
    assert UserCosine().fit(data).chosen == {
        "neighbors": 50, "weighting": "tfidf", "shrinkage": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_chosen_values_given_by_hand_give_the_same_model(
    kind: type[Model[Any, Any]], tmp_path: Path
) -> None:
    data = tastes(60, 30)
    model = kind().fit(data)
    # None: the data has neither weights that differ nor dislikes
    known = {name: value for name, value in model.learned.settings.items() if value is not None}
    assert model.chosen == known
    by_hand = kind(**model.chosen).fit(data)
    assert by_hand.chosen == {}
    assert by_hand.used == model.used
    assert by_hand.recommend(k=30).table.equals(model.recommend(k=30).table)
    loaded = load(model.save(tmp_path / "bundle"))
    assert loaded.chosen == model.chosen
    assert repr(loaded) == f"{kind.__name__}()"


def test_the_weight_of_all_zeros_together_is_the_same_on_all_data() -> None:
    for data in (tastes(60, 30), tastes(90, 200)):
        alpha = IALS(embedding_size=4).fit(data).used.unobserved_weight
        assert alpha * data.n_items / (data.n_interactions / data.n_users) == pytest.approx(20)
    idle = of_matrix(np.array([[1, 1, 0, 0], [1, 0, 1, 1], [0, 0, 0, 0]]) > 0)
    # the mean history of those with one: 2.5; the user without does not count
    assert IALS(embedding_size=4).fit(idle).chosen["unobserved_weight"] == pytest.approx(12.5)


@pytest.mark.parametrize(
    ("rows", "interactions", "size"),
    [
        (4, 10, 128),
        (3_706, 1_000_000, 128),
        (4_096, 100_000, 128),
        (4_097, 100_000, 256),
        (18_000, 300_000, 512),
        (10**6, 5_000_000, 512),
        (10**6, 20_000_000, 128),
        (30_000, 10**8, 128),
    ],
)
def test_more_factors_for_larger_data_within_bounded_time(
    rows: int, interactions: int, size: int
) -> None:
    assert size_for(rows, interactions, most=512) == size
    assert size_for(rows, interactions, most=256) == min(size, 256)


def test_only_users_and_items_with_interactions_count_for_the_number_of_factors() -> None:
    matrix = np.eye(4_100, dtype=bool)
    settings: dict[str, Any] = {"regularization": 0.1, "epochs": 1}
    assert IALS(**settings).fit(of_matrix(matrix)).chosen["embedding_size"] == 256
    matrix[:10] = False
    assert IALS(**settings).fit(of_matrix(matrix)).chosen["embedding_size"] == 128


def test_most_popular_items_only() -> None:
    data = tiny(
        ("ann", "rye"), ("ann", "tea"), ("bob", "tea"), ("bob", "gin"), ("cat", "gin"),
        ("dan", "ale"),
    )  # fmt: skip
    few = most_popular(data, 2)
    assert few.items.ids.to_pylist() == ["gin", "tea"]
    pairs = few.to_arrow().select(["user_id", "item_id"]).to_pylist()
    assert [(one["user_id"], one["item_id"]) for one in pairs] == [
        ("ann", "tea"), ("bob", "gin"), ("bob", "tea"), ("cat", "gin"),
    ]  # fmt: skip
    assert most_popular(data, 4) is data


def test_auto_is_the_only_text() -> None:
    with pytest.raises(ConfigError, match=r"ItemCosine: neighbors='many' is out of range"):
        ItemCosine(neighbors="many")
    for settings in ({"neighbors": 0}, {"shrinkage": -1}, {"weighting": "none"}):
        with pytest.raises(ConfigError):
            ItemCosine(**settings)
    for wrong in ({"alpha": -0.1}, {"beta": 2.1}, {"neighbors": 0}):
        with pytest.raises(ConfigError):
            RP3beta(**wrong)
    with pytest.raises(ConfigError):
        EASE(regularization=0)
    with pytest.raises(ConfigError, match="dropout=1"):
        EASE(dropout=1.0)
    for bad in ({"regularization": 0}, {"unobserved_weight": 0}):
        with pytest.raises(ConfigError):
            IALS(**bad)
    for out in ({"sharpening": 5}, {"popularity": 1.5}, {"ideal_weight": -1}):
        with pytest.raises(ConfigError):
            GraphFilter(**out)
