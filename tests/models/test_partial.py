"""New interactions without a new fit: exact where a model can, and never far from a new fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import shortlist as sl
from shortlist.errors import CapabilityError, InputError
from shortlist.models.registry import load, model_class
from shortlist.testing import small_world

EXACT: dict[str, dict[str, Any]] = {
    "Popularity": {},
    "UserCosine": {"neighbors": 6, "shrinkage": 1.0},
    "ItemCosine": {"neighbors": 5, "shrinkage": 1.0},
    "RP3beta": {},
    "GraphFilter": {},
    "Hybrid": {"user_term": 1.0, "item_term": 1.0, "both_term": 0.0},
}
OTHERS: dict[str, dict[str, Any]] = {
    "EASE": {"regularization": 5.0},
    "IALS": {"embedding_size": 8, "epochs": 5, "regularization": 0.05, "unobserved_weight": 0.1},
    "ContentBased": {"feature_weights": {}},
}
ALL = EXACT | OTHERS


def cut(data: sl.Dataset, users: int, items: int, every: int) -> tuple[sl.Dataset, sl.Dataset]:
    """Split off the last users and items, and every so-many interaction of the others."""
    rows = np.arange(len(data))
    late = (data.user_rows >= data.n_users - users) | (data.item_rows >= data.n_items - items)
    late |= rows % every == 0

    def part(mask: Any, n_users: int, n_items: int) -> sl.Dataset:
        table = data.to_arrow().filter(pa.array(mask))
        features = []
        for vocabulary, known, count in (
            (data.users, data.user_features, n_users),
            (data.items, data.item_features, n_items),
        ):
            assert known is not None
            key = "user_id" if vocabulary is data.users else "item_id"
            features.append(known.add_column(0, key, vocabulary.ids).slice(0, count))
        return sl.Dataset.from_tables(
            table, *features, weight="weight", time="time" if data.times is not None else None
        )

    before = part(~late, data.n_users - users, data.n_items - items)
    return before, part(late, data.n_users, data.n_items)


@pytest.fixture(scope="module")
def world() -> tuple[sl.Dataset, sl.Dataset, sl.Dataset]:
    data = small_world().data
    return data, *cut(data, users=4, items=3, every=5)


def made(name: str, settings: dict[str, Any] | None = None) -> Any:
    return model_class(name)(**(ALL[name] if settings is None else settings))


@pytest.mark.parametrize("name", ALL)
def test_the_data_is_that_of_both(
    name: str, world: tuple[sl.Dataset, sl.Dataset, sl.Dataset]
) -> None:
    whole, before, new = world
    model = made(name).fit(before)
    assert model.partial_fit(new) is model
    assert model.data.fingerprint == whole.fingerprint
    assert model.data.user_features.equals(whole.user_features)
    assert model.data.item_features.equals(whole.item_features)


@pytest.mark.parametrize("name", EXACT)
def test_models_that_count_are_as_after_a_new_fit(
    name: str, world: tuple[sl.Dataset, sl.Dataset, sl.Dataset]
) -> None:
    whole, before, new = world
    model = made(name).fit(before)
    chosen = dict(model.chosen)
    model.partial_fit(new)
    assert model.chosen == chosen
    assert bool(model.not_updated) == bool(chosen)
    again = made(name, ALL[name] | chosen).fit(whole)
    ours, theirs = (each.recommend(k=10).table for each in (model, again))
    assert ours.equals(theirs)


def test_users_of_ials_are_exact_for_their_history(
    world: tuple[sl.Dataset, sl.Dataset, sl.Dataset],
) -> None:
    """A user gets the list of a newcomer with the same history; items known before stay."""
    _, before, new = world
    model = made("IALS").fit(before)
    items = model.learned.items.copy()
    model.partial_fit(new)
    known = before.item_counts > 0
    rows = model.data.items.rows(before.items.ids)[known]
    assert np.array_equal(model.learned.items[rows], items[known])
    folded = model.fold_in(model.data.matrix)
    np.testing.assert_allclose(model.learned.users, folded, rtol=1e-4, atol=1e-5)
    assert model.not_updated == (
        "the vectors of the 26 items known before are those of the last fit",
    )


def test_new_items_of_ials_solve_their_own_equation(
    world: tuple[sl.Dataset, sl.Dataset, sl.Dataset],
) -> None:
    """(alpha P'P + sum p p' + lambda n I) q = sum p, over users solved without the new items."""
    _, before, new = world
    settings = ALL["IALS"] | {"frequency_exponent": 1.0}
    model = made("IALS", settings).fit(before).partial_fit(new)
    data, alpha, weight = model.data, settings["unobserved_weight"], settings["regularization"]
    row = data.n_items - 1
    others = model.learned.items.copy()
    others[-3:] = 0
    others[:-3][before.item_counts == 0] = 0
    choices = data.choices.toarray().astype(np.float64)
    users = np.zeros((data.n_users, 8))
    for user, chosen in enumerate(choices):
        q = others.astype(np.float64)
        system = alpha * q.T @ q + (q * chosen[:, np.newaxis]).T @ q
        system += weight * (chosen.sum() + alpha * data.n_items) * np.eye(8)
        users[user] = np.linalg.solve(system, q.T @ chosen)
    chosen = choices[:, row]
    system = alpha * users.T @ users + (users * chosen[:, np.newaxis]).T @ users
    system += weight * (chosen.sum() + alpha * data.n_users) * np.eye(8)
    expected = np.linalg.solve(system, users.T @ chosen)
    np.testing.assert_allclose(model.learned.items[row], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("name", "least"), [("EASE", 0.88), ("IALS", 0.92), ("ContentBased", 1.0)])
def test_lists_stay_close_to_those_of_a_new_fit(name: str, least: float) -> None:
    """Measured on films with 2 % new interactions: the share of the ten best that agree."""
    films = sl.films()
    rng = np.random.default_rng(0)
    late = rng.random(len(films)) < 0.02
    first = np.unique(films.item_rows, return_index=True)[1]
    late[first] = False  # every item stays known
    late[np.unique(films.user_rows, return_index=True)[1]] = False
    popular = np.argsort(films.popularity_order)[:400]
    kept = np.isin(films.item_rows, popular)
    before, new = films.select(kept & ~late), films.select(kept & late)
    whole = films.select(kept)
    of_films: dict[str, dict[str, Any]] = {
        "EASE": {"regularization": 200.0},
        "IALS": {"embedding_size": 16, "epochs": 6, "regularization": 0.01},
        "ContentBased": {"feature_weights": {}, "aggregate": "mean"},
    }  # what is "auto" is given: the two fits could choose different settings
    settings = of_films[name] | {"weighting": "binary"}
    model = made(name, settings).fit(before).partial_fit(new)
    again = made(name, settings).fit(whole)
    users = films.users.ids[:200].to_pylist()
    ours, theirs = (
        np.array(each.recommend(users, k=10).column("item_id")).reshape(len(users), 10)
        for each in (model, again)
    )
    agreeing = np.mean([len({*a} & {*b}) / 10 for a, b in zip(ours, theirs, strict=True)])
    assert agreeing >= least


def test_ease_folds_histories_and_says_that_new_items_have_no_weights(
    world: tuple[sl.Dataset, sl.Dataset, sl.Dataset],
) -> None:
    _, before, new = world
    model, old = made("EASE").fit(before), made("EASE").fit(before)
    model.partial_fit(new)
    assert model.not_updated == (
        "the weights of the 26 items known before are those of the last fit",
        "4 new items have no weights, and score 0",
    )
    history = [
        row["item_id"]
        for row in model.data.to_arrow().to_pylist()
        if row["user_id"] == "u39" and row["item_id"] in before.items
    ]
    ours = model.recommend(["u39"], k=10, allow=before.items.ids.to_pylist())
    theirs = old.recommend(queries=[sl.Query(history=history)], k=10)
    assert ours.column("item_id") == theirs.column("item_id")


def test_new_items_enter_by_their_features() -> None:
    """A war film that nobody has seen is the one for whoever watches war films."""
    log = {"user_id": [1, 1, 2, 2], "item_id": [10, 20, 30, 40]}
    items = {"item_id": [10, 20, 30, 40], "genres": [["War"], ["War"], ["Tale"], ["Tale"]]}
    model = sl.ContentBased().fit(sl.Dataset.from_tables(log, items=items))
    new = sl.Dataset.from_tables(
        {"user_id": [3], "item_id": [20]}, items={"item_id": [20, 50], "genres": [["War"], ["War"]]}
    )
    model.partial_fit(new)
    assert model.recommend([1], k=1).column("item_id") == [50]
    assert set(model.recommend([3], k=2).column("item_id")) == {10, 50}


def test_a_repeated_pair_takes_the_new_weight_and_a_bundle_keeps_all(tmp_path: Any) -> None:
    log = {"user_id": ["a", "a", "b"], "item_id": [1, 2, 1], "n": [1.0, 2.0, 3.0]}
    model = sl.ItemCosine().fit(sl.Dataset.from_tables(log, weight="n"))
    new = {"user_id": ["a", "c"], "item_id": [2, 3], "n": [5.0, 7.0]}
    model.partial_fit(sl.Dataset.from_tables(new, weight="n"))
    for kept in (model, load(model.save(tmp_path / "bundle"))):
        assert kept.data.to_arrow().to_pydict() == {
            "user_id": ["a", "a", "b", "c"],
            "item_id": [1, 2, 1, 3],
            "weight": [1.0, 5.0, 3.0, 7.0],
        }
        assert kept.data.positions.tolist() == [0, 3, 2, 4]


def test_refusals(world: tuple[sl.Dataset, sl.Dataset, sl.Dataset]) -> None:
    _, before, new = world
    with pytest.raises(CapabilityError, match="Indexed learns only as a whole"):
        sl.Indexed(model=made("IALS")).fit(before).partial_fit(new)
    model = made("EASE").fit(before)
    learned = model.learned
    numbers = sl.Dataset.from_tables({"user_id": [1], "item_id": [2]})
    with pytest.raises(InputError, match=r"the new user ids are int64; those of the model are str"):
        model.partial_fit(numbers)
    untimed = sl.Dataset.from_tables({"user_id": ["u01"], "item_id": ["i02"]})
    with pytest.raises(InputError, match="only one of the old and the new interactions have"):
        model.partial_fit(untimed)
    with pytest.raises(InputError, match="new interactions are a Dataset, not a dict"):
        model.partial_fit({"user_id": [1]})
    assert model.learned is learned


def test_of_choices_and_dislikes_the_later_counts() -> None:
    before = sl.Dataset.from_tables(
        {"user_id": ["a", "a", "b"], "item_id": [1, 2, 1], "n": [1.0, -1.0, 1.0]}, weight="n"
    )
    new = sl.Dataset.from_tables(
        {"user_id": ["a", "a", "c"], "item_id": [1, 2, 2], "n": [-2.0, 3.0, 1.0]}, weight="n"
    )
    data = sl.Popularity().fit(before).partial_fit(new).data
    assert data.to_arrow().to_pydict() == {
        "user_id": ["a", "b", "c"],
        "item_id": [2, 1, 2],
        "weight": [3.0, 1.0, 1.0],
    }
    assert data.dislikes is not None
    assert data.dislikes.to_arrow().to_pydict() == {
        "user_id": ["a"],
        "item_id": [1],
        "weight": [2.0],
    }


@pytest.mark.parametrize(
    ("pay", "ends"),
    [
        (["$70k-$90k"], [70_000, 90_000]),
        (["$70k"], [70_000, 70_000]),  # a number where the others are ranges
        (["negotiable"], [None, None]),  # no number shows that the column holds numbers
    ],
)
def test_new_items_whose_numbers_are_text(pay: list[str], ends: list[int | None]) -> None:
    items = {"item_id": [1, 2, 3], "pay": ["$50k-$60k", "$65k", "$80k - $90k"]}
    log = {"user_id": [1, 1, 2], "item_id": [1, 2, 3]}
    model = sl.ItemCosine().fit(sl.Dataset.from_tables(log, items=items))
    new = {"user_id": [2], "item_id": [4]}
    model.partial_fit(sl.Dataset.from_tables(new, items={"item_id": [4], "pay": pay}))
    features = model.data.item_features
    assert features is not None
    assert features.to_pydict() == {
        "pay.min": [50_000, 65_000, 80_000, ends[0]],
        "pay.max": [60_000, 65_000, 90_000, ends[1]],
    }


def test_new_items_with_another_text() -> None:
    items = {"item_id": [1, 2], "pay": ["$50k", "$65k"]}
    log = {"user_id": [1, 1], "item_id": [1, 2]}
    model = sl.ItemCosine().fit(sl.Dataset.from_tables(log, items=items))
    new = sl.Dataset.from_tables(
        {"user_id": [1], "item_id": [3]}, items={"item_id": [3], "pay": ["3 or 4"]}
    )
    with pytest.raises(
        InputError, match=r"^feature 'pay' of the new items is string; it was int64"
    ):
        model.partial_fit(new)


@pytest.mark.parametrize(
    ("work", "months"),
    [(["2년", "3년"], [24, 36]), (["6개월", "1년"], [6, 12]), (["2년", "상관없음"], [24, None])],
)
def test_new_items_whose_numbers_have_another_unit(work: list[str], months: list[int]) -> None:
    items = {"item_id": [1, 2], "work": ["1년", "3년 6개월"], "pay": ["$5", "$7"]}
    log = {"user_id": [1, 1], "item_id": [1, 2]}
    model = sl.Popularity().fit(sl.Dataset.from_tables(log, items=items))
    new = {"user_id": [1, 1], "item_id": [3, 4]}
    model.partial_fit(sl.Dataset.from_tables(new, items={"item_id": [3, 4], "work": work}))
    assert model.data.item_features is not None
    assert model.data.item_features["work"].to_pylist() == [12, 42, *months]
    euros = sl.Dataset.from_tables(new, items={"item_id": [3, 4], "pay": ["€5", "€7"]})
    with pytest.raises(InputError, match="'pay' of the new rows is in EUR; it was in USD"):
        model.partial_fit(euros)


def test_features_that_the_fit_did_not_have_are_named() -> None:
    log = {"user_id": [1, 2], "item_id": [10, 20]}
    items = {"item_id": [10, 20], "year": [1990, 2000]}
    new = {"item_id": [20, 30], "year": [2001, 2002], "genre": ["War", "Tale"]}
    for known, left_out in ((items, "genre of the items"), (None, "year of the items, genre of")):
        model = sl.Popularity().fit(sl.Dataset.from_tables(log, items=known))
        model.partial_fit(sl.Dataset.from_tables({"user_id": [1], "item_id": [20]}, items=new))
        (sentence,) = model.not_updated
        assert sentence.startswith(
            f"features that the last fit did not have are left out: {left_out}"
        )


def test_the_last_dislike_is_revoked() -> None:
    log = {"user_id": [1, 1, 2], "item_id": [10, 20, 10], "n": [-1, 1, 1]}
    model = sl.Popularity().fit(sl.Dataset.from_tables(log, weight="n"))
    model.partial_fit(sl.Dataset.from_tables({"user_id": [1], "item_id": [10]}))
    assert model.data.dislikes is None
    assert "dislikes" not in model.uses
    assert model.data.n_interactions == 3


@pytest.mark.parametrize("features", [False, True])
def test_an_item_without_interactions_is_new_also_if_it_is_in_the_item_table(
    features: bool,
) -> None:
    """IALS learns a vector for it, as for an item that was not known before."""
    items: dict[str, Any] = {"item_id": [1, 2, 3, 4], "kind": ["a", "b", "a", "b"]}
    known = {name: values[:3] for name, values in items.items()}
    log = sl.Dataset.from_tables
    old = {"user_id": [1, 1, 2, 2, 3], "item_id": [1, 2, 2, 3, 1]}
    new = log({"user_id": [1, 3], "item_id": [4, 4]})
    settings = OTHERS["IALS"] | {"features": features}
    listed = made("IALS", settings).fit(log(old, items=items)).partial_fit(new)
    unlisted = made("IALS", settings).fit(log(old, items=known))
    before = listed.learned.items.copy()
    assert np.linalg.norm(before[3]) > 0.1
    system = listed.partial_fit(log({"user_id": [2], "item_id": [1]})).learned.items
    np.testing.assert_array_equal(system, before)  # from now on it is a known item
    unlisted.partial_fit(log({"user_id": [1, 3], "item_id": [4, 4]}, items=items))
    assert np.linalg.norm(unlisted.learned.items[3]) > 0.1
    assert listed.not_updated[0] == (
        "the vectors of the 4 items known before are those of the last fit"
    )


def test_ease_counts_known_items_without_weights_as_new() -> None:
    items = {"item_id": [1, 2, 3, 4, 5]}
    old = {"user_id": [1, 1, 2, 2, 3], "item_id": [1, 2, 2, 3, 1]}
    model = made("EASE").fit(sl.Dataset.from_tables(old, items=items))
    model.partial_fit(sl.Dataset.from_tables({"user_id": [1, 3], "item_id": [4, 4]}))
    assert model.not_updated == (
        "the weights of the 4 items known before are those of the last fit",
        "1 new items have no weights, and score 0",
    )
