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
    """Three choices per user among the 40 items of a trade: choices hardly reveal the trade."""
    rng = np.random.default_rng(0)
    trade, of_thing = np.arange(240) % 6, np.arange(240) % 6
    likely = (trade[:, np.newaxis] == of_thing) * 3 / 40 + 0.002
    chosen = rng.random((240, 240)) < likely
    chosen[:6] = False  # users without a history
    users = {"trade": [f"t{n}" for n in trade], "noise": noise(rng, 240)}
    return world(chosen, users, {"noise": noise(rng, 240)})


def interactions_decide() -> Dataset:
    """Users choose most of the items of their group; features are noise."""
    rng = np.random.default_rng(1)
    group, of_thing = rng.integers(0, 8, 200), rng.integers(0, 8, 120)
    chosen = rng.random((200, 120)) < (group[:, np.newaxis] == of_thing) * 0.6 + 0.01
    return world(chosen, {"noise": noise(rng, 200)}, {"noise": noise(rng, 120)})


def items_decide() -> Dataset:
    """Every user reads a series of their own: users share no choices."""
    rng = np.random.default_rng(2)
    series = np.arange(300) // 6
    chosen = np.zeros((53, 300), dtype=bool)
    for reader in range(50):
        own = rng.permutation(np.flatnonzero(series == reader))
        chosen[reader, own[:4]] = True
    cities = [("Seoul", "Busan")[reader % 2] for reader in range(52)] + [None]
    return world(chosen, {"city": cities}, {"series": [f"s{n}" for n in series]})


def test_informative_features_get_a_large_weight() -> None:
    settings = chosen_settings(features_decide())
    assert settings["user_feature_weight"] >= 1
    assert settings["user_term"] > settings["item_term"]
    found = Hybrid().fit(features_decide()).recommend([0, 1, 5], k=10)
    right = [user % 6 == item % 6 for user, item in zip(
        found.column("user_id"), found.column("item_id"), strict=True
    )]  # fmt: skip
    assert np.mean(right) > 0.9


def test_noisy_features_get_a_small_weight() -> None:
    settings = chosen_settings(interactions_decide())
    assert settings["user_feature_weight"] <= 0.1
    assert settings["item_feature_weight"] <= 0.3


def test_the_item_term_gets_all_the_weight_if_users_share_nothing() -> None:
    settings = chosen_settings(items_decide())
    assert settings["item_term"] == 1
    assert settings["both_term"] == 0
    assert settings["item_feature_weight"] > 0


def test_cold_users_keep_a_term_if_the_item_term_gets_the_weight() -> None:
    data = items_decide()
    model = Hybrid().fit(data)
    assert 0 < model.learned.settings["user_term"] <= 0.05
    newcomers = model.recommend([50, 51, 52], k=5)
    assert newcomers.column("source") == ["Hybrid"] * 10 + ["popularity"] * 5
    of_seoul = set(data.matrix[np.arange(0, 50, 2)].indices)
    assert set(newcomers.column("item_id")[:5]) <= of_seoul
    without = chosen_settings(replace(data, user_features=None))
    assert without["user_term"] == 0  # no cold user can get a list


def test_the_number_of_neighbours_for_cold_users() -> None:
    """50 neighbours of the same trade are better than 200 of mixed trades."""
    settings = chosen_settings(features_decide())
    assert settings["cold_neighbors"] == 50


# --- the fold ------------------------------------------------------------------------------------


class Probe:
    """Keeps every matrix of choices that terms and similarities are computed from."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[csr_array] = []
        for name in ("feature_similarities", "user_rows", "item_rows", "product"):
            monkeypatch.setattr(hybrid_tuning, name, self.watched(getattr(hybrid_tuning, name)))

    def watched(self, original: Any) -> Any:
        def call(*arguments: Any) -> Any:
            for argument in arguments:
                if isinstance(argument, Dataset):
                    self.seen.append(argument.matrix)
                elif isinstance(argument, csr_array):
                    self.seen.append(argument)
            return original(*arguments)

        return call


def test_held_out_choices_are_in_no_matrix(
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
    whole = [matrix for matrix in probe.seen if matrix.shape == (data.n_users, data.n_items)]
    assert len(whole) > 10
    for matrix in whole:
        assert matrix.nnz in (data.n_interactions - len(held), 0)
        assert not _pairs(matrix) & set(held)
    # The histories of the fold's users, in the order of sampling.
    history, *_ = (matrix for matrix in probe.seen if matrix.shape == (len(held), data.n_items))
    before = [set(data.item_rows[data.user_rows == user].tolist()) - {item} for user, item in held]
    assert all(set(history[[row]].indices) in before for row in range(len(held)))


def _pairs(matrix: csr_array) -> set[tuple[int, int]]:
    rows, columns = matrix.tocoo().coords
    return set(zip(rows.tolist(), columns.tolist(), strict=True))


def test_users_without_a_history_are_not_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    data = items_decide()  # the last three users have no history
    probe = Probe(monkeypatch)
    Hybrid(user_neighbors=None, cold_neighbors=None).fit(data)
    near = [matrix for matrix in probe.seen if matrix.shape[1] == data.n_users]
    assert near
    assert all(matrix[:, 50:].nnz == 0 for matrix in near)


def test_tuning_depends_on_the_training_data_only() -> None:
    data = interactions_decide()
    train, _ = split.leave_last_out(data, order="random", seed=5)
    other = train.select(np.ones(len(train), dtype=bool))
    assert chosen_settings(train) == chosen_settings(other)


def test_the_same_data_and_seed_give_the_same_settings() -> None:
    world = small_world()
    settings = chosen_settings(world.data, seed=3)
    assert chosen_settings(world.data, seed=3) == settings
    assert chosen_settings(world.shuffled(1).data, seed=3) == settings


def test_block_size_does_not_change_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    data = interactions_decide()
    whole = chosen_settings(data)
    monkeypatch.setattr(hybrid_tuning, "BLOCK", 7)
    assert chosen_settings(data) == whole


def test_a_large_fold_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hybrid_tuning, "MAX_USERS", 60)
    probe = Probe(monkeypatch)
    settings = chosen_settings(interactions_decide())
    assert max(matrix.shape[0] for matrix in probe.seen if matrix.shape[1] == 120) == 200
    assert 60 in {matrix.shape[0] for matrix in probe.seen}
    assert settings["user_feature_weight"] <= 0.1


# --- given settings, and data that cannot be tuned on --------------------------------------------


def test_given_settings_are_kept() -> None:
    given = {
        "user_term": 0.25,
        "user_neighbors": 7,
        "item_neighbors": None,
        "item_feature_weight": 0.0,
        "cold_neighbors": 11,
    }
    settings = chosen_settings(small_world().data, **given)
    assert {name: settings[name] for name in given} == given
    shares = (settings["item_term"], settings["both_term"])
    assert all(0 <= share <= 1 for share in shares)


def test_terms_of_weight_zero_stay_zero() -> None:
    settings = chosen_settings(small_world().data, user_term=0, both_term=0)
    assert settings["user_term"] == settings["both_term"] == 0
    assert settings["item_term"] > 0


def test_nothing_is_held_out_if_nothing_is_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hybrid_tuning, "_Fold", None)
    for form in ("user action", "concatenated x item features"):
        Hybrid.form(form).fit(small_world().data)


def test_data_without_choices_to_hold_out() -> None:
    """With one choice per user: equal shares, and the middle of each list."""
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
