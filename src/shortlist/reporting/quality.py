"""Checks for repeats, and for too little or too much of something."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa

from shortlist.data.dataset import Dataset
from shortlist.explore.items import TITLE, has_titles, titles
from shortlist.reporting.findings import Finding, share, some_of
from shortlist.reporting.summary import columns

LITTLE = 3  # interactions below which a history says little
FEW_TEST_USERS = 200
TWINS_FROM = 5  # interactions from which two equal histories are no accident
MUCH = 0.05  # of all interactions, by one user


def repeated_rows(train: Dataset, test: Dataset) -> list[Finding]:
    """Look for source rows that are in neither side."""
    rows = 1 + int(max(train.positions.max(), test.positions.max()))
    missing = rows - len(train) - len(test)
    if missing <= 0:
        return []
    return [
        Finding(
            "note",
            f"{share(missing, rows)} rows of the source are not among the interactions",
            "They repeat a pair of user and item, which counts once, or were left out before the "
            "split.",
        )
    ]


def same_titles(train: Dataset, test: Dataset) -> list[Finding]:
    """Look for items that share their title, and every other column with one value a row."""
    table = train.item_features
    if table is None or not has_titles(train):
        return []
    single = [
        name
        for name, column in columns(table)
        if not pa.types.is_nested(column.type) and name not in (TITLE, "valid_from", "valid_to")
    ]
    named = titles(train).to_pylist()
    items = list(zip(named, *(table.column(name).to_pylist() for name in single), strict=True))
    times = Counter(items)
    twice = [item for item, count in times.items() if count > 1]
    if not twice:
        return []
    count = sum(times[item] for item in twice)
    alike = " and ".join([TITLE, *single])
    return [
        Finding(
            "warning",
            f"{count:,} items have the same {alike} as another one: "
            f"{some_of([str(item[0]) for item in twice])}",
            "If they are the same thing, join them: a list may hold it twice, and its choices are "
            "split.",
        )
    ]


def same_histories(train: Dataset, test: Dataset) -> list[Finding]:
    """Look for users whose training histories are the very same."""
    starts = np.concatenate([[0], np.cumsum(train.user_counts)])
    groups: dict[bytes, list[int]] = defaultdict(list)
    for row in np.flatnonzero(train.user_counts >= TWINS_FROM):
        groups[train.item_rows[starts[row] : starts[row + 1]].tobytes()].append(int(row))
    twins = [row for rows in groups.values() if len(rows) > 1 for row in rows]
    if not twins:
        return []
    ids = [str(one) for one in train.users.take(np.array(twins)).to_pylist()]
    return [
        Finding(
            "warning",
            f"{len(twins):,} users have the same {TWINS_FROM} or more training items as another "
            f"user: {some_of(ids)}",
            "If they are the same person, join them: what one of them chose gives the other away.",
        )
    ]


def little_history(train: Dataset, test: Dataset) -> list[Finding]:
    """Look for users with next to nothing in training."""
    counts = train.user_counts
    little = int(((counts > 0) & (counts < LITTLE)).sum())
    none = int((counts == 0).sum())
    found = []
    if little:
        found.append(
            Finding(
                "note",
                f"{share(little, train.n_users)} users have fewer than {LITTLE} training "
                "interactions",
                "Their lists are little more than what is popular; see the figures by length of "
                "history.",
            )
        )
    if none:
        found.append(
            Finding(
                "note",
                f"{share(none, train.n_users)} users have no training interaction",
                "They get what is popular, or what models read from their features.",
            )
        )
    return found


def never_chosen(train: Dataset, test: Dataset) -> list[Finding]:
    """Look for items that models cannot learn from choices."""
    found = []
    none = int((train.item_counts == 0).sum())
    if none:
        found.append(
            Finding(
                "note",
                f"{share(none, train.n_items)} items are never chosen in training",
                "Only models that read item features can tell them apart.",
            )
        )
    unseen = int((train.item_counts[test.item_rows] == 0).sum())
    if unseen:
        found.append(
            Finding(
                "warning",
                f"{share(unseen, len(test))} test interactions are with items that are never "
                "chosen in training",
                "A model that learns from choices alone cannot find them, however good it is.",
            )
        )
    return found


def few_test_users(train: Dataset, test: Dataset) -> list[Finding]:
    """Look at how many users the figures come from."""
    users = int((test.user_counts > 0).sum())
    if users >= FEW_TEST_USERS:
        return []
    return [
        Finding(
            "warning",
            f"the figures come from {users:,} test users",
            f"Below {FEW_TEST_USERS} users intervals are wide, and small differences cannot be "
            "told from chance.",
        )
    ]


def much_by_one(train: Dataset, test: Dataset) -> list[Finding]:
    """Look for a user who makes much of the data."""
    most = int(train.user_counts.argmax())
    count = int(train.user_counts[most])
    if train.n_users < 1 / MUCH * 2 or count < MUCH * len(train):
        return []
    return [
        Finding(
            "warning",
            f"user {train.users.ids[most].as_py()} has {share(count, len(train))} training "
            "interactions",
            "A person hardly does that; a program or a shared account would. It weighs on what "
            "models learn.",
        )
    ]
