"""The test items of each user, checked against the training data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset, require_dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import ConfigError, InputError, NotFittedError
from shortlist.metrics.ranking import Int64Array
from shortlist.models.base import Model
from shortlist.models.registry import MODULES
from shortlist.scoring.selection import Eligible
from shortlist.scoring.sparse import csr_arrays
from shortlist.text import shown


def require_count(name: str, value: object, minimum: int = 1) -> None:
    """Raise a ConfigError if an argument is not a whole number from ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise ConfigError(
            f"{name}={value!r} is out of range: it is a whole number, {minimum} or more",
            remedy=f"pass for example {name}=10",
        )


def positive_integers(name: str, values: int | Iterable[int]) -> tuple[int, ...]:
    """Check an argument that is one positive integer or several; return them sorted and distinct.

    Examples
    --------
    >>> positive_integers("k", [20, 5, 5])
    (5, 20)
    """
    numbers = list(values) if isinstance(values, Iterable) else [values]
    for number in numbers:
        require_count(name, number)
    if not numbers:
        raise ConfigError(f"{name} is empty", remedy=f"pass for example {name}=10")
    return tuple(sorted({int(number) for number in numbers}))


def require_model(model: object) -> None:
    """Refuse what is not a model, such as its class or its name."""
    if isinstance(model, Model):
        return
    name = getattr(model, "__name__", model)
    example = name if name in MODULES else "EASE"
    raise InputError(f"{shown(model)} is not a model", remedy=f"pass a model, such as {example}()")


def require_fitted_on(model: Model[Any, Any], train: Dataset) -> None:
    """Refuse a model that was not fitted on exactly this training data.

    A model fitted on other data may have seen the test items, and its figures would be worthless.
    """
    require_model(model)
    if not model.is_fitted:
        raise NotFittedError(f"{model.name} is not fitted", remedy="call model.fit(train) first")
    if model.data_fingerprint != train.fingerprint:
        raise InputError(
            f"{model.name} was fitted on other data than this train, and may have seen the test "
            "items",
            where=f"fingerprints {model.data_fingerprint[:12]} and {train.fingerprint[:12]}",
            remedy="fit it on the train you evaluate with: model.fit(train)",
        )


@dataclass(frozen=True, eq=False)
class Block:
    """Some consecutive users of a :class:`Truth`."""

    users: slice  # of the users of the truth
    entries: slice  # of its test items
    user_rows: Rows  # (n_block,)
    indptr: Int64Array  # into item_rows, (n_block + 1,)
    item_rows: Rows
    eligible: Eligible  # the items that are neither seen nor out of their life span


@dataclass(frozen=True, eq=False)
class Truth:
    """The test users, in ascending order of row, and the test items of each."""

    train: Dataset  # the training data
    user_rows: Rows  # int32 (n_users,): users with at least one test item that counts
    # Test items: user ``u`` has ``item_rows[indptr[u] : indptr[u + 1]]``, ascending; int64 and
    # int32.
    indptr: Int64Array
    item_rows: Rows
    ratings: NDArray[np.float32]  # float32 (n_true,): the weights of those test interactions
    # The candidates of each user whatever the time: all items but those of the training data.
    unseen: Eligible
    # The earliest test time of each user, int64 (n_users,); None without life spans or times.
    moments: Int64Array | None
    notes: tuple[str, ...]  # test interactions that were left out, and other remarks for the reader

    @classmethod
    def of(cls, train: Dataset, test: Dataset) -> Truth:
        """Check a split and group its test side by user.

        If items have life spans and test interactions have times, each user is evaluated at the
        time of their earliest test interaction: candidates are the items live at that time, and
        other test items do not count. If there are no times, every item is a candidate and a note
        says so.
        """
        require_dataset(train)
        require_dataset(test)
        _require_split(train, test)
        kept = np.ones(test.n_interactions, dtype=bool)
        moments, notes = None, []
        spans = train.life_spans
        if spans is not None and spans.open:
            spans = None
        if spans is not None and test.times is None:
            notes.append("items have life spans but the test has no times: every item is eligible")
        elif spans is not None and test.times is not None:
            moments = np.full(train.n_users, np.iinfo(np.int64).max)
            np.minimum.at(moments, test.user_rows, test.times)
            moment = moments[test.user_rows]
            kept = (spans.starts[test.item_rows] <= moment) & (moment < spans.ends[test.item_rows])
            if not kept.all():
                notes.append(
                    f"test interactions left out: {(~kept).sum():,} of {len(kept):,}, the item was "
                    "not live at the user's first test time"
                )
            if not kept.any():
                raise InputError(
                    "no test item was live at its user's earliest test time",
                    where="item columns 'valid_from' and 'valid_to'",
                    remedy="check that life spans and interaction times use the same clock",
                )
        test = test.select(kept)
        users = np.flatnonzero(test.user_counts).astype(np.int32)
        seen = csr_arrays(train.excluded[users])
        return cls(
            train,
            users,
            *csr_arrays(test.matrix[users]),
            Eligible.excluding(seen.indptr, seen.indices, train.popularity_order),
            None if moments is None else moments[users],
            tuple(notes),
        )

    def block(self, of: range) -> Block:
        """Return some consecutive users."""
        users, indptr = slice(of.start, of.stop), self.indptr[of.start : of.stop + 1]
        entries = slice(int(indptr[0]), int(indptr[-1]))
        eligible = self.unseen.take(np.arange(of.start, of.stop))
        spans = self.train.life_spans
        if spans is not None and self.moments is not None:
            moments, mask_of = np.unique(self.moments[users], return_inverse=True)
            masks = np.stack([spans.live(int(moment)) for moment in moments])
            eligible = eligible._replace(masks=masks, mask_of=mask_of.astype(np.int32))
        rows = self.user_rows[users], indptr - indptr[0], self.item_rows[entries]
        return Block(users, entries, *rows, eligible)


def _require_split(train: Dataset, test: Dataset) -> None:
    for known, other in ((train.users, test.users), (train.items, test.items)):
        if not known.equals(other):
            raise InputError(
                f"train and test have different {known.kind} vocabularies ({len(known)} and "
                f"{len(other)} ids)",
                remedy="make them with shortlist.split, or join them: split.given(train, test)",
            )
    if test.n_interactions == 0:
        raise InputError("the test data has no interactions", remedy="hold out more of them")
    n_items = train.n_items
    in_train, in_test = train.cells, test.cells
    found = np.append(in_train, -1)[np.searchsorted(in_train, in_test)]  # both ascend
    shared = in_test[found == in_test]
    if len(shared):
        user, item = train.users.ids[shared[0] // n_items], train.items.ids[shared[0] % n_items]
        raise InputError(
            f"test interactions that are also in train: {len(shared):,} of "
            f"{test.n_interactions:,}, first user {user.as_py()!r} with item {item.as_py()!r}",
            remedy="a model is measured on interactions it has not seen: leave them out of one "
            "side",
        )
