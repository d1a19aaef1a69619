"""The full-catalogue protocol on data with known figures."""

from __future__ import annotations

import datetime as dt
from math import log2, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.dataset import Dataset
from shortlist.engine import LocalEngine
from shortlist.errors import ConfigError, InputError, NotFittedError, ShortlistError
from shortlist.evaluation import evaluate
from shortlist.models.popularity import Popularity

from .worlds import Pairs, Rater, known, split


def test_a_perfect_scorer_scores_one() -> None:
    test_pairs = [(0, 0), (0, 3), (1, 1), (2, 4), (2, 5)]
    train, test = split(3, 6, [(0, 1), (1, 0), (1, 2), (2, 0)], test_pairs)
    right = np.zeros((3, 6))
    right[tuple(np.transpose(test_pairs))] = 1
    report = evaluate(known(right).fit(train), train, test, k=(1, 2, 5))
    for name in ("hit_rate", "capped_recall", "ndcg", "map"):
        assert [report[f"{name}@{k}"] for k in (1, 2, 5)] == pytest.approx([1, 1, 1])
    assert report["recall@2"] == report["mrr"] == 1
    assert report["recall@1"] == pytest.approx((1 / 2 + 1 + 1 / 2) / 3)


def test_seen_items_are_not_candidates() -> None:
    # Item 2 is the test item; the three items above it are the user's own training items.
    train, test = split(1, 5, [(0, 0), (0, 1), (0, 4)], [(0, 2)])
    report = evaluate(known([[5, 4, 1, 0, 3]]).fit(train), train, test, k=1)
    assert report["hit_rate@1"] == report["mrr"] == 1
    assert report["coverage@1"] == pytest.approx(1 / 5)


def test_equal_scores_put_the_test_item_in_the_middle() -> None:
    train, test = split(1, 12, [(0, 0)], [(0, 5)])
    report = evaluate(known(np.zeros((1, 12))).fit(train), train, test, k=(5, 6))
    assert report["mrr"] == 1 / 6  # the middle of 11 candidates
    assert (report["hit_rate@5"], report["hit_rate@6"]) == (0, 1)
    assert report["ndcg@6"] == pytest.approx(1 / log2(7))


def test_lists_break_ties_by_popularity_and_then_by_row() -> None:
    # Item 3 has two training users, items 1 and 2 one each, items 0 and 4 none.
    train, test = split(4, 5, [(1, 3), (2, 3), (3, 1), (3, 2)], [(0, 4)])
    report = evaluate(known(np.zeros((4, 5))).fit(train), train, test, k=(1, 2, 4))
    assert report["popularity@1"] == 2
    assert report["popularity@2"] == (2 + 1) / 2
    assert report["popularity@4"] == (2 + 1 + 1 + 0) / 4
    # Of 3 users with choices: log2(3 / 2) bits for item 3, log2(3) for items with one user or none.
    assert report["novelty@4"] == pytest.approx((4 * log2(3) - 1) / 4)
    assert report["coverage@4"] == 4 / 5


def test_popularity_on_data_where_it_is_right() -> None:
    # Each test item is the most popular item without an interaction of the user.
    train, test = split(3, 4, [(0, 1), (1, 1), (1, 2), (2, 2)], [(0, 2), (2, 1)])
    report = evaluate(Popularity().fit(train), train, test, k=1)
    assert report.users.to_pylist() == [100, 102]
    assert report["hit_rate@1"] == 1
    assert report["coverage@1"] == 2 / 4


def test_only_users_with_test_items_are_evaluated() -> None:
    train, test = split(4, 3, [(0, 0), (1, 0), (3, 0), (3, 1)], [(1, 1), (3, 2)])
    report = evaluate(known(np.zeros((4, 3))).fit(train), train, test, k=2)
    assert report.users.to_pylist() == [101, 103]
    assert report.history.tolist() == [1, 2]
    assert report.n_users == 2


