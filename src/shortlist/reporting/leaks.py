"""Checks for what a model could not know: the answers themselves, and the future."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import rankdata

from shortlist.data.dataset import Dataset
from shortlist.reporting.findings import Finding, share, some_of
from shortlist.reporting.summary import columns, latest_share

NEARLY_ALL = 0.95  # rank correlation from which a column is the number of choices by another name
FEW_ROWS = 20
_LOOKED_AT = 20_000  # test interactions whose features are compared with the answer
_LIFE_SPANS = ("valid_from", "valid_to")


def shared_pairs(train: Dataset, test: Dataset) -> list[Finding]:
    """Look for pairs that are in both sides."""
    one, other = (
        side.user_rows.astype(np.int64) * train.n_items + side.item_rows for side in (train, test)
    )
    count = int(np.isin(other, one).sum())
    if not count:
        return []
    return [
        Finding(
            "leak",
            f"{share(count, len(other))} test interactions are also in training",
            "A model only has to remember them. Leave them out of one side.",
        )
    ]


def own_future(train: Dataset, test: Dataset) -> list[Finding]:
    """Look for users whose training interactions come after what is held out."""
    latest = latest_share(train, test)
    if latest is None or latest == 1:
        return []
    return [
        Finding(
            "leak",
            f"{1 - latest:.1%} of the test interactions are earlier than something the same user "
            "has in training",
            "Models see what a user did later. To know how they do on what comes next, use "
            "--split leave-last-out or by-time.",
        )
    ]


def others_future(train: Dataset, test: Dataset) -> list[Finding]:
    """Look for training interactions that are later than the test."""
    if train.times is None or test.times is None:
        return []
    later = int((train.times > np.median(test.times)).sum())
    if later <= 0.01 * len(train):
        return []
    return [
        Finding(
            "note",
            f"{share(later, len(train))} training interactions are later than the middle test "
            "interaction",
            "What other users chose afterwards is known to the models here, and will not be once "
            "they are in use. --split by-time measures without it.",
        )
    ]


def counts_by_another_name(train: Dataset, test: Dataset) -> list[Finding]:
    """Look for item columns that follow how often items are chosen, test included."""
    totals = train.item_counts + test.item_counts
    found = []
    for name, column in columns(train.item_features):
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            continue
        values = pc.cast(column, pa.float64()).to_numpy()
        known = np.isfinite(values)
        correlation = _rank_correlation(values[known], totals[known])
        if abs(correlation) >= NEARLY_ALL:
            found.append(
                Finding(
                    "leak",
                    f"the item column {name!r} orders items almost as the number of their "
                    f"interactions does, held-out ones included (rank correlation "
                    f"{correlation:+.2f})",
                    "If it was counted over all of the data it looks into the future. Count it "
                    "before the test begins, or leave it out.",
                )
            )
    return found


def _rank_correlation(one: Any, other: Any) -> float:
    """Give Spearman's correlation; 0 where there is too little to say."""
    if len(one) < FEW_ROWS or (one == one[0]).all() or (other == other[0]).all():
        return 0.0
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def dated_later(train: Dataset, test: Dataset) -> list[Finding]:
    """Look for dates among the features that are later than the test interaction they help with."""
    if test.times is None:
        return []
    found = []
    for kind, table, rows in (
        ("user", train.user_features, test.user_rows),
        ("item", train.item_features, test.item_rows),
    ):
        for name, column in columns(table):
            dated = pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)
            if not dated or name in _LIFE_SPANS:
                continue
            moments = pc.cast(pc.cast(column, pa.timestamp("us"), safe=False), pa.int64())
            filled = pc.fill_null(moments, np.iinfo(np.int64).min).to_numpy()
            later = int((filled[rows] > test.times).sum())
            if later:
                found.append(
                    Finding(
                        "leak",
                        f"the {kind} column {name!r} is later than the test interaction in "
                        f"{share(later, len(test))} cases",
                        "What was written down afterwards was not known then. Use the features as "
                        "they were, or leave the column out.",
                    )
                )
    return found


def answer_among_features(train: Dataset, test: Dataset) -> list[Finding]:
    """Look for user columns that hold the id of the held-out item."""
    chosen = slice(0, _LOOKED_AT)
    answers = [str(one) for one in train.items.take(test.item_rows[chosen]).to_pylist()]
    users = pa.array(test.user_rows[chosen])
    found = []
    for name, column in columns(train.user_features):
        cells = [_texts(cell) for cell in column.take(users).to_pylist()]
        hits = sum(answer in cell for answer, cell in zip(answers, cells, strict=True))
        # By chance: the answers of the next user along.
        chance = sum(
            answer in cell for answer, cell in zip(answers[1:] + answers[:1], cells, strict=True)
        )
        if hits >= max(5, 0.01 * len(answers)) and hits > 3 * chance:
            found.append(
                Finding(
                    "leak",
                    f"the user column {name!r} holds the id of the held-out item in "
                    f"{share(hits, len(answers))} cases",
                    "The answer is among the features. Leave the column out.",
                )
            )
    return found


def _texts(cell: Any) -> set[str]:
    if isinstance(cell, list):
        return {str(one) for one in cell}
    return set() if cell is None else {str(cell)}


def before_or_after_life(train: Dataset, test: Dataset) -> list[Finding]:
    """Look for interactions with items that were not live."""
    spans = train.life_spans
    if spans is None or train.times is None or test.times is None:
        return []
    outside = []
    for side, times in ((train, train.times), (test, test.times)):
        dead = (times < spans.starts[side.item_rows]) | (times >= spans.ends[side.item_rows])
        outside.append(side.item_rows[dead])
    count = sum(map(len, outside))
    if not count:
        return []
    items = train.items.take(np.unique(np.concatenate(outside))).to_pylist()
    return [
        Finding(
            "warning",
            f"{share(count, len(train) + len(test))} interactions are with items outside their "
            f"valid_from and valid_to: {some_of([str(one) for one in items])}",
            "The life spans or the times are wrong, or on different clocks; at the moment of such "
            "an interaction its item is no candidate.",
        )
    ]
