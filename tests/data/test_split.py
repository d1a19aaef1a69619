"""Splits: naive references, and properties of all splits."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.errors import ConfigError, InputError

DAY = 86_400


def world(seed: int = 0, n: int = 400, *, timed: bool = True, distinct: bool = True) -> Dataset:
    """Users with few and with many interactions; rows in no order."""
    rng = np.random.default_rng(seed)
    log = pd.DataFrame(
        {
            "user_id": np.minimum(rng.geometric(0.05, n), 60),
            "item_id": [f"R{item}" for item in rng.integers(0, 40, n)],
            "stars": rng.integers(1, 11, n) / 2,
            "at": rng.permutation(n) * DAY if distinct else rng.integers(0, 3, n) * DAY,
        }
    )
    users = pa.table({"user_id": range(1, 62), "age": range(1, 62)})
    items = pa.table({"item_id": [f"R{item}" for item in range(41)]})
    time = "at" if timed else None
    return Dataset.from_tables(log, users, items, weight="stars", time=time)


def pairs(data: Dataset) -> list[tuple[Any, Any]]:
    table = data.to_arrow()
    columns = (table.column(name).to_pylist() for name in ("user_id", "item_id"))
    return list(zip(*columns, strict=True))


def frame(data: Dataset) -> pd.DataFrame:
    return data.to_arrow().to_pandas().assign(position=data.positions)


def folds(data: Dataset, seed: int) -> split.Split:
    return next(iter(split.k_folds(data, 4, seed=seed)))


SEEDED: dict[str, Callable[[Dataset, int], split.Split]] = {
    "last by time": lambda data, seed: split.leave_last_out(data, seed=seed),
    "last three by time": lambda data, seed: split.leave_last_out(data, 3, seed=seed),
    "last at random": lambda data, seed: split.leave_last_out(data, order="random", seed=seed),
    "random": lambda data, seed: split.random(data, 0.3, seed=seed),
    "cold users": lambda data, seed: split.cold_users(data, 0.3, seed=seed),
    "cold items": lambda data, seed: split.cold_items(data, 0.3, seed=seed),
    "k folds": folds,
}
ALL = SEEDED | {
    "last by row": lambda data, seed: split.leave_last_out(data, order="row", seed=seed),
    "by time": lambda data, seed: split.by_time(data, 200 * DAY),
    "given": lambda data, seed: split.given(*split.random(data, seed=seed)),
}


@pytest.mark.parametrize("cut", ALL.values(), ids=ALL)
def test_nothing_is_lost_and_nothing_is_in_both(
    cut: Callable[[Dataset, int], split.Split],
) -> None:
    data = world()
    train, test = cut(data, 0)
    assert 0 < len(test) < len(data)
    assert not set(pairs(train)) & set(pairs(test))
    both = pd.concat([frame(train), frame(test)]).sort_values(["user_id", "item_id"])
    pd.testing.assert_frame_equal(
        both.reset_index(drop=True), frame(data).sort_values(["user_id", "item_id"])
    )
    for part in (train, test):
        assert part.users.equals(data.users)
        assert part.items.equals(data.items)
        assert part.user_features is data.user_features
        assert (np.diff(part.user_rows.astype(int) * 100 + part.item_rows) > 0).all()


@pytest.mark.parametrize("cut", SEEDED.values(), ids=SEEDED)
def test_a_seed_determines_the_split(cut: Callable[[Dataset, int], split.Split]) -> None:
    data = world(distinct=False)
    test = cut(data, 3)[1].fingerprint
    assert cut(world(distinct=False), 3)[1].fingerprint == test
    assert len({cut(data, seed)[1].fingerprint for seed in range(5)}) == 5


@pytest.mark.parametrize("cut", SEEDED.values(), ids=SEEDED)
def test_a_split_does_not_depend_on_the_order_of_the_rows(
    cut: Callable[[Dataset, int], split.Split],
) -> None:
    data = world(distinct=False)
    table = data.to_arrow()
    table = table.take(np.random.default_rng(1).permutation(table.num_rows))
    users, items = (pa.table({f"{part.kind}_id": part.ids}) for part in (data.users, data.items))
    shuffled = Dataset.from_tables(table, users, items, weight="weight", time="time")
    assert cut(shuffled, 0)[1].fingerprint == cut(data, 0)[1].fingerprint


# --- leave last out ----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize(("order", "column"), [("time", "time"), ("row", "position")])
def test_the_last_interactions_are_held_out(n: int, order: split.Order, column: str) -> None:
    data = world()
    rows = frame(data)
    counts = rows.groupby("user_id")["item_id"].transform("size")
    rank = rows.groupby("user_id")[column].rank(ascending=False)
    held = rows[(rank <= n) & (counts > n)]
    _, test = split.leave_last_out(data, n, order)
    pd.testing.assert_frame_equal(frame(test), held.reset_index(drop=True))


def test_users_with_too_few_stay_in_training() -> None:
    log = pa.table({"user_id": [1, 2, 2, 3, 3, 3], "item_id": [1, 1, 2, 1, 2, 3]})
    data = Dataset.from_tables(log)
    for n, expected in [(1, [0, 1, 1]), (2, [0, 0, 2])]:
        train, test = split.leave_last_out(data, n, order="row")
        assert test.user_counts.tolist() == expected
        assert train.user_counts.tolist() == [1, 2 - expected[1], 3 - expected[2]]


@pytest.mark.parametrize("order", ["time", "random"])
def test_ties_of_time_are_broken_at_random(order: split.Order) -> None:
    n_users, n_items = 4_000, 4
    log = pa.table(
        {
            "user_id": np.repeat(np.arange(n_users), n_items),
            "item_id": np.tile(np.arange(n_items), n_users),  # sorted by item within a user
            "at": np.zeros(n_users * n_items, dtype=int),
        }
    )
    data = Dataset.from_tables(log, time="at")
    _, test = split.leave_last_out(data, order=order)
    assert test.user_counts.tolist() == [1] * n_users
    # Each item is held out of a quarter of the users: 1000, standard deviation 27.
    np.testing.assert_allclose(test.item_counts, n_users / n_items, atol=5 * 27.4)


def test_only_ties_of_time_are_broken_at_random() -> None:
    log = pa.table(
        {
            "user_id": np.repeat(np.arange(200), 3),
            "item_id": np.tile([1, 2, 3], 200),
            "at": np.tile([5, 5, 4], 200),
        }
    )
    _, test = split.leave_last_out(Dataset.from_tables(log, time="at"))
    held = test.item_counts.tolist()
    assert held[2] == 0
    assert held[0] + held[1] == 200
    assert 60 < held[0] < 140
    _, test = split.leave_last_out(Dataset.from_tables(log, time="at"), 2)
    assert test.item_counts.tolist() == [200, 200, 0]


def test_last_by_time_needs_times() -> None:
    with pytest.raises(InputError) as caught:
        split.leave_last_out(world(timed=False))
    assert str(caught.value) == (
        "the data has no times, so the last interactions by time are unknown\n"
        "  to do: name the time column (time=...), or split with order='row' or 'random'"
    )


# --- fractions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("fraction", "held"), [(0.1, 10), (0.25, 25), (0.99, 100)])
def test_a_random_fraction_is_exact(fraction: float, held: int) -> None:
    log = pa.table({"user_id": [*range(100), 0], "item_id": [0] * 100 + [1]})
    train, test = split.random(Dataset.from_tables(log), fraction)
    assert (len(train), len(test)) == (101 - held, held)


def test_every_interaction_is_held_out_equally_often() -> None:
    data = Dataset.from_tables(pa.table({"user_id": range(20), "item_id": [0] * 20}))
    times = sum(split.random(data, 0.25, seed)[1].user_counts for seed in range(2_000))
    np.testing.assert_allclose(times, 500, atol=5 * 19.4)  # standard deviation 19.4


@pytest.mark.parametrize(
    ("cut", "counts"), [(split.cold_users, "user_counts"), (split.cold_items, "item_counts")]
)
def test_cold_users_and_items_have_no_training_interactions(
    cut: Callable[..., split.Split], counts: str
) -> None:
    data = world()
    train, test = cut(data, 0.25, seed=4)
    before, after, held = (getattr(dataset, counts) for dataset in (data, train, test))
    cold = held > 0
    assert cold.sum() == round(0.25 * (before > 0).sum())
    assert not after[cold].any()
    np.testing.assert_array_equal(held[cold], before[cold])
    np.testing.assert_array_equal(after[~cold], before[~cold])


def test_each_interaction_is_held_out_in_one_fold() -> None:
    data = world()
    splits = list(split.k_folds(data, 7, seed=1))
    assert len(splits) == 7
    held = Counter(pair for _, test in splits for pair in pairs(test))
    assert held == Counter(pairs(data))
    sizes = [len(test) for _, test in splits]
    assert max(sizes) - min(sizes) <= 1
    for train, test in splits:
        assert sorted(pairs(train) + pairs(test)) == pairs(data)


@pytest.mark.parametrize("cut", [split.random, split.cold_users, split.cold_items])
@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_a_fraction_lies_between_0_and_1(cut: Callable[..., split.Split], fraction: float) -> None:
    with pytest.raises(ConfigError) as caught:
        cut(world(), fraction)
    assert str(caught.value) == (
        f"fraction={fraction} is out of range\n  to do: choose a number between 0 and 1"
    )


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (
            lambda data: split.leave_last_out(data, 0),
            "n=0 is out of range\n  to do: hold out at least 1 interaction",
        ),
        (
            lambda data: split.leave_last_out(data, order="tiem"),  # type: ignore[arg-type]
            "order='tiem' is not a known order\n"
            "  to do: did you mean 'time'? Known: random, row, time",
        ),
        (
            lambda data: split.k_folds(data, 1),
            "folds=1 is out of range\n"
            "  to do: choose a number from 2 to {n}, the number of interactions",
        ),
        (
            lambda data: split.k_folds(data, 1_000),
            "folds=1000 is out of range\n"
            "  to do: choose a number from 2 to {n}, the number of interactions",
        ),
    ],
)
def test_settings_out_of_range_are_refused(cut: Callable[[Dataset], object], message: str) -> None:
    data = world()
    with pytest.raises(ConfigError) as caught:
        cut(data)
    assert str(caught.value) == message.format(n=len(data))


# --- by time -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at",
    [200 * DAY, "1970-07-20", dt.date(1970, 7, 20), dt.datetime(1970, 7, 20, tzinfo=dt.UTC)],
    ids=str,
)
def test_the_given_time_belongs_to_the_test_data(at: Any) -> None:
    data = world()
    train, test = split.by_time(data, at)
    assert train.times is not None
    assert test.times is not None
    assert train.times.max() < 200 * DAY * 1_000_000
    assert test.times.min() == 200 * DAY * 1_000_000


def test_a_split_by_time_needs_times() -> None:
    with pytest.raises(InputError) as caught:
        split.by_time(world(timed=False), "2024-01-01")
    assert str(caught.value) == "the data has no times\n  to do: name the time column (time=...)"


@pytest.mark.parametrize(("at", "part"), [(-1, "training"), ("2024-01-01", "test")])
def test_empty_training_or_test_data_are_refused(at: Any, part: str) -> None:
    data = world()
    with pytest.raises(InputError) as caught:
        split.by_time(data, at)
    assert str(caught.value) == (
        f"the split leaves no {part} interactions ({len(data)} in all)\n"
        "  to do: choose another fraction, time or n"
    )


def test_splits_without_enough_interactions_are_refused() -> None:
    data = Dataset.from_tables(pa.table({"user_id": [1, 2], "item_id": [1, 1]}))
    with pytest.raises(InputError, match="the split leaves no test interactions"):
        split.leave_last_out(data, order="row")
    with pytest.raises(InputError, match="the split leaves no test interactions"):
        split.cold_users(data, 0.1)
    with pytest.raises(InputError, match="the split leaves no training interactions"):
        split.cold_items(data, 0.9)


# --- given -------------------------------------------------------------------------------------


def overlapping_parts() -> tuple[Dataset, Dataset]:
    train = Dataset.from_tables(
        pa.table({"user_id": [5, 1, 5], "item_id": ["d", "b", "b"], "w": [1, 2, 3]}),
        users=pa.table({"user_id": [1, 5], "age": [10, 50]}),
        weight="w",
    )
    test = Dataset.from_tables(
        pa.table({"user_id": [3, 1, 5], "item_id": ["a", "d", "c"], "w": [4, 5, 6]}),
        users=pa.table({"user_id": [1, 3, 5, 7], "age": [-1, 30, -5, 70], "town": list("abcd")}),
        items=pa.table({"item_id": ["a", "c", "d"], "year": [2001, 2003, 2004]}),
        weight="w",
    )
    return train, test


def test_a_given_split_has_the_ids_of_both_data_sets() -> None:
    before = overlapping_parts()
    train, test = split.given(*before)
    assert train.users is test.users
    assert train.users.ids.to_pylist() == [1, 3, 5, 7]
    assert train.items.ids.to_pylist() == ["a", "b", "c", "d"]
    for old, new in zip(before, (train, test), strict=True):
        assert new.to_arrow().equals(old.to_arrow())
        assert (np.diff(new.user_rows * 10 + new.item_rows) > 0).all()
        assert new.matrix.shape == (4, 4)


def test_features_of_a_given_split_are_merged_and_train_has_priority() -> None:
    train, test = split.given(*overlapping_parts())
    assert train.user_features is not None
    assert train.user_features.to_pydict() == {
        "age": [10, 30, 50, 70],
        "town": [None, "b", None, "d"],
    }
    assert train.item_features is not None
    assert train.item_features.to_pydict() == {"year": [2001, None, 2003, 2004]}
    assert test.user_features is train.user_features


def test_features_may_come_from_either_data_set() -> None:
    log = pa.table({"user_id": [1, 2], "item_id": [1, 2]})
    featured = Dataset.from_tables(log, users=pa.table({"user_id": [1, 2], "age": [3, 4]}))
    plain = Dataset.from_tables(pa.table({"user_id": [1, 2], "item_id": [2, 1]}))
    for parts in ((featured, plain), (plain, featured)):
        train, test = split.given(*parts)
        for part in (train, test):
            assert part.user_features is not None
            assert part.user_features.to_pydict() == {"age": [3, 4]}


def test_a_pair_in_both_data_sets_is_refused() -> None:
    train = Dataset.from_tables(pa.table({"user_id": [1, 2, 3], "item_id": ["a", "b", "b"]}))
    test = Dataset.from_tables(pa.table({"user_id": [0, 2, 3], "item_id": ["a", "b", "b"]}))
    with pytest.raises(InputError) as caught:
        split.given(train, test)
    assert str(caught.value) == (
        "2 of 3 test interactions are also in the training data, for example user 2, item 'b'\n"
        "  to do: remove them from one of the two data sets"
    )


def test_a_given_split_needs_ids_of_the_same_type() -> None:
    train = Dataset.from_tables(pa.table({"user_id": [1], "item_id": [1]}))
    test = Dataset.from_tables(pa.table({"user_id": ["1"], "item_id": [1]}))
    with pytest.raises(InputError) as caught:
        split.given(train, test)
    assert str(caught.value) == (
        "user ids are int64 in train and string in test\n"
        "  to do: cast one of them to the type of the other"
    )


def test_features_that_do_not_fit_together_are_refused() -> None:
    parts = [
        Dataset.from_tables(
            pa.table({"user_id": [user], "item_id": [1]}),
            users=pa.table({"user_id": [user], "age": [age]}),
        )
        for user, age in ((1, 30), (2, "old"))
    ]
    with pytest.raises(InputError) as caught:
        split.given(*parts)
    assert str(caught.value) == (
        "the user features of train and test do not fit together: Unable to merge: "
        "Field age has incompatible types: int64 vs string\n"
        "  to do: give both the same columns and types"
    )


@pytest.mark.parametrize(
    "divide",
    [
        split.leave_last_out, split.random, split.cold_users, split.cold_items, split.k_folds,
        lambda data: split.by_time(data, "2024-01-01"), lambda data: split.given(data, data),
    ],
)  # fmt: skip
def test_a_frame_is_not_split(divide: Callable[[Any], Any]) -> None:
    with pytest.raises(InputError, match="a Dataset is needed, not a DataFrame"):
        divide(pd.DataFrame({"user_id": [1, 2], "item_id": [1, 2]}))