@st.composite
def splits(draw: st.DrawFn) -> tuple[Pairs, Pairs, list[list[int]]]:
    """Six users, nine items, some of the pairs in train and others in test, scores with ties."""
    sides = draw(
        st.dictionaries(
            st.tuples(st.integers(0, 5), st.integers(0, 8)), st.booleans(), min_size=1, max_size=40
        ).filter(lambda sides: any(sides.values()))
    )
    row = st.lists(st.integers(0, 3), min_size=9, max_size=9)
    scores = draw(st.lists(row, min_size=6, max_size=6))
    train = [pair for pair, in_test in sides.items() if not in_test]
    return train, [pair for pair, in_test in sides.items() if in_test], scores


@given(splits())
@settings(max_examples=60, deadline=None)
def test_against_naive_loops(world: tuple[Pairs, Pairs, list[list[int]]]) -> None:
    train_pairs, test_pairs, scores = world
    train, test = split(6, 9, train_pairs, test_pairs)
    report = evaluate(known(scores).fit(train), train, test, k=3)
    counts = [sum(item == other for _, other in train_pairs) for item in range(9)]
    reciprocal, recalls, listed, shown = [], [], [], set()
    for user in sorted({user for user, _ in test_pairs}):
        candidates = [item for item in range(9) if (user, item) not in train_pairs]
        true = [item for item in candidates if (user, item) in test_pairs]
        ranks = []
        for score in {scores[user][item] for item in true}:
            above = sum(scores[user][item] > score for item in candidates)
            tied = sum(scores[user][item] == score for item in candidates)
            count = sum(scores[user][item] == score for item in true)
            middle = above + (tied + 1) / 2
            ranks += [middle - (count - 1) / 2 + step for step in range(count)]
        reciprocal.append(1 / min(ranks))
        recalls.append(sum(rank <= 3 for rank in ranks) / len(true))
        best = sorted(candidates, key=lambda item: (-scores[user][item], -counts[item], item))[:3]
        listed.append(sum(counts[item] for item in best) / len(best))
        shown.update(best)
    assert report.per_user("mrr").tolist() == pytest.approx(reciprocal)
    assert report.per_user("recall@3").tolist() == pytest.approx(recalls)
    assert report.per_user("popularity@3").tolist() == pytest.approx(listed)
    assert report["coverage@3"] == pytest.approx(len(shown) / 9)


def random_split(n_users: int, n_items: int) -> tuple[Dataset, Dataset, np.ndarray]:
    rng = np.random.default_rng(0)
    pairs = [(user, item) for user in range(n_users) for item in range(n_items)]
    draws = rng.random(len(pairs))
    train = [pair for pair, draw in zip(pairs, draws, strict=True) if draw < 0.2]
    test = [pair for pair, draw in zip(pairs, draws, strict=True) if draw > 0.9]
    times = rng.integers(0, 5, len(test)).tolist()
    births = [
        None if birth < 0 else dt.datetime(1970, 1, 1, microsecond=int(birth))
        for birth in rng.integers(-3, 3, n_items)
    ]
    items = {"valid_from": births}
    train_side, test_side = split(n_users, n_items, train, test, times=times, items=items)
    return train_side, test_side, rng.random((n_users, n_items))


def test_figures_do_not_depend_on_the_block_size() -> None:
    train, test, scores = random_split(40, 25)
    model = known(scores).fit(train)
    whole = evaluate(model, train, test)
    assert 0.1 < whole["recall@10"] < 0.9
    for users_at_once in (1, 7):
        block_bytes = users_at_once * (model.bytes_per_query + 25)  # and a mask of 25 items
        blocked = evaluate(model, train, test, engine=LocalEngine(block_bytes))
        assert blocked.per_user_table().equals(whole.per_user_table())
        assert blocked.to_arrow().equals(whole.to_arrow())


