"""Bad data on purpose: each check finds its own fault, says how much of it, and nothing else."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

import shortlist as sl
from shortlist.data.dataset import Dataset
from shortlist.reporting import leaks, quality, sameness
from shortlist.reporting.checks import CHECKS
from shortlist.reporting.findings import Finding, look

DAY = dt.timedelta(days=1)
START = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)
N_USERS, N_ITEMS = 240, 30

Split = tuple[Dataset, Dataset]


def world(
    users: dict[str, Any] | None = None, items: dict[str, Any] | None = None, **changes: Any
) -> Dataset:
    """Everybody chooses four items, one a day, weighted 1 to 4; every item is chosen as often."""
    pairs = [(user, (user + 7 * place) % N_ITEMS) for user in range(N_USERS) for place in range(4)]
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


def only(found: list[Finding]) -> Finding:
    [one] = found
    return one


def test_clean_data_has_no_leak_and_no_warning() -> None:
    found = look(*last_out(world()), CHECKS)
    # Everybody's last day is the third after the start, and nobody's training is later.
    assert found.found == ()
    assert found.clear == tuple(CHECKS)


def test_the_worst_comes_first() -> None:
    data = world(users={"empty": pa.nulls(N_USERS, pa.string())})
    found = look(*sl.split.random(data, 0.25), CHECKS).found
    levels = [one.level for one in found]
    assert levels == sorted(levels, key=["leak", "warning", "note"].index)
    assert {"leak", "warning"} <= set(levels)


def test_the_same_pair_in_training_and_test() -> None:
    train, test = last_out(world())
    chosen = np.arange(len(train)) < 12
    leaking = replace(
        train.select(chosen), users=test.users, items=test.items, positions=np.arange(12)
    )
    one = only(leaks.shared_pairs(train, leaking))
    assert one.level == "leak"
    assert one.what.startswith("12 of 12 (100.0%) test interactions are also in training")
    assert leaks.shared_pairs(train, test) == []


def test_a_random_split_trains_on_what_a_user_did_later() -> None:
    train, test = sl.split.random(world(), 0.25, seed=1)
    assert train.times is not None
    assert test.times is not None
    later = 0
    for user, time in zip(test.user_rows, test.times, strict=True):
        own = train.times[train.user_rows == user]
        later += bool(len(own) and own.max() > time)
    known = (train.user_counts[test.user_rows] > 0).sum()
    one = only(leaks.own_future(train, test))
    assert one.level == "leak"
    assert one.what.startswith(f"{later / known:.1%} of the test interactions are earlier")
    assert leaks.own_future(*last_out(world())) == []
    assert leaks.own_future(*last_out(world(at=None))) == []


def test_what_others_did_later_is_a_note() -> None:
    # Each user's own four days begin on a day of their own: half of training is later than half
    # of the test.
    times = [START + (user + place) * DAY for user in range(N_USERS) for place in range(4)]
    train, test = last_out(world(at=times))
    one = only(leaks.others_future(train, test))
    assert one.level == "note"
    assert train.times is not None
    assert test.times is not None
    later = int((train.times > np.median(test.times.astype(np.float64))).sum())
    assert one.what.startswith(f"{later} of 720 ({later / 720:.1%}) training interactions")
    assert 0.4 < later / 720 < 0.6
    assert leaks.others_future(*sl.split.by_time(world(at=times), START + 100 * DAY)) == []


def test_a_column_that_is_the_number_of_choices() -> None:
    users = [user for user in range(N_USERS) for _ in range(4)]
    rng = np.random.default_rng(0)
    chances = np.arange(1, N_ITEMS + 1) / sum(range(1, N_ITEMS + 1))
    drawn = [rng.choice(N_ITEMS, 4, replace=False, p=chances) for _ in range(N_USERS)]
    items = np.concatenate(drawn).tolist()
    counts = np.bincount(items, minlength=N_ITEMS)
    features = {"plays": counts * 3.0, "year": 1990 + rng.permutation(N_ITEMS), "flat": [1] * 30}
    pairs = {"user_id": users, "item_id": items, "at": [START + n * DAY for n in range(960)]}
    data = world(items=features, **pairs)
    one = only(leaks.counts_by_another_name(*last_out(data)))
    assert one.level == "leak"
    assert "the item column 'plays' orders items almost as the number" in one.what


def test_features_that_are_dated_later() -> None:
    before, after = START - DAY, START + 30 * DAY
    dates = [after if user < 60 else before for user in range(N_USERS)]
    data = world(
        users={"updated": pa.array(dates), "joined": pa.array([before.date()] * N_USERS)},
        items={"made": pa.array([None] * N_ITEMS, pa.timestamp("us"))},
    )
    one = only(leaks.dated_later(*last_out(data)))
    assert one.level == "leak"
    assert one.what == (
        "the user column 'updated' is later than the test interaction in 60 of 240 (25.0%) cases"
    )


def test_the_answer_among_the_features() -> None:
    data = world()
    test = last_out(data)[1]
    answer = dict(zip(test.user_rows.tolist(), test.item_rows.tolist(), strict=True))
    liked = [[f"{answer[user]}", "x"] if user % 2 else [] for user in range(N_USERS)]
    level = [user % N_ITEMS for user in range(N_USERS)]  # an id by chance, for as many as any
    train, test = last_out(world(users={"liked": liked, "level": level}))
    one = only(leaks.answer_among_features(train, test))
    assert one.level == "leak"
    assert "'liked' holds the id of the held-out item in 120 of 240 (50.0%) cases" in one.what


def test_choices_of_items_that_were_not_live() -> None:
    ends = [START + 10 * DAY] * N_ITEMS
    ends[5] = START - DAY
    train, test = last_out(world(items={"valid_to": pa.array(ends)}))
    one = only(leaks.before_or_after_life(train, test))
    assert one.level == "warning"
    assert one.what.startswith("32 of 960 (3.3%) interactions are with items outside their")
    assert one.what.endswith(": 5")


def test_repeated_rows() -> None:
    data = world()
    again = pa.concat_tables([data.to_arrow(), data.to_arrow().slice(0, 40)])
    train, test = last_out(sl.Dataset.from_tables(again, weight="weight", time="time"))
    one = only(quality.repeated_rows(train, test))
    assert one.what.startswith("40 of 1,000 (4.0%) rows of the source are not among")


def test_items_with_the_same_title() -> None:
    titles = [f"Film {item}" for item in range(N_ITEMS)]
    titles[4] = titles[3]
    titles[9] = titles[8]
    years = [2000] * 9 + [2001] * 21  # the second pair is of two years: two films
    train, test = last_out(world(items={"title": titles, "year": years}))
    one = only(quality.same_titles(train, test))
    assert one.level == "warning"
    assert one.what == "2 items have the same title and year as another one: Film 3"


def test_users_with_the_same_history() -> None:
    users = [user for user in range(N_USERS) for _ in range(6)]
    # Two users who have everything in common, the others nothing like it.
    items = [
        (place * 5) if user in (17, 99) else (user * 11 + place * (1 + user % 13)) % N_ITEMS
        for user in range(N_USERS)
        for place in range(6)
    ]
    days = [START + place * DAY for _ in range(N_USERS) for place in range(6)]
    data = world(user_id=users, item_id=items, at=days, weight=None)
    train, test = last_out(data)
    found = quality.same_histories(train, test)
    named = only(found).what
    assert "users have the same 5 or more training items" in named
    rows = {user: frozenset(train.item_rows[train.user_rows == user]) for user in range(N_USERS)}
    twins = [user for user, own in rows.items()
             if len(own) >= 5 and list(rows.values()).count(own) > 1]  # fmt: skip
    assert {17, 99} <= set(twins)
    assert named.startswith(f"{len(twins)} users")


def test_users_and_items_with_too_little() -> None:
    data = world()
    kept = (data.user_rows >= 30) | (data.item_rows % 2 == 0)
    kept &= data.user_rows != 239
    kept &= (data.item_rows != 12) | (data.user_rows > 200)
    train, test = last_out(data.select(kept))
    counts = train.user_counts
    little, nobody = quality.little_history(train, test)
    few = ((counts == 1) | (counts == 2)).sum()
    assert little.what.startswith(f"{few} of 240 ({few / 240:.1%}) users have fewer than 3")
    assert nobody.what.startswith("1 of 240 (0.4%) users have no training interaction")
    alone = data.select((data.item_rows != 12) | (data.user_rows == 5))
    held = alone.item_rows == 12
    held_out = held | (alone.user_rows == 6)
    train, test = alone.select(~held_out), alone.select(held_out)
    never, unseen = quality.never_chosen(train, test)
    assert never.what == "1 of 30 (3.3%) items are never chosen in training"
    assert unseen.level == "warning"
    in_test = int((test.item_rows == 12).sum())
    assert unseen.what.startswith(f"{in_test} of {len(test)} ")


def test_few_test_users_and_one_that_is_many() -> None:
    train, test = last_out(world())
    few = test.select(test.user_rows < 50)
    assert only(quality.few_test_users(train, few)).what == "the figures come from 50 test users"
    robot = train.select((train.user_rows < 60) & ((train.user_rows == 3) | (train.item_rows < 3)))
    one = only(quality.much_by_one(robot, test))
    share = f"{robot.user_counts[3]} of {len(robot)} "
    assert one.what.startswith(f"user 3 has {share}")


def test_weights_and_times_that_say_nothing() -> None:
    assert only(sameness.constant_weights(*last_out(world(weight=[2.5] * 960)))).what == (
        "all training interactions have the weight 2.5"
    )
    untimed = only(sameness.times_that_say_little(*last_out(world(at=None))))
    assert untimed.what == "the interactions have no times"
    constant = only(sameness.times_that_say_little(*last_out(world(at=[START] * 960))))
    assert (constant.level, constant.what) == ("warning", "all interactions have the same time")
    tied = [START + min(n % 4, 2) * DAY for n in range(960)]
    one = only(sameness.times_that_say_little(*last_out(world(at=tied))))
    assert one.what.startswith("240 of 240 (100.0%) test interactions have the time of the user's")
    days = [(START + (n % 4) * DAY).date() for n in range(960)]
    assert only(sameness.times_that_say_little(*last_out(world(at=days)))).what == (
        "the times are whole days"
    )
    seconds = [n % 4 for n in range(960)]
    early = only(sameness.times_that_say_little(*last_out(world(at=seconds))))
    assert early.level == "warning"
    assert early.what == "960 of 960 (100.0%) interactions are dated before 1980"


def test_columns_that_are_empty_or_constant() -> None:
    rare = ["yes" if user == 0 else None for user in range(N_USERS)]
    blank: list[list[str]] = [[] for _ in range(N_ITEMS)]
    train, test = last_out(
        world(
            users={"empty": pa.nulls(N_USERS, pa.int64()), "rare": rare, "land": ["kr"] * N_USERS},
            items={"tags": pa.array(blank, pa.list_(pa.string())), "fine": range(N_ITEMS)},
        )
    )
    found = {one.what: one.level for one in sameness.columns_that_say_nothing(train, test)}
    assert found == {
        "user columns without any value: empty": "warning",
        "user columns that are mostly missing: rare (100%)": "note",
        "user columns with one value in every row: land": "note",
        "item columns without any value: tags": "warning",
    }
