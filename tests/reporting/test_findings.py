"""Deliberately bad data: each check finds its own problem and its size, and nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

import shortlist as sl
from shortlist.data.dataset import Dataset
from shortlist.reporting import leaks, quality
from shortlist.reporting.findings import Finding, run_checks

DAY = dt.timedelta(days=1)
START = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)
N_USERS, N_ITEMS = 240, 30

CHECKS = leaks.CHECKS | quality.CHECKS

Split = tuple[Dataset, Dataset]


def world(
    users: dict[str, Any] | None = None, items: dict[str, Any] | None = None, **changes: Any
) -> Dataset:
    """Each user has four items, one per day, weighted 1 to 4; all items are equally popular."""
    pairs = [(user, (user + 7 * n) % N_ITEMS) for user in range(N_USERS) for n in range(4)]
    columns: dict[str, Any] = {
        "user_id": [user for user, _ in pairs],
        "item_id": [item for _, item in pairs],
        "weight": [1.0 + n % 4 for n in range(len(pairs))],
        "at": [START + (n % 4) * DAY for n in range(len(pairs))],
    }
    kept = {name: value for name, value in (columns | changes).items() if value is not None}
    return sl.Dataset.from_tables(
        pa.table(kept),
        None if users is None else pa.table({"user_id": range(N_USERS)} | users),
        None if items is None else pa.table({"item_id": range(N_ITEMS)} | items),
        weight="weight" if "weight" in kept else None,
        time="at" if "at" in kept else None,
    )


def last_out(data: Dataset) -> Split:
    return sl.split.leave_last_out(data, order="random" if data.times is None else "time")


def only(findings: Iterable[Finding]) -> Finding:
    [finding] = findings
    return finding


def test_clean_data_has_no_leak_and_no_warning() -> None:
    results = run_checks(*last_out(world()), CHECKS)
    # The last day of every user is the third after the start; no training interaction is later.
    assert results.findings == ()
    assert results.passed == tuple(CHECKS)


def test_the_most_severe_finding_comes_first() -> None:
    data = world(users={"empty": pa.nulls(N_USERS, pa.string())})
    findings = run_checks(*sl.split.random(data, 0.25), CHECKS).findings
    levels = [finding.level for finding in findings]
    assert levels == sorted(levels, key=["leak", "warning", "note"].index)
    assert {"leak", "warning"} <= set(levels)


def test_the_same_pair_in_training_and_test() -> None:
    train, test = last_out(world())
    kept = np.arange(len(train)) < 12
    leaking = replace(
        train.select(kept), users=test.users, items=test.items, positions=np.arange(12)
    )
    finding = only(leaks.shared_pairs(train, leaking))
    assert finding.level == "leak"
    assert finding.message.startswith("12 of 12 (100.0%) test interactions are also in training")
    assert not list(leaks.shared_pairs(train, test))


def test_a_random_split_trains_on_the_users_future() -> None:
    train, test = sl.split.random(world(), 0.25, seed=1)
    assert train.times is not None
    assert test.times is not None
    later = 0
    for user, time in zip(test.user_rows, test.times, strict=True):
        own = train.times[train.user_rows == user]
        later += bool(len(own) and own.max() > time)
    known = (train.user_counts[test.user_rows] > 0).sum()
    finding = only(leaks.own_future(train, test))
    assert finding.level == "leak"
    assert finding.message.startswith(f"{later / known:.1%} of the test interactions are earlier")
    assert not list(leaks.own_future(*last_out(world())))
    assert not list(leaks.own_future(*last_out(world(at=None))))


def test_training_on_the_future_of_other_users_is_a_note() -> None:
    # The four days of each user start one day after those of the previous user: half of the
    # training interactions are later than half of the test.
    times = [START + (user + n) * DAY for user in range(N_USERS) for n in range(4)]
    train, test = last_out(world(at=times))
    finding = only(leaks.others_future(train, test))
    assert finding.level == "note"
    assert train.times is not None
    assert test.times is not None
    later = int((train.times > np.median(test.times.astype(np.float64))).sum())
    assert finding.message.startswith(f"{later} of 720 ({later / 720:.1%}) training interactions")
    assert 0.4 < later / 720 < 0.6
    assert not list(leaks.others_future(*sl.split.by_time(world(at=times), START + 100 * DAY)))


def test_a_column_that_is_the_number_of_interactions() -> None:
    users = [user for user in range(N_USERS) for _ in range(4)]
    rng = np.random.default_rng(0)
    chances = np.arange(1, N_ITEMS + 1) / sum(range(1, N_ITEMS + 1))
    drawn = [rng.choice(N_ITEMS, 4, replace=False, p=chances) for _ in range(N_USERS)]
    items = np.concatenate(drawn).tolist()
    counts = np.bincount(items, minlength=N_ITEMS)
    features = {"plays": counts * 3.0, "year": 1990 + rng.permutation(N_ITEMS), "flat": [1] * 30}
    pairs = {"user_id": users, "item_id": items, "at": [START + n * DAY for n in range(960)]}
    data = world(items=features, **pairs)
    finding = only(leaks.interaction_counts(*last_out(data)))
    assert finding.level == "leak"
    assert "the item column 'plays' orders items almost like their number" in finding.message


def test_features_dated_later_than_the_test() -> None:
    before, after = START - DAY, START + 30 * DAY
    dates = [after if user < 60 else before for user in range(N_USERS)]
    data = world(
        users={"updated": pa.array(dates), "joined": pa.array([before.date()] * N_USERS)},
        items={"made": pa.array([None] * N_ITEMS, pa.timestamp("us"))},
    )
    finding = only(leaks.later_dates(*last_out(data)))
    assert finding.level == "leak"
    assert finding.message == (
        "the user column 'updated' is later than the test interaction in 60 of 240 (25.0%) cases"
    )


def test_features_that_contain_the_answer() -> None:
    data = world()
    test = last_out(data)[1]
    answer = dict(zip(test.user_rows.tolist(), test.item_rows.tolist(), strict=True))
    liked = [[f"{answer[user]}", "x"] if user % 2 else [] for user in range(N_USERS)]
    level = [user % N_ITEMS for user in range(N_USERS)]  # matches an item id only by chance
    train, test = last_out(world(users={"liked": liked, "level": level}))
    finding = only(leaks.answer_in_features(train, test))
    assert finding.level == "leak"
    assert (
        "'liked' holds the id of the held-out item in 120 of 240 (50.0%) cases" in finding.message
    )


def test_interactions_with_items_that_were_not_live() -> None:
    ends = [START + 10 * DAY] * N_ITEMS
    ends[5] = START - DAY
    train, test = last_out(world(items={"valid_to": pa.array(ends)}))
    finding = only(leaks.outside_life_span(train, test))
    assert finding.level == "warning"
    assert finding.message.startswith("32 of 960 (3.3%) interactions are with items outside their")
    assert finding.message.endswith(": 5")


def test_repeated_rows() -> None:
    data = world()
    again = pa.concat_tables([data.to_arrow(), data.to_arrow().slice(0, 40)])
    train, test = last_out(sl.Dataset.from_tables(again, weight="weight", time="time"))
    finding = only(quality.repeated_rows(train, test))
    assert finding.message.startswith("40 of 1,000 (4.0%) rows of the source are not among")


def test_items_with_the_same_title() -> None:
    titles = [f"Film {item}" for item in range(N_ITEMS)]
    titles[4] = titles[3]
    titles[9] = titles[8]
    years = [2000] * 9 + [2001] * 21  # the second pair has different years: two films
    train, test = last_out(world(items={"title": titles, "year": years}))
    finding = only(quality.same_titles(train, test))
    assert finding.level == "warning"
    assert finding.message == "2 items have the same title and year as another item: Film 3"


def test_users_with_the_same_history() -> None:
    users = [user for user in range(N_USERS) for _ in range(6)]
    # Two users have the same items; the others differ.
    items = [
        (n * 5) if user in (17, 99) else (user * 11 + n * (1 + user % 13)) % N_ITEMS
        for user in range(N_USERS)
        for n in range(6)
    ]
    days = [START + n * DAY for _ in range(N_USERS) for n in range(6)]
    data = world(user_id=users, item_id=items, at=days, weight=None)
    train, test = last_out(data)
    named = only(quality.same_histories(train, test)).message
    assert "users have the same 5 or more training items" in named
    rows = {user: frozenset(train.item_rows[train.user_rows == user]) for user in range(N_USERS)}
    twins = [user for user, own in rows.items()
             if len(own) >= 5 and list(rows.values()).count(own) > 1]  # fmt: skip
    assert {17, 99} <= set(twins)
    assert named.startswith(f"{len(twins)} users")


def test_users_and_items_with_few_interactions() -> None:
    data = world()
    kept = (data.user_rows >= 30) | (data.item_rows % 2 == 0)
    kept &= data.user_rows != 239
    kept &= (data.item_rows != 12) | (data.user_rows > 200)
    train, test = last_out(data.select(kept))
    counts = train.user_counts
    short, none = quality.short_histories(train, test)
    few = ((counts == 1) | (counts == 2)).sum()
    assert short.message.startswith(f"{few} of 240 ({few / 240:.1%}) users have fewer than 3")
    assert none.message.startswith("1 of 240 (0.4%) users have no training interaction")
    alone = data.select((data.item_rows != 12) | (data.user_rows == 5))
    held = alone.item_rows == 12
    held_out = held | (alone.user_rows == 6)
    train, test = alone.select(~held_out), alone.select(held_out)
    never, unseen = quality.never_chosen(train, test)
    assert never.message == "1 of 30 (3.3%) items are never chosen in training"
    assert unseen.level == "warning"
    in_test = int((test.item_rows == 12).sum())
    assert unseen.message.startswith(f"{in_test} of {len(test)} ")


def test_few_test_users_and_a_dominant_user() -> None:
    train, test = last_out(world())
    few = test.select(test.user_rows < 50)
    assert only(quality.few_test_users(train, few)).message == "the figures come from 50 test users"
    robot = train.select((train.user_rows < 60) & ((train.user_rows == 3) | (train.item_rows < 3)))
    finding = only(quality.dominant_user(robot, test))
    share = f"{robot.user_counts[3]} of {len(robot)} "
    assert finding.message.startswith(f"user 3 has {share}")


def test_uninformative_weights_and_times() -> None:
    assert only(quality.constant_weights(*last_out(world(weight=[2.5] * 960)))).message == (
        "all training interactions have the weight 2.5"
    )
    untimed = only(quality.uninformative_times(*last_out(world(at=None))))
    assert untimed.message == "the interactions have no times"
    constant = only(quality.uninformative_times(*last_out(world(at=[START] * 960))))
    assert (constant.level, constant.message) == ("warning", "all interactions have the same time")
    tied = [START + min(n % 4, 2) * DAY for n in range(960)]
    finding = only(quality.uninformative_times(*last_out(world(at=tied))))
    assert finding.message.startswith(
        "240 of 240 (100.0%) test interactions have the same time as the user's"
    )
    days = [(START + (n % 4) * DAY).date() for n in range(960)]
    assert only(quality.uninformative_times(*last_out(world(at=days)))).message == (
        "the times are whole days"
    )
    seconds = [n % 4 for n in range(960)]
    early = only(quality.uninformative_times(*last_out(world(at=seconds))))
    assert early.level == "warning"
    assert early.message == "960 of 960 (100.0%) interactions are dated before 1980"


def test_columns_that_are_empty_or_constant() -> None:
    rare = ["yes" if user == 0 else None for user in range(N_USERS)]
    blank: list[list[str]] = [[] for _ in range(N_ITEMS)]
    train, test = last_out(
        world(
            users={"empty": pa.nulls(N_USERS, pa.int64()), "rare": rare, "land": ["kr"] * N_USERS},
            items={"tags": pa.array(blank, pa.list_(pa.string())), "fine": range(N_ITEMS)},
        )
    )
    findings = {
        finding.message: finding.level for finding in quality.uninformative_columns(train, test)
    }
    assert findings == {
        "user columns without any value: empty": "warning",
        "user columns that are mostly missing: rare (100%)": "note",
        "user columns with one value in every row: land": "note",
        "item columns without any value: tags": "warning",
    }