def test_lists_longer_than_the_catalogue_are_truncated_and_noted() -> None:
    train, test = split(2, 3, [(0, 0), (1, 0)], [(0, 2), (1, 1)])
    report = evaluate(known([[0, 2, 1], [0, 2, 1]]).fit(train), train, test, k=(1, 7))
    assert report["recall@7"] == 1
    assert report["precision@7"] == pytest.approx(1 / 7)
    assert report["coverage@7"] == pytest.approx(2 / 3)
    assert report.notes == ("k=7 is longer than the catalogue of 3 items",)


def test_list_lengths_are_sorted_and_distinct() -> None:
    train, test = split(1, 3, [(0, 0)], [(0, 2)])
    report = evaluate(known([[0, 2, 1]]).fit(train), train, test, k=(2, 1, 2))
    assert report.k == (1, 2)


# --- ratings ------------------------------------------------------------------------------------


def test_rating_errors_if_the_model_predicts_ratings() -> None:
    train, test = split(2, 3, [(0, 0), (1, 2)], [(0, 1), (0, 2), (1, 0)], ratings=[3.0, 5.0, 1.0])
    scores = [[0, 2, 2], [2, 0, 0]]  # predicts 4, 4 and 4
    report = evaluate(known(scores, kind=Rater).fit(train), train, test, k=1)
    assert report["rmse"] == pytest.approx(sqrt((1 + 1 + 9) / 3))
    assert report["mae"] == pytest.approx((1 + 1 + 3) / 3)
    low, high = report.interval("rmse")
    assert (low, high) == (1.0, 3.0)  # one of the two users twice
    assert "rmse" not in evaluate(known(scores).fit(train), train, test, k=1).names


def test_equal_weights_are_no_ratings() -> None:
    train, test = split(2, 3, [(0, 0), (1, 2)], [(0, 1), (0, 2), (1, 0)])
    rater = known([[0, 2, 2], [2, 0, 0]], kind=Rater).fit(train)
    assert "rmse" not in evaluate(rater, train, test, k=1).names


# --- life spans ---------------------------------------------------------------------------------

DAY = 86_400_000_000  # microseconds
DATES = [dt.date(1970, 1, day) for day in range(1, 10)]


def test_only_items_live_at_the_users_first_test_time_are_candidates() -> None:
    # Item 0 ends on day 5, item 1 is born on day 5, items 2 and 3 live always.
    spans = {"valid_from": [None, DATES[5], None, None], "valid_to": [DATES[5], None, None, None]}
    scores = [[3, 2, 1, 0]] * 2
    train, test = split(
        2, 4, [(0, 3), (1, 3)], [(0, 2), (1, 2)], times=[4 * DAY, 5 * DAY], items=spans
    )
    report = evaluate(known(scores).fit(train), train, test, k=1)
    # Either user has one better item: 0 on day 4, 1 from day 5 on.
    assert report.per_user("mrr").tolist() == [1 / 2, 1 / 2]
    assert report["coverage@1"] == 2 / 4
    assert report.notes == ()


def test_test_items_not_live_at_the_users_first_test_time_do_not_count() -> None:
    # User 0 chose item 2 on day 1, and on day 6 item 1, born on day 5. User 1 chose only item 0,
    # which had ended.
    spans = {"valid_from": [None, DATES[5], None], "valid_to": [DATES[3], None, None]}
    pairs = [(0, 2), (0, 1), (1, 0)]
    times = [1 * DAY, 6 * DAY, 4 * DAY]
    train, test = split(2, 3, [], pairs, times=times, items=spans)
    report = evaluate(known([[2, 3, 1]] * 2).fit(train), train, test, k=1)
    assert report.users.to_pylist() == [100]
    assert report["mrr"] == 1 / 2  # item 0 is above, item 1 not born
    assert report.notes == (
        "test interactions left out: 2 of 3, the item was not live at the user's first test time",
    )


