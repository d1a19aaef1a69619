"""Rules over the columns of a table: parsed from a text or a mapping, evaluated on every row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_FLOOR, Context, Decimal
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.data.arrow_types import is_list, is_number, is_text, is_time
from shortlist.data.moments import DAY, moment
from shortlist.data.rules.given_values import given_value, is_missing
from shortlist.data.rules.text import Combination, Condition, Rule, read_rule
from shortlist.data.written.number_units import unit_and_currency
from shortlist.errors import ErrorCode, InputError, suggestion
from shortlist.text import shown

Where: TypeAlias = Mapping[str, Any] | str
"""``{"year": {"gte": 1990}, "genres": {"contains": "Drama"}}``, or the same as text:
``"year >= 1990 and genres contains Drama"``. All conditions of a mapping must hold; a text may
also have ``or`` and brackets. A missing value only meets ``is_null``. Operators: eq (or just the
value), ne, lt, lte, gt, gte, in (or a list of values), not_in, contains (an element of a list, or a
part of a text), is_null (true or false)."""

Mask: TypeAlias = NDArray[np.bool_]

_COMPARE = {
    "eq": pc.equal,
    "ne": pc.not_equal,
    "lt": pc.less,
    "lte": pc.less_equal,
    "gt": pc.greater,
    "gte": pc.greater_equal,
}
_ORDERS = ("lt", "lte", "gt", "gte")
_OPERATORS = (*_COMPARE, "in", "not_in", "contains", "is_null")
_REMEDIES = {
    "is_null": "give true or false",
    "in": "give a list of values of type {kind}",
    "not_in": "give a list of values of type {kind}",
    "contains": "use contains only with a feature of lists or of texts",
}
# What follows a time of day, where it is not UTC: an offset, the name of a zone, or AM or PM.
_ZONE = r"[0-9][T ][0-9]{2}:?[0-9]{2}[0-9:.,]*\s*(?P<zone>[^0-9:.,\sZ].*)$"
_EXACT = Context(prec=200, rounding=ROUND_FLOOR)  # more digits than any type holds
_MICROSECONDS = {  # per unit of a type of times
    "ns": Decimal("0.001"),
    "us": Decimal(1),
    "ms": Decimal(1_000),
    "s": Decimal(1_000_000),
    "day": Decimal(DAY),
}
_OTHER_REMEDY = "give a value of type {kind}; is_null finds what is missing"
_LIST_REMEDY = "use contains, with a value of type {kind}; is_null finds what is missing"


def parse_where(where: Where) -> Rule:
    """Parse a rule; an InputError if it is not one.

    >>> parse_where({"year": {"gte": 1990}})
    Condition(name='year', operator='gte', value=1990)
    """
    if isinstance(where, str):
        return read_rule(where)
    if not isinstance(where, Mapping):
        raise InputError(
            f"where={shown(where)} is not a rule",
            remedy="pass a text, or a mapping from feature to value, list or {operator: value}",
        )
    conditions = []
    for name, value in where.items():
        if isinstance(value, Mapping):
            conditions += [Condition(name, *comparison) for comparison in value.items()]
        elif isinstance(value, Iterable) and not isinstance(value, str):
            conditions.append(Condition(name, "in", list(value)))
        else:
            conditions.append(Condition(name, "eq", value))
    return conditions[0] if len(conditions) == 1 else Combination(False, tuple(conditions))


def columns_of(rule: Rule) -> list[str]:
    """Return the distinct names of the columns that a rule compares, in their order.

    >>> columns_of(parse_where("year >= 1990 and (genres contains War or year is null)"))
    ['year', 'genres']
    """
    if isinstance(rule, Condition):
        return [str(rule.name)]
    return list(dict.fromkeys(name for part in rule.rules for name in columns_of(part)))


def compares_order(rule: Rule) -> bool:
    """Return whether a rule compares columns only by ``<``, ``<=``, ``>`` and ``>=``.

    >>> compares_order(parse_where("year >= 1990")), compares_order(parse_where("year = 1990"))
    (True, False)
    """
    if isinstance(rule, Condition):
        return rule.operator in _ORDERS
    return bool(rule.rules) and all(map(compares_order, rule.rules))


def matches(
    items: pa.Table | None,
    rule: Rule,
    where: Where | None,
    kind: Literal["item", "user", "interaction"] = "item",
    argument: str = "where",
) -> Mask:
    """Return which rows meet a rule; ``where`` is what the caller wrote as ``argument``.

    An InputError if they have no such feature, there is no such operator, or the value has another
    type than the feature.
    """  # (n_items,)
    if items is None:
        raise InputError(
            f"the {kind}s have no features, and there is a rule: where={shown(where)}",
            remedy=f"give Dataset.from_tables {'an' if kind == 'item' else 'a'} {kind}s table, "
            "or leave where out",
            code=ErrorCode.NO_ITEM_FEATURES if kind == "item" else ErrorCode.NO_USER_FEATURES,
            parameter="where",
        )
    if isinstance(rule, Combination):
        join = np.logical_or if rule.any_of else np.logical_and
        passed = np.full(items.num_rows, not rule.any_of)
        for part in rule.rules:
            join(passed, matches(items, part, where, kind, argument), out=passed)
        return passed
    name, operator, value = rule
    if name not in items.column_names:
        raise InputError(
            f"{kind}s have no feature {shown(name)}",
            where=f"{argument}={shown(where)}",
            remedy=suggestion(str(name), items.column_names),
            code=ErrorCode.UNKNOWN_FEATURE,
            parameter=argument,
            allowed=items.column_names,
        )
    if operator not in _OPERATORS:
        raise InputError(
            f"no operator {shown(operator)}",
            where=f"{argument}={shown(where)}",
            remedy=suggestion(str(operator), _OPERATORS),
        )
    column = items.column(name).combine_chunks()
    if operator in _ORDERS and (example := _out_of_order(column, value)) is not None:
        raise InputError(
            f"{shown(operator)} compares texts letter by letter, so it cannot tell whether "
            f"{shown(example)} of feature {name!r} comes before {shown(value)}",
            where=f"{argument}={shown(where)}",
            remedy=f"give {name!r} as numbers or dates, and None where it is neither; or write all "
            "dates like 2024-12-31, and all times in one zone",
        )
    try:
        values = _distinct(value) if operator in ("in", "not_in") else value
        met = _meets(_comparable(column), operator, _in_unit(values, items, name))
    except (TypeError, ValueError, ArithmeticError, NotImplementedError, pa.ArrowException):
        unit = str(unit_and_currency(items, name))
        held = f"a list of {column.type.value_type}" if is_list(column.type) else column.type
        raise InputError(
            f"{shown(operator)} cannot compare {shown(value)} with feature {name!r}, "
            f"which is {held}{f', in {unit}' if unit else ''}",
            where=f"{argument}={shown(where)}",
            remedy=_remedy(operator, value, column.type),
        ) from None
    mask: Mask = pc.fill_null(met, False).to_numpy(zero_copy_only=False)
    return mask


def _remedy(operator: str, value: Any, kind: pa.DataType) -> str:
    """Return what to do where an operator cannot compare a value with a column of a type."""
    remedy = _REMEDIES.get(operator, _OTHER_REMEDY)
    if is_list(kind) and operator != "is_null":
        kind, remedy = kind.value_type, _OTHER_REMEDY if operator == "contains" else _LIST_REMEDY
        if operator == "contains" and is_text(kind) and type(value) in (int, float):
            return f'give a text: contains "{value}"'
    elif is_text(kind) and operator == "contains":
        remedy = _OTHER_REMEDY
    return remedy.format(kind=kind)


def _distinct(values: Any) -> list[Any]:
    """Return the distinct values of a list; those of different types, as 1 and True, differ."""
    if isinstance(values, str):
        raise TypeError(values)
    return list({(type(value), value): value for value in values}.values())


def _in_unit(value: Any, features: pa.Table, name: str) -> Any:
    """Return texts of numbers as numbers in the unit of a column, as far as they can be read so."""
    if not is_number(features.schema.field(name).type):
        return value
    if isinstance(value, list | tuple):
        return [_in_unit(part, features, name) for part in value]
    return given_value(value, features, name)


def _out_of_order(column: pa.Array, value: Any) -> str | None:
    """Return a text that may be out of order beside a number or date; None: they are in order.

    Letter by letter is the order of numbers and dates where all have their digits at the same
    places, a date begins with the year, and all times have the same zone. A word among them, such
    as NA, has no place in their order.
    """
    if not is_text(column.type) or not isinstance(value, str) or not re.match("[-+.]?[0-9]", value):
        return None
    texts = pc.drop_null(pc.unique(column))
    form = re.sub("[0-9]", "0", value)
    if re.match(r"00?[^0]|[^0]", form):
        return str(texts[0]) if len(texts) else None
    forms = pc.replace_substring_regex(texts, "[0-9]", "0")
    for other in pc.unique(forms).to_pylist():
        shorter, longer = sorted((form, other), key=len)
        # 2024-12-31 and 2024-12-31 18:00 are in order, but not 99 and 100.
        if not shorter or not longer.startswith(shorter) or longer[len(shorter) :].startswith("0"):
            return str(texts[pc.index(forms, other).as_py()])
    zone = re.search(_ZONE, value)
    zones = pc.fill_null(pc.struct_field(pc.extract_regex(texts, _ZONE), "zone"), "")
    other_zone = pc.index(pc.not_equal(zones, zone["zone"] if zone else ""), True).as_py()
    return None if other_zone < 0 else str(texts[other_zone])


def _comparable(column: pa.Array) -> pa.Array:
    """Return a column whose NaN are missing, and whose -0 are 0."""
    if pa.types.is_floating(column.type):
        column = pc.add(column, pa.scalar(0.0, column.type))  # a set tells -0 from 0
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column


def _meets(column: pa.Array, operator: str, value: Any) -> pa.Array:
    if operator == "is_null":
        if not isinstance(value, bool):
            raise TypeError(value)
        return pc.equal(pc.is_null(column), value)
    if operator == "contains":
        if is_list(column.type):
            return _has_element(column, value)
        if value is None:
            raise TypeError(value)
        return pc.match_substring(column, str(value))
    if operator in ("in", "not_in"):
        places = [_placed(part, column.type) for part in value]
        members = pa.array([held for held, beyond in places if not beyond], column.type)
        listed = pc.is_in(column, members)
        met = listed if operator == "in" else pc.invert(listed)
        return pc.if_else(pc.is_valid(column), met, None)
    return _compared(column, operator, value)


def _compared(column: pa.Array, operator: str, value: Any) -> pa.Array:
    """Compare a column with a value, also with one that its type cannot hold: 1.5 or 300."""
    held, beyond = _placed(value, column.type)
    if beyond and operator in ("eq", "ne"):
        return pc.if_else(pc.is_valid(column), operator == "ne", None)
    if beyond and operator in ("lt", "lte"):
        operator = "lte" if beyond > 0 else "lt"
    elif beyond:
        operator = "gt" if beyond > 0 else "gte"
    return _COMPARE[operator](column, held)


def _placed(value: Any, kind: pa.DataType) -> tuple[pa.Scalar, int]:
    """Return the next value that a type holds, and on which side of it a given value lies.

    0: they are equal. 1: the given value lies above, and no value of the type between them. -1: it
    lies below all values of the type. Text becomes a date; a fraction becomes the nearest one of
    floating point.
    """
    if is_missing(value) or (isinstance(value, str) and not (is_time(kind) or is_text(kind))):
        raise TypeError(value)
    if not (is_number(kind) or is_time(kind)):
        return pa.scalar(value, kind), 0
    if isinstance(value, bool):
        raise TypeError(value)
    if is_time(kind):
        number = _EXACT.divide(Decimal(moment(value)), _MICROSECONDS[_unit(kind)])
    else:
        number = _number(value)
    if pa.types.is_floating(kind) and number.is_infinite():
        return pa.scalar(float(number), kind), 0
    least, most = _limits(kind)
    next_to = max(least, min(number, most))
    if not pa.types.is_floating(kind):
        step = Decimal(f"1E{-kind.scale}") if pa.types.is_decimal(kind) else Decimal(1)
        next_to = next_to.quantize(step, context=_EXACT)
    return _held(next_to, kind), (number > next_to) - (number < next_to)


def _number(value: Any) -> Decimal:
    """Return a number exactly, and a fraction of floating point as it is written: 0.1."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, Integral):
        return Decimal(int(value))
    if isinstance(value, Real):
        return Decimal(str(float(value)))
    raise TypeError(value)


