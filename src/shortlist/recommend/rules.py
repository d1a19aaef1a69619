"""Which items may be listed: allow and deny lists, rules over item features, life spans."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shortlist.data.dataset import Dataset
from shortlist.data.moments import When, moment
from shortlist.data.rules.text import Rule
from shortlist.data.rules.where import Mask, Where, matches, parse_where
from shortlist.data.vocabulary import UNKNOWN, Id, Rows, plain
from shortlist.errors import ErrorCode, InputError


@dataclass(frozen=True)
class Rules:
    """Rules that narrow the catalogue, for one query or for all."""

    allow: Iterable[Id] | None = None
    deny: Iterable[Id] | None = None
    where: Where | None = None
    as_of: When | None = None
    rule: Rule | None = field(init=False, default=None)  # parsed from where

    def __post_init__(self) -> None:
        for name in ("allow", "deny"):  # read once: they may be iterators
            if (ids := getattr(self, name)) is not None:
                object.__setattr__(self, name, tuple(plain(ids)))
        if self.where is not None:
            object.__setattr__(self, "rule", parse_where(self.where))

    @property
    def empty(self) -> bool:
        """Whether every item passes."""
        return all(rule is None for rule in (self.allow, self.deny, self.where, self.as_of))

    @property
    def key(self) -> Hashable:
        """A key for dictionaries: rules with equal keys have equal masks."""
        return _typed((self.allow, self.deny, self.rule, self.as_of))

    def met(self, data: Dataset) -> Mask | None:
        """Return which items meet the rule over their features; None: there is no such rule.

        A rule that does not fit the features is an InputError.
        """  # (n_items,)
        return None if self.rule is None else matches(data.item_features, self.rule, self.where)

    def mask(self, data: Dataset, *, strict: bool = True, met: Mask | None = None) -> Mask:
        """Return which items of the catalogue pass; ``met`` is the result of :meth:`met`, if known.

        An unknown id in ``allow`` or ``deny`` is an error if ``strict``, else it is ignored.
        """  # (n_items,)
        passed = np.ones(data.n_items, dtype=bool)
        if self.allow is not None:
            passed[:] = False
            passed[_known(data, self.allow, strict)] = True
        if self.deny is not None:
            passed[_known(data, self.deny, strict)] = False
        if (met := self.met(data) if met is None else met) is not None:
            passed &= met
        if self.as_of is not None:
            if data.life_spans is None:
                raise InputError(
                    f"as_of={self.as_of!r}, and the items have no life span",
                    remedy="add valid_from or valid_to to the item table, or leave as_of out",
                    code=ErrorCode.NO_LIFE_SPANS,
                    parameter="as_of",
                )
            passed &= data.life_spans.live(moment(self.as_of))
        return passed


def _known(data: Dataset, ids: Iterable[Id], strict: bool) -> Rows:
    if strict:
        return data.items.require(ids)
    rows = data.items.rows(ids)
    known: Rows = rows[rows != UNKNOWN]
    return known


def _typed(value: Any) -> Hashable:
    """Make a value hashable, together with its type: 1, 1.0 and True are different values."""
    if isinstance(value, Mapping):
        return Mapping, tuple((name, _typed(entry)) for name, entry in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return type(value), tuple(_typed(entry) for entry in value)
    return type(value), value if isinstance(value, Hashable) else id(value)