def test_life_spans_without_times_make_every_item_eligible_and_are_noted() -> None:
    train, test = split(1, 3, [], [(0, 2)], items={"valid_to": [DATES[0], DATES[0], DATES[0]]})
    report = evaluate(known([[3, 2, 1]]).fit(train), train, test, k=1)
    assert report["mrr"] == pytest.approx(1 / 3)
    assert report.notes == (
        "items have life spans but the test has no times: every item is eligible",
    )


def test_a_test_without_live_items_is_an_error() -> None:
    spans = {"valid_to": [DATES[0], DATES[0]]}
    train, test = split(1, 2, [], [(0, 1)], times=[3 * DAY], items=spans)
    with pytest.raises(InputError, match="no test item was live") as error:
        evaluate(known([[0, 0]]).fit(train), train, test)
    assert "same clock" in str(error.value)


# --- invalid input ----------------------------------------------------------------------------


def test_a_leaking_split_is_refused() -> None:
    train, test = split(2, 3, [(0, 0), (1, 1)], [(0, 2), (1, 1)])
    with pytest.raises(InputError) as error:
        evaluate(known(np.zeros((2, 3))).fit(train), train, test)
    text = str(error.value)
    assert "test interactions that are also in train: 1 of 2" in text
    assert "first user 101 with item 1" in text
    assert "interactions it has not seen" in text


def test_a_model_fitted_on_other_data_is_refused() -> None:
    train, test = split(2, 3, [(0, 0), (1, 1)], [(0, 2)])
    everything, _ = split(2, 3, [(0, 0), (0, 2), (1, 1)], [(1, 2)])
    with pytest.raises(InputError) as error:
        evaluate(known(np.zeros((2, 3))).fit(everything), train, test)
    text = str(error.value)
    assert "Known was fitted on other data than this train" in text
    assert "model.fit(train)" in text


def test_an_unfitted_model_is_refused() -> None:
    train, test = split(2, 3, [(0, 0)], [(0, 2)])
    with pytest.raises(NotFittedError, match="Known is not fitted"):
        evaluate(known(np.zeros((2, 3))), train, test)


def test_different_vocabularies_are_refused() -> None:
    train, _ = split(2, 3, [(0, 0)], [(0, 2)])
    _, test = split(2, 4, [(0, 0)], [(0, 2)])
    with pytest.raises(InputError, match=r"different item vocabularies \(3 and 4 ids\)") as error:
        evaluate(known(np.zeros((2, 3))).fit(train), train, test)
    assert "split.given(train, test)" in str(error.value)


def test_an_empty_test_side_is_refused() -> None:
    train, test = split(2, 3, [(0, 0)], [])
    with pytest.raises(InputError, match="test data has no interactions"):
        evaluate(known(np.zeros((2, 3))).fit(train), train, test)


@pytest.mark.parametrize(
    ("k", "text"),
    [
        (0, "k=0 is out of range: it is a whole number, 1 or more"),
        ((5, -1), "k=-1 is out of range"),
        (2.5, "k=2.5 is out of range"),
        (True, "k=True is out of range"),
        ((), "k is empty"),
    ],
)
def test_list_lengths_are_checked(k: object, text: str) -> None:
    train, test = split(1, 2, [(0, 0)], [(0, 1)])
    with pytest.raises(ConfigError, match=text):
        evaluate(known([[0, 1]]).fit(train), train, test, k=k)  # type: ignore[arg-type]


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused(broken: float) -> None:
    train, test = split(3, 2, [(0, 0)], [(0, 1), (2, 1)])
    model = known([[0, 1], [0, 1], [0, 1]]).fit(train)
    model.learned.scores[2, 1] = broken  # after fit, which would refuse it
    with pytest.raises(ShortlistError) as error:
        evaluate(model, train, test)
    assert "Known gave scores that are NaN or infinite, first for user 102" in str(error.value)
    assert "diverged" in str(error.value)
