"""Checks of data quality: repetitions, too little or too much data, missing or constant values."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from shortlist.data.columns.titles import title_column
from shortlist.data.dataset import Dataset
from shortlist.data.moments import DAY, LIFE_SPAN
from shortlist.explore.items import titles
from shortlist.reporting.findings import Check, Finding, note, share, warning
from shortlist.reporting.summary import count_distinct, feature_columns, last_times
from shortlist.text import first_few

SHORT_HISTORY = 3  # users with fewer interactions have a short history
FEW_TEST_USERS = 200
TWIN_HISTORY = 5  # from this length on, equal histories are unlikely to be coincidence
LARGE_SHARE = 0.05  # of all interactions, for one user
EARLIEST = 315_532_800_000_000  # 1980-01-01, in microseconds
_MOSTLY_MISSING = 0.9


def repeated_rows(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Find source rows that are in neither side."""
    rows = 1 + int(max(train.positions.max(), test.positions.max()))
    missing = rows - len(train) - len(test)
    if missing > 0:
        yield note(
            f"{share(missing, rows)} rows of the source are not among the interactions",
            "They repeat a (user, item) pair, which counts once, or were removed before the split.",
        )


def same_titles(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Find items with the same title and the same values in all single-valued columns."""
    table = train.item_features
    title = title_column(table)
    if table is None or title is None:
        return
    single = [
        name
        for name, column in feature_columns(table)
        if not pa.types.is_nested(column.type) and name not in (title, *LIFE_SPAN)
    ]
    names = titles(train).to_pylist()
    items = zip(names, *(table.column(name).to_pylist() for name in single), strict=True)
    repeated = {item: count for item, count in Counter(items).items() if count > 1}
    if repeated:
        yield warning(
            f"{sum(repeated.values()):,} items have the same {' and '.join([title, *single])} as "
            f"another item: {first_few([item[0] for item in repeated])}",
            "If they are the same item, merge them. Otherwise a list may contain it twice, and its "
            "interactions are split.",
        )


def same_histories(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Find users with identical training histories."""
    starts = np.concatenate([[0], np.cumsum(train.user_counts)])
    groups: dict[bytes, list[int]] = defaultdict(list)
    for row in np.flatnonzero(train.user_counts >= TWIN_HISTORY):
        groups[train.item_rows[starts[row] : starts[row + 1]].tobytes()].append(int(row))
    twins = [row for rows in groups.values() if len(rows) > 1 for row in rows]
    if twins:
        ids = train.users.take(np.array(twins)).to_pylist()
        yield warning(
            f"{len(twins):,} users have the same {TWIN_HISTORY} or more training items as another "
            f"user: {first_few(ids)}",
            "If they are the same person, merge them. Otherwise the history of one reveals the "
            "test items of the other.",
        )


def short_histories(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Find users with few or no training interactions."""
    counts = train.user_counts
    if short := int(((counts > 0) & (counts < SHORT_HISTORY)).sum()):
        yield note(
            f"{share(short, train.n_users)} users have fewer than {SHORT_HISTORY} training "
            "interactions",
            "Their lists are little more than the popular items; see the figures by history "
            "length.",
        )
    if none := int((counts == 0).sum()):
        yield note(
            f"{share(none, train.n_users)} users have no training interaction",
            "They get popular items, or recommendations from their features.",
        )


def never_chosen(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Find items without training interactions."""
    if none := int((train.item_counts == 0).sum()):
        yield note(
            f"{share(none, train.n_items)} items are never chosen in training",
            "Only models that use item features can tell them apart.",
        )
    if unseen := int((train.item_counts[test.item_rows] == 0).sum()):
        yield warning(
            f"{share(unseen, len(test))} test interactions are with items that are never chosen in "
            "training",
            "A model that learns from interactions alone cannot recommend these items.",
        )


def few_test_users(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Check the number of test users."""
    users = int((test.user_counts > 0).sum())
    if users < FEW_TEST_USERS:
        yield warning(
            f"the figures come from {users:,} test users",
            f"With fewer than {FEW_TEST_USERS} users, intervals are wide and small differences "
            "cannot be told from chance.",
        )


def dominant_user(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Find a user with a large share of the data."""
    most = int(train.user_counts.argmax())
    count = int(train.user_counts[most])
    if train.n_users >= 1 / LARGE_SHARE * 2 and count >= LARGE_SHARE * len(train):
        yield warning(
            f"user {train.users.ids[most].as_py()} has {share(count, len(train))} training "
            "interactions",
            "This is unlikely for one person; it may be a program or a shared account. It has a "
            "large influence on the models.",
        )


def constant_weights(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Find weights that are all equal."""
    first = float(train.weights[0])
    if (train.weights == first).all():
        yield note(
            f"all training interactions have the weight {first:g}",
            "All interactions count the same, and predicted ratings are meaningless.",
        )


def uninformative_times(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Find times that are missing, constant, tied, or impossible."""
    if train.times is None or test.times is None:
        yield note(
            "the interactions have no times",
            "The held-out interactions are not the latest ones, and no figure here depends on the "
            "order of events.",
        )
        return
    times = np.concatenate([train.times, test.times])
    if (times == times[0]).all():
        yield warning(
            "all interactions have the same time",
            "Times carry no information: the last interaction of a user was drawn at random.",
        )
    else:
        if tied := int((last_times(train, train.times)[test.user_rows] == test.times).sum()):
            yield note(
                f"{share(tied, len(test))} test interactions have the same time as the user's last "
                "training interaction",
                "Which of them was last is unknown; it was drawn at random.",
            )
        if (times % DAY == 0).all():
            yield note("the times are whole days", "The order within a day is unknown.")
    if early := int((times < EARLIEST).sum()):
        yield warning(
            f"{share(early, len(times))} interactions are dated before 1980",
            "Times are seconds since 1970. Another unit, or a 0 for a missing time, leads to such "
            "dates.",
        )


def uninformative_columns(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Find feature columns that are empty, nearly empty, or constant."""
    for kind, table in (("user", train.user_features), ("item", train.item_features)):
        empty, sparse, constant = [], [], []
        for name, column in feature_columns(table):
            missing = sum(cell in (None, [], "") for cell in column.to_pylist())
            if missing == len(column):
                empty.append(name)
            elif missing >= _MOSTLY_MISSING * len(column):
                sparse.append(f"{name} ({missing / len(column):.0%})")
            elif not missing and count_distinct(column) == 1:
                constant.append(name)
        lost = "Models ignore them. Check whether values were lost when the data was prepared."
        for names, finding, what, advice in (
            (empty, warning, "columns without any value", lost),
            (sparse, note, "columns that are mostly missing", "They describe few rows."),
            (constant, note, "columns with one value in every row", "Models ignore them."),
        ):
            if names:
                yield finding(f"{kind} {what}: {', '.join(names)}", advice)


CHECKS: dict[str, Check] = {
    "repeated pairs": repeated_rows,
    "items with the same title": same_titles,
    "users with the same history": same_histories,
    "users with short histories": short_histories,
    "items without interactions": never_chosen,
    "too few test users": few_test_users,
    "one user with much of the data": dominant_user,
    "constant weights": constant_weights,
    "times that are missing, constant, tied or impossible": uninformative_times,
    "feature columns that are empty or constant": uninformative_columns,
}
"""The checks of this file, by description. Add a new one here."""
