from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.models.hybrid import tuning as hybrid_tuning
from shortlist.models.hybrid.model import Hybrid
from shortlist.recommend.query import Query
from shortlist.testing import of_matrix, small_world, tiny


def chosen_settings(data: Dataset, **parameters: Any) -> dict[str, float]:
    return dict(Hybrid(**parameters).fit(data).learned.settings)


# --- worlds with an obvious answer ---------------------------------------------------------------


def world(chosen: NDArray[np.bool_], users: Any = None, items: Any = None) -> Dataset:
    return replace(
        of_matrix(chosen.astype(np.float32)),
        user_features=None if users is None else pa.table(users),
        item_features=None if items is None else pa.table(items),
    )  # fmt: skip


def noise(rng: np.random.Generator, count: int) -> list[str]:
    return [f"n{n}" for n in rng.integers(0, 6, count)]


def features_decide() -> Dataset:
    """Three choices each, of 40 things for a trade: what somebody chose hardly tells the trade."""
    rng = np.random.default_rng(0)
    trade, of_thing = np.arange(240) % 6, np.arange(240) % 6
    likely = (trade[:, np.newaxis] == of_thing) * 3 / 40 + 0.002
    chosen = rng.random((240, 240)) < likely
    chosen[:6] = False  # newcomers
    users = {"trade": [f"t{n}" for n in trade], "noise": noise(rng, 240)}
    return world(chosen, users, {"noise": noise(rng, 240)})


def interactions_decide() -> Dataset:
    """Everybody chooses most of what their group chooses; features are noise."""
    rng = np.random.default_rng(1)
    group, of_thing = rng.integers(0, 8, 200), rng.integers(0, 8, 120)
    chosen = rng.random((200, 120)) < (group[:, np.newaxis] == of_thing) * 0.6 + 0.01
    return world(chosen, {"noise": noise(rng, 200)}, {"noise": noise(rng, 120)})


def items_decide() -> Dataset:
    """Everybody reads a series of their own: nobody's choices are anybody else's."""
    rng = np.random.default_rng(2)
    series = np.arange(300) // 6
    chosen = np.zeros((53, 300), dtype=bool)
    for reader in range(50):
        own = rng.permutation(np.flatnonzero(series == reader))
        chosen[reader, own[:4]] = True
    cities = [("Seoul", "Busan")[reader % 2] for reader in range(52)] + [None]
    return world(chosen, {"city": cities}, {"series": [f"s{n}" for n in series]})


def test_where_features_decide_they_weigh_more_than_choices() -> None:
    settings = chosen_settings(features_decide())
    assert settings["user_feature_weight"] >= 1
    assert settings["user_term"] > settings["item_term"]
    found = Hybrid().fit(features_decide()).recommend([0, 1, 5], k=10)
    right = [user % 6 == item % 6 for user, item in zip(
        found.column("user_id"), found.column("item_id"), strict=True
    )]  # fmt: skip
    assert np.mean(right) > 0.9


def test_where_interactions_decide_features_weigh_next_to_nothing() -> None:
    settings = chosen_settings(interactions_decide())
    assert settings["user_feature_weight"] <= 0.1
    assert settings["item_feature_weight"] <= 0.3


def test_where_items_decide_their_term_is_all() -> None:
    settings = chosen_settings(items_decide())
    assert settings["item_term"] == 1
    assert settings["both_term"] == 0
    assert settings["item_feature_weight"] > 0


def test_a_cold_user_has_a_term_even_where_the_items_are_all() -> None:
    data = items_decide()
    model = Hybrid().fit(data)
    assert 0 < model.learned.settings["user_term"] <= 0.05
    newcomers = model.recommend([50, 51, 52], k=5)
    assert newcomers.column("source") == ["Hybrid"] * 10 + ["popularity"] * 5
    of_seoul = set(data.matrix[np.arange(0, 50, 2)].indices)
    assert set(newcomers.column("item_id")[:5]) <= of_seoul
    without = chosen_settings(replace(data, user_features=None))
    assert without["user_term"] == 0  # there are no cold users to serve


def test_the_number_of_neighbours_for_cold_users() -> None:
    """50 of the same trade are better peers than 200, of whom most are not."""
    settings = chosen_settings(features_decide())
    assert settings["cold_neighbors"] == 50


# --- the fold ------------------------------------------------------------------------------------