def _unit(kind: pa.DataType) -> str:
    """Return the unit in which a type of times counts."""
    return str(getattr(kind, "unit", "day" if pa.types.is_date32(kind) else "ms"))


@lru_cache
def _limits(kind: pa.DataType) -> tuple[Decimal, Decimal]:
    """Return the least and the greatest finite number that a type of numbers or times holds."""
    if pa.types.is_decimal(kind):
        most = Decimal(f"{10**kind.precision - 1}E{-kind.scale}")
        return most.copy_negate(), most
    if pa.types.is_floating(kind):
        info: np.finfo[Any] | np.iinfo[Any] = np.finfo(kind.to_pandas_dtype())
    else:
        sign = "u" if pa.types.is_unsigned_integer(kind) else "i"
        info = np.iinfo(f"{sign}{kind.bit_width // 8}")
    return Decimal(int(info.min)), Decimal(int(info.max))


def _held(number: Decimal, kind: pa.DataType) -> pa.Scalar:
    """Return a number that a type holds as its value; of times, as a count of their unit."""
    if pa.types.is_decimal(kind):
        return pa.scalar(number, kind)
    if is_time(kind):
        counts = pa.array([int(number)], pa.int32() if kind.bit_width == 32 else pa.int64())
        return counts.view(kind)[0]
    return pa.scalar(float(number) + 0.0 if pa.types.is_floating(kind) else int(number), kind)


def _has_element(lists: pa.Array, value: Any) -> pa.Array:
    """Return which lists contain a value."""
    elements = _comparable(pc.list_flatten(lists))
    equal = _compared(elements, "eq", value)
    hits = pc.filter(pc.list_parent_indices(lists), equal)
    contains = np.zeros(len(lists), dtype=bool)
    contains[hits.to_numpy(zero_copy_only=False)] = True
    return pa.array(contains)
