"""Checks for information that a model would not have in use: the answers themselves, the future."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import rankdata

from shortlist.data.arrow_types import is_time
from shortlist.data.dataset import Dataset
from shortlist.data.moments import LIFE_SPAN
from shortlist.reporting.findings import Check, Finding, leak, note, share, warning
from shortlist.reporting.summary import feature_columns, latest_share
from shortlist.text import first_few

COUNT_CORRELATION = 0.95  # from here, a column is taken to be the number of interactions
FEW_ROWS = 20
_ANSWERS = 20_000  # test interactions whose user features are searched for the item


def shared_pairs(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Find pairs that are in both sides."""
    if count := int(np.isin(test.cells, train.cells).sum()):
        yield leak(
            f"{share(count, len(test))} test interactions are also in training",
            "A model only has to memorise them. Remove them from one side.",
        )


def own_future(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Find users with training interactions later than their test interactions."""
    latest = latest_share(train, test)
    if latest is not None and latest < 1:
        yield leak(
            f"{1 - latest:.1%} of the test interactions are earlier than a training interaction of "
            "the same user",
            "Models see what a user did later. To measure how well they predict the next choice, "
            "use --split leave-last-out or by-time.",
        )


def others_future(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Find training interactions later than the test."""
    if train.times is None or test.times is None:
        return
    later = int((train.times > np.median(test.times)).sum())
    if later > 0.01 * len(train):
        yield note(
            f"{share(later, len(train))} training interactions are later than the median test "
            "interaction",
            "The models know here what other users chose later. In use they will not. --split "
            "by-time measures without this knowledge.",
        )


def interaction_counts(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Find item columns that follow the number of interactions, test included."""
    totals = train.item_counts + test.item_counts
    for name, column in feature_columns(train.item_features):
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            continue
        values = pc.cast(column, pa.float64()).to_numpy()
        known = np.isfinite(values)
        correlation = _rank_correlation(values[known], totals[known])
        if abs(correlation) >= COUNT_CORRELATION:
            yield leak(
                f"the item column {name!r} orders items almost like their number of interactions, "
                f"test interactions included (rank correlation {correlation:+.2f})",
                "If it was counted over all of the data, it contains the future. Count only what "
                "is before the test, or leave the column out.",
            )


def _rank_correlation(first: Any, second: Any) -> float:
    """Return Spearman's correlation; 0 for few or constant values."""
    if len(first) < FEW_ROWS or (first == first[0]).all() or (second == second[0]).all():
        return 0.0
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


def later_dates(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Find dates among the features that are later than the test interaction."""
    if test.times is None:
        return
    for kind, table, rows in (
        ("user", train.user_features, test.user_rows),
        ("item", train.item_features, test.item_rows),
    ):
        for name, column in feature_columns(table):
            if not is_time(column.type) or name in LIFE_SPAN:
                continue
            moments = pc.cast(pc.cast(column, pa.timestamp("us"), safe=False), pa.int64())
            filled = pc.fill_null(moments, np.iinfo(np.int64).min).to_numpy()
            if later := int((filled[rows] > test.times).sum()):
                yield leak(
                    f"the {kind} column {name!r} is later than the test interaction in "
                    f"{share(later, len(test))} cases",
                    "Values recorded after the interaction were not known at the time. Use the "
                    "features as they were then, or leave the column out.",
                )


def answer_in_features(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Find user columns that contain the id of the held-out item."""
    examined = slice(0, _ANSWERS)
    answers = [str(item) for item in train.items.take(test.item_rows[examined]).to_pylist()]
    users = pa.array(test.user_rows[examined])
    for name, column in feature_columns(train.user_features):
        cells = [_texts(cell) for cell in column.take(users).to_pylist()]
        hits = sum(answer in cell for answer, cell in zip(answers, cells, strict=True))
        # Hits by chance, estimated with the answers of the next user.
        shifted = answers[1:] + answers[:1]
        chance = sum(answer in cell for answer, cell in zip(shifted, cells, strict=True))
        if hits >= max(5, 0.01 * len(answers)) and hits > 3 * chance:
            yield leak(
                f"the user column {name!r} holds the id of the held-out item in "
                f"{share(hits, len(answers))} cases",
                "The features contain the answer. Leave the column out.",
            )


def _texts(cell: Any) -> set[str]:
    if isinstance(cell, list):
        return {str(element) for element in cell}
    return set() if cell is None else {str(cell)}


def outside_life_span(train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Find interactions with items that were not live."""
    spans = train.life_spans
    if spans is None or train.times is None or test.times is None:
        return
    outside = []
    for side, times in ((train, train.times), (test, test.times)):
        dead = (times < spans.starts[side.item_rows]) | (times >= spans.ends[side.item_rows])
        outside.append(side.item_rows[dead])
    if count := sum(map(len, outside)):
        items = train.items.take(np.unique(np.concatenate(outside))).to_pylist()
        yield warning(
            f"{share(count, len(train) + len(test))} interactions are with items outside their "
            f"valid_from and valid_to: {first_few(items)}",
            "The life spans or the times are wrong, or use different clocks. At the time of such "
            "an interaction the item is not a candidate.",
        )


CHECKS: dict[str, Check] = {
    "pairs in both training and test": shared_pairs,
    "training interactions later than the user's test interactions": own_future,
    "training interactions later than the test": others_future,
    "item columns that follow the number of interactions": interaction_counts,
    "features dated later than the test interaction": later_dates,
    "user columns that contain the held-out item": answer_in_features,
    "interactions outside an item's life span": outside_life_span,
}
"""The checks of this file, by description. Add a new one here."""
