from __future__ import annotations

import pyarrow as pa
import pytest

from shortlist.data.dataset import Dataset
from shortlist.errors import ConfigError, InputError
from shortlist.tuning.folds import validation_folds


def timed() -> Dataset:
    log = pa.table(
        {
            "user_id": [1, 1, 1, 2, 2, 3],
            "item_id": [10, 20, 30, 10, 20, 30],
            "at": [3, 1, 2, 8, 9, 5],
        }
    )
    return Dataset.from_tables(log, time="at")


def pairs(data: Dataset) -> set[tuple[int, int]]:
    table = data.to_arrow()
    return set(zip(table["user_id"].to_pylist(), table["item_id"].to_pylist(), strict=True))


def test_with_times_folds_go_back_in_time() -> None:
    (train, held), (earlier, before) = validation_folds(timed(), 2)
    assert pairs(held) == {(1, 10), (2, 20)}  # user 3 has a single interaction
    assert pairs(before) == {(1, 30)}
    assert pairs(train) == {(1, 20), (1, 30), (2, 10), (3, 30)}
    assert pairs(earlier) == {(1, 20), (2, 10), (3, 30)}


def test_without_times_interactions_are_random_and_none_is_held_out_twice() -> None:
    log = pa.table({"user_id": [1] * 20 + [2] * 3, "item_id": [*range(20), *range(3)]})
    data = Dataset.from_tables(log)
    folds = validation_folds(data, 3, seed=4)
    drawn = [pairs(held) for _, held in folds]
    assert [len(held) for held in drawn] == [2, 2, 1]  # user 2 keeps an interaction
    assert len(set.union(*drawn)) == 5
    assert [pairs(held) for _, held in validation_folds(data, 3, seed=4)] == drawn
    assert [pairs(held) for _, held in validation_folds(data, 3, seed=5)] != drawn
    before = pairs(data)
    for train, held in folds:
        assert pairs(train) == before - pairs(held)
        before = pairs(train)


def test_data_too_small_for_a_fold() -> None:
    log = pa.table({"user_id": [1, 2], "item_id": [10, 20]})
    with pytest.raises(InputError) as error:
        validation_folds(Dataset.from_tables(log))
    assert str(error.value) == (
        "the data is too small for 1 validation fold: no user has 2 interactions\n"
        "  where: Dataset(2 users, 2 items, 2 interactions)\n"
        "  to do: use the defaults, or gather more interactions"
    )


def test_data_too_small_for_three_folds() -> None:
    with pytest.raises(InputError) as error:
        validation_folds(timed(), 3)
    assert error.value.what == (
        "the data is too small for 3 validation folds: no user has 4 interactions"
    )
    assert error.value.remedy == "ask for fewer folds, or gather more interactions"


@pytest.mark.parametrize("folds", [0, -1, 1.5, True, "2"])
def test_invalid_numbers_of_folds(folds: int) -> None:
    with pytest.raises(ConfigError, match=f"folds={folds!r} is out of range"):
        validation_folds(timed(), folds)
