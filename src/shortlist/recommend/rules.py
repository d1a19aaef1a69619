"""Which items may be listed: allow and deny lists, rules over item features, life spans."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.moments import When, moment
from shortlist.data.vocabulary import UNKNOWN, Id, Rows
from shortlist.errors import InputError, suggestion

Where: TypeAlias = Mapping[str, Any] | str
"""``{"year": {"gte": 1990}, "genres": {"contains": "Drama"}}``, or the same in words:
``"year >= 1990 and genres contains Drama"``. All conditions must hold; a missing value meets none
but ``is_null``. Operators: eq (or just the value), ne, lt, lte, gt, gte, in (or a list of values),
not_in, contains (an element of a list, a part of a text), is_null (true or false)."""

Mask: TypeAlias = NDArray[np.bool_]

_COMPARE = {
    "eq": pc.equal,
    "ne": pc.not_equal,
    "lt": pc.less,
    "lte": pc.less_equal,
    "gt": pc.greater,
    "gte": pc.greater_equal,
}
_OPERATORS = (*_COMPARE, "in", "not_in", "contains", "is_null")
_WORDS = {"=": "eq", "==": "eq", "!=": "ne", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_CONDITION = re.compile(
    r"""\s*(?P<name>\w+)\s*(?P<operator>==|!=|<=|>=|=|<|>|\bcontains\b|\bnot_in\b|\bin\b|\bis_null\b)
        \s*(?P<value>"[^"]*"|'[^']*'|\[[^]]*\]|.+?)\s*(?:\band\b|$)""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Rules:
    """What narrows the catalogue for one query or for all.

    Examples
    --------
    >>> table = pa.table({"user_id": [1, 1], "item_id": [7, 8]})
    >>> films = pa.table({"item_id": [7, 8], "year": [1987, 1999]})
    >>> data = Dataset.from_tables(table, items=films)
    >>> Rules(where="year >= 1990").mask(data)
    array([False,  True])
    """

    allow: Iterable[Id] | None = None
    deny: Iterable[Id] | None = None
    where: Where | None = None
    as_of: When | None = None

    @property
    def empty(self) -> bool:
        """Whether every item passes."""
        return all(one is None for one in (self.allow, self.deny, self.where, self.as_of))

    def mask(self, data: Dataset, *, strict: bool = True) -> Mask:
        """Say which items of the catalogue pass.

        Parameters
        ----------
        data
            Whose catalogue and item features.
        strict
            Whether an unknown id in ``allow`` or ``deny`` is an error; otherwise it is left out.
        """  # (n_items,)
        passed = np.ones(data.n_items, dtype=bool)
        if self.allow is not None:
            passed[:] = False
            passed[_known(data, self.allow, strict)] = True
        if self.deny is not None:
            passed[_known(data, self.deny, strict)] = False
        if self.where is not None:
            passed &= _matches(data.item_features, self.where)
        if self.as_of is not None:
            if data.life_spans is None:
                raise InputError(
                    f"as_of={self.as_of!r}, and the items have no life span",
                    remedy="add valid_from or valid_to to the item table, or leave as_of out",
                )
            passed &= data.life_spans.live(moment(self.as_of))
        return passed


def _known(data: Dataset, ids: Iterable[Id], strict: bool) -> Rows:
    if strict:
        return data.items.require(ids)
    rows = data.items.rows(ids)
    known: Rows = rows[rows != UNKNOWN]
    return known


def parse_where(where: Where) -> dict[str, dict[str, Any]]:
    """Bring a rule into the form ``{column: {operator: value}}``.

    Examples
    --------
    >>> parse_where("year >= 1990 and genres contains Drama")
    {'year': {'gte': 1990}, 'genres': {'contains': 'Drama'}}
    >>> parse_where({"year": 1990, "country": ["FR", "KR"]})
    {'year': {'eq': 1990}, 'country': {'in': ['FR', 'KR']}}
    """
    conditions: dict[str, dict[str, Any]] = {}
    if isinstance(where, str):
        position = 0
        while position < len(where):
            found = _CONDITION.match(where, position)
            if not found:
                raise InputError(
                    f"cannot read the rule {where!r} from {where[position:]!r} on",
                    remedy="write it like: year >= 1990 and genres contains Drama",
                )
            operator = _WORDS.get(found["operator"], found["operator"])
            conditions.setdefault(found["name"], {})[operator] = _literal(found["value"])
            position = found.end()
        return conditions
    for name, condition in where.items():
        if isinstance(condition, Mapping):
            conditions[name] = dict(condition)
        elif isinstance(condition, list | tuple | set):
            conditions[name] = {"in": list(condition)}
        else:
            conditions[name] = {"eq": condition}
    return conditions


def _literal(text: str) -> Any:
    """Read a number, true, false, a list or a quoted text; anything else is plain text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text.strip("'\"")


def _matches(items: pa.Table | None, where: Where) -> Mask:
    if items is None:
        raise InputError(f"a rule {where!r}, and the items have no features")
    passed = np.ones(items.num_rows, dtype=bool)
    for name, condition in parse_where(where).items():
        if name not in items.column_names:
            raise InputError(
                f"items have no feature {name!r}",
                where=f"where={where!r}",
                remedy=suggestion(name, items.column_names),
            )
        for operator, value in condition.items():
            if operator not in _OPERATORS:
                raise InputError(
                    f"no operator {operator!r}",
                    where=f"where={where!r}",
                    remedy=suggestion(operator, _OPERATORS),
                )
            column = items.column(name).combine_chunks()
            try:
                met = _meets(column, operator, value)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, ValueError):
                raise InputError(
                    f"{operator!r} cannot compare {value!r} with feature {name!r}, "
                    f"which is {column.type}",
                    where=f"where={where!r}",
                    remedy=f"give a value of type {column.type}",
                ) from None
            passed &= pc.fill_null(met, False).to_numpy(zero_copy_only=False)
    return passed


def _meets(column: pa.Array, operator: str, value: Any) -> pa.Array:
    if operator == "is_null":
        return pc.equal(pc.is_null(column), bool(value))
    if operator == "contains":
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            return _has_element(column, value)
        return pc.match_substring(column, str(value))
    if operator in ("in", "not_in"):
        found = pc.is_in(column, pa.array(list(value), column.type))
        found = found if operator == "in" else pc.invert(found)
        return pc.if_else(pc.is_valid(column), found, None)
    wanted = _scalar(value, column.type)
    return _COMPARE[operator](column, wanted)


def _scalar(value: Any, kind: pa.DataType) -> pa.Scalar:
    """Give the value in the type of the column; text becomes a date, 1990.5 stays a float."""
    if pa.types.is_temporal(kind):
        return pc.cast(pa.scalar(moment(value), pa.timestamp("us")), kind)
    if isinstance(value, float) and pa.types.is_integer(kind):
        return pa.scalar(value)
    if isinstance(value, str) and not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise ValueError(value)
    return pa.scalar(value, kind)


def _has_element(lists: pa.Array, value: Any) -> pa.Array:
    """Say which lists contain a value."""
    elements = pc.list_flatten(lists)
    hits = pc.filter(
        pc.list_parent_indices(lists), pc.equal(elements, _scalar(value, elements.type))
    )
    found = np.zeros(len(lists), dtype=bool)
    found[hits.to_numpy(zero_copy_only=False)] = True
    return pa.array(found)