class Probe:
    """Keeps every matrix of choices that terms and likenesses are computed from."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[csr_array] = []
        for name in ("likenesses", "user_rows", "item_rows", "user_term", "item_term"):
            monkeypatch.setattr(hybrid_tuning, name, self.watched(getattr(hybrid_tuning, name)))

    def watched(self, original: Any) -> Any:
        def call(*arguments: Any) -> Any:
            for one in arguments:
                if isinstance(one, Dataset):
                    self.seen.append(one.matrix)
                elif isinstance(one, csr_array):
                    self.seen.append(one)
            return original(*arguments)

        return call


def test_what_the_fold_holds_out_is_in_nothing_that_is_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = small_world().data
    assert data.times is not None
    by_time = np.argsort(data.times)
    last = dict(zip(data.user_rows[by_time], data.item_rows[by_time], strict=True))
    held = [(user, item) for user, item in last.items() if data.user_counts[user] > 1]
    assert len(held) > 30
    probe = Probe(monkeypatch)
    Hybrid().fit(data)
    whole = [one for one in probe.seen if one.shape == (data.n_users, data.n_items)]
    assert len(whole) > 10
    for matrix in whole:
        assert matrix.nnz in (data.n_interactions - len(held), 0)
        assert not _pairs(matrix) & set(held)
    # The histories of the fold's users, in the order they were drawn.
    history, *_ = (one for one in probe.seen if one.shape == (len(held), data.n_items))
    before = [set(data.item_rows[data.user_rows == user].tolist()) - {item} for user, item in held]
    assert all(set(history[[row]].indices) in before for row in range(len(held)))


def _pairs(matrix: csr_array) -> set[tuple[int, int]]:
    rows, columns = matrix.tocoo().coords
    return set(zip(rows.tolist(), columns.tolist(), strict=True))


def test_nobody_without_a_choice_is_a_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    data = items_decide()  # the last three are newcomers
    probe = Probe(monkeypatch)
    Hybrid(user_neighbors=None, cold_neighbors=None).fit(data)
    near = [one for one in probe.seen if one.shape[1] == data.n_users]
    assert near
    assert all(one[:, 50:].nnz == 0 for one in near)


def test_a_test_fold_has_no_part_in_it() -> None:
    data = interactions_decide()
    train, _ = split.leave_last_out(data, order="random", seed=5)
    other = train.select(np.ones(len(train), dtype=bool))
    assert chosen_settings(train) == chosen_settings(other)


def test_the_same_data_and_seed_give_the_same_settings() -> None:
    world = small_world()
    settings = chosen_settings(world.data, seed=3)
    assert chosen_settings(world.data, seed=3) == settings
    assert chosen_settings(world.shuffled(1).data, seed=3) == settings


def test_a_fold_in_blocks_is_the_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    data = interactions_decide()
    whole = chosen_settings(data)
    monkeypatch.setattr(hybrid_tuning, "BLOCK", 7)
    assert chosen_settings(data) == whole


def test_more_users_than_the_fold_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hybrid_tuning, "USERS", 60)
    probe = Probe(monkeypatch)
    settings = chosen_settings(interactions_decide())
    assert max(one.shape[0] for one in probe.seen if one.shape[1] == 120) == 200
    assert 60 in {one.shape[0] for one in probe.seen}
    assert settings["user_feature_weight"] <= 0.1


# --- what is given, and what cannot be tuned -----------------------------------------------------


def test_what_is_given_is_kept() -> None:
    given = {
        "user_term": 0.25,
        "user_neighbors": 7,
        "item_neighbors": None,
        "item_feature_weight": 0.0,
        "cold_neighbors": 11,
    }
    settings = chosen_settings(small_world().data, **given)
    assert {name: settings[name] for name in given} == given | {"item_neighbors": -1}
    shares = (settings["item_term"], settings["both_term"])
    assert all(0 <= share <= 1 for share in shares)


def test_terms_of_zero_stay_out() -> None:
    settings = chosen_settings(small_world().data, user_term=0, both_term=0)
    assert settings["user_term"] == settings["both_term"] == 0
    assert settings["item_term"] > 0


def test_nothing_is_held_out_where_nothing_is_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hybrid_tuning, "_Fold", None)
    for form in ("user action", "concatenated x item features"):
        Hybrid.form(form).fit(small_world().data)


def test_data_too_small_to_hold_anything_out() -> None:
    """One choice each: even shares, and of each list the middle."""
    settings = chosen_settings(tiny(("ann", "tea"), ("bob", "tea"), ("cat", "rye")))
    assert settings["user_term"] == settings["item_term"] == settings["both_term"] == 1
    assert settings["user_neighbors"] == settings["item_neighbors"] == 100
    listed = Hybrid().fit(tiny(("ann", "tea"), ("bob", "tea"), ("cat", "rye"))).recommend(
        queries=[Query(history=["tea"])]
    )  # fmt: skip
    assert listed.column("item_id") == ["rye"]


def test_two_choices_of_one_user() -> None:
    model = Hybrid().fit(tiny(("ann", "tea"), ("ann", "rye"), ("bob", "tea")))
    assert model.recommend(["bob"]).column("item_id") == ["rye"]
