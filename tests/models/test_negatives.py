"""Negatives of a data set: which there are, and how looking up what is known is done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from shortlist.data.dataset import Dataset
from shortlist.models.training import negatives as module
from shortlist.models.training.negatives import Negatives
from shortlist.testing import small_world, tiny

DATA = small_world().data


@pytest.mark.parametrize("exponent", [0.0, 0.75])
def test_negatives_are_items_the_user_did_not_choose(exponent: float) -> None:
    negatives = Negatives(DATA, 7, exponent=exponent)
    drawn = negatives.draw([3, 1], negatives.examples)
    assert drawn.shape == (len(DATA), 7)
    matrix = DATA.choices.toarray()
    assert not matrix[DATA.user_rows[:, np.newaxis], drawn].any()
    if exponent:  # nobody's items are never drawn
        assert DATA.item_counts[drawn].all()
    else:
        assert not DATA.item_counts[drawn].all()


def test_without_rejection_some_are_known() -> None:
    negatives = Negatives(DATA, 20, rejection=False)
    drawn = negatives.draw([0], negatives.examples)
    known = DATA.choices.toarray()[DATA.user_rows[:, np.newaxis], drawn]
    share = (DATA.user_counts / DATA.n_items)[DATA.user_rows].mean()
    assert known.mean() == pytest.approx(share, abs=0.02)
    assert negatives.bytes == 0


def test_every_epoch_draws_anew_and_any_batch_the_same() -> None:
    negatives = Negatives(DATA, 3)
    one, other = (negatives.draw([0, epoch], negatives.examples) for epoch in (0, 1))
    assert (one != other).any(axis=1).mean() > 0.9
    assert_array_equal(one, negatives.draw([0, 0], negatives.examples))
    some = np.array([9, 2, 40])
    assert_array_equal(negatives.draw([0, 1], some), other[some])


def test_a_bitmap_where_it_fits_and_a_search_where_not(monkeypatch: pytest.MonkeyPatch) -> None:
    mapped = Negatives(DATA, 5)
    assert mapped.bytes == 40 * 4  # 40 users, 30 items in 4 bytes
    monkeypatch.setattr(module, "MAX_BITMAP_BYTES", 159)
    searched = Negatives(DATA, 5)
    assert searched.bytes == 0
    of_map, of_search = (one.draw([5], one.examples) for one in (mapped, searched))
    assert_array_equal(of_map, of_search)


def chosen(*pairs: tuple[Any, Any]) -> Dataset:
    return tiny(*pairs)


def test_users_who_chose_everything_have_none() -> None:
    data = chosen((1, "a"), (1, "b"), (1, "c"), (2, "a"), (2, "c"))
    negatives = Negatives(data, 4)
    assert data.user_rows[negatives.examples].tolist() == [1, 1]
    assert set(negatives.draw([0], negatives.examples).ravel()) == {1}  # b


def test_what_cannot_be_drawn_is_no_negative() -> None:
    items = pa.table({"item_id": ["a", "b", "nobody's"]})
    log = pa.table({"user_id": [1, 1, 2], "item_id": ["a", "b", "a"]})
    data = Dataset.from_tables(log, None, items)
    assert Negatives(data, 1).examples.tolist() == [0, 1, 2]
    assert Negatives(data, 1, exponent=1.0).examples.tolist() == [2]


def test_where_everybody_chose_everything_nothing_is_rejected() -> None:
    data = chosen((1, "a"), (1, "b"), (2, "a"), (2, "b"))
    negatives = Negatives(data, 50)
    assert negatives.examples.tolist() == [0, 1, 2, 3]
    assert set(negatives.draw([0], negatives.examples).ravel()) == {0, 1}
