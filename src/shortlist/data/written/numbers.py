"""Numbers as people write them: ``12,90 €``, ``3,500만원``, ``$85k``, and ranges: ``5-10 years``.

A text is a number where it has one number with an optional currency, multiplier and unit. The
texts of a column are numbers where they agree on the decimal mark, the currency and the unit, or
on units that convert. Multipliers are applied: ``$85k`` is 85,000 and ``3,500만원`` is 35,000,000.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from shortlist.data.written.units import Unit, joined, unit_named, unit_of

_CURRENCIES = {
    sign: name
    for name, signs in {
        "USD": "$ us$ usd dollar dollars 달러",
        "EUR": "€ eur euro euros 유로",
        "GBP": "£ gbp",
        "KRW": "₩ 원 krw won",
        "YEN": "¥ 円 엔 jpy",
        "CNY": "元 cny rmb",
        "INR": "₹ inr rs rs.",
        "CHF": "chf fr.",
        "KR": "kr kr. sek nok dkk",
        "PLN": "zł pln",
    }.items()
    for sign in signs.split()
}
_MULTIPLIERS = {
    "k": 1e3, "tsd": 1e3, "tsd.": 1e3, "thousand": 1e3, "천": 1e3, "千": 1e3,
    "만": 1e4, "万": 1e4, "萬": 1e4, "십만": 1e5, "백만": 1e6, "천만": 1e7,
    "十万": 1e5, "百万": 1e6, "千万": 1e7,
    "mio": 1e6, "mio.": 1e6, "mn": 1e6, "million": 1e6, "millions": 1e6,
    "억": 1e8, "億": 1e8, "亿": 1e8, "bn": 1e9, "mrd": 1e9, "mrd.": 1e9, "billion": 1e9,
}  # fmt: skip
_AFTER_CURRENCY = {"m": 1e6, "b": 1e9}  # $1.2m; 12 m is a length
MISSING = {
    "", "-", "--", "?", ".", "na", "n/a", "#n/a", "<na>", "nan", "null", "(null)", "none", "nil",
    "\\n",
}  # fmt: skip
_ZERO_YEARS = {"신입", "무경력", "fresher", "entry level", "entry-level"}
_MYRIAD = 1e4
_AT_MOST = ("이하", "미만", "이내", "以下", "未満", "以内", "or less", "max", "max.")
_YEARS = ("년", "year", "yr", "jahr", "año", "anno", "ann", "jaar")

SPACES = " \u00a0\u202f\u2009"
_DIGITS = rf"\d+(?:[.,'{SPACES}]\d+)*"
_CODE = r"{}[\]\"=<>|\\;_#@"  # in JSON, formulas and codes; not around numbers that people write
_WORDS = rf"[^\d+\-−{_CODE}]*"
_TEXT = re.compile(
    rf"(?P<before>{_WORDS})(?P<sign>[+\-−]?)(?P<inner>{_WORDS})(?P<digits>{_DIGITS})"
    rf"(?P<minus>[\-−](?!\S))?\s*(?P<after>[^\d{_CODE}]*)"
)
_IN_BRACKETS = re.compile(r"(?P<before>[^\d()]*)\((?P<number>[^()]*\d[^()]*)\)(?P<after>[^\d()]*)")
_AFTER = re.compile(r"(?P<word>[^\W\d_]+\.?|[^\w\s])\s*(?P<rest>.*)", re.DOTALL)
# The last group has three digits; the others have two in India: 12,00,000.
_WHOLE = r"0|[1-9]\d*|[1-9]\d{{,2}}([{group}]\d{{3}})+|[1-9]\d?([{group}]\d\d)+[{group}]\d{{3}}"
_LONGEST = 40  # characters of a text that is a number
_LARGEST_WHOLE = 2**53  # beyond it floats skip integers, so that different codes become equal
_MOST_BEFORE = 12  # characters before the number, besides a currency
_LEAST = 0.7  # share of the rows that are numbers; the rest are words such as "negotiable"

MIN, MAX = ".min", ".max"  # the ends of the names of the columns that a column of ranges becomes

_BETWEEN = re.compile(r"\s*(?:[~〜～–—-]|\bto\b|\bbis\b)\s*")
_END = re.compile(r"(?P<before>\D*)(?P<digits>\d(?:.*\d)?)(?P<after>\D*)")


class _Parts(NamedTuple):
    digits: str  # with its marks and its sign
    scale: float
    currency: str  # "" if there is none
    before: str  # the words before and after, in lower case
    unit: str
    below_zero: str = ""  # "-" after the digits or "()" around them, as accounts write it


class NumberForm(NamedTuple):
    """How the texts of a column write numbers: the decimal mark, and words that mean no number.

    The numbers have the unit, which is "" where units do not convert, and the currency, if any.
    """

    decimal: str
    years: bool
    unit: str = ""
    currency: str = ""


def read_number(text: str, form: NumberForm | None = None) -> float | None:
    """Return the number that a text writes; None if it is not a number.

    With a form, it has the unit of the form, and is None where its unit or its currency is another.
    Without one, a comma or a point is the mark before the fraction unless three digits follow it; a
    point with three digits is one where there is no currency.

    >>> read_number("12,90 €"), read_number("3,500만원"), read_number("$85k"), read_number("3 of 5")
    (12.9, 35000000.0, 85000.0, None)
    """
    if (form is None or form.years) and text.strip().lower() in _ZERO_YEARS:
        return 0.0
    if (parts := _parts(text)) is None:
        return None
    return _value(parts, _decimal_mark([parts])) if form is None else _in_form(parts, form)


def given_number(text: str, unit: str = "", currency: str = "") -> int | float | None:
    """Return the number that a text in a query or a rule writes; None for plain digits.

    Text of digits beside numbers is a mistake or a code. The number has the unit of the column.

    >>> given_number("$85k"), given_number("2.253,93"), given_number("1999"), given_number("old")
    (85000, 2253.93, None, None)
    >>> given_number("1년 6개월", "months"), given_number("6개월", "years")
    (18, 0.5)
    >>> given_number("$5", currency="EUR")
    """
    parts = _parts(text)
    if parts is None:
        return 0 if text.strip().lower() in _ZERO_YEARS else None
    number = _in_form(parts, NumberForm(_decimal_mark([parts]), False, unit, currency))
    if number is None or not _is_written(parts):
        return None
    return int(number) if number == int(number) else number


def read_range(text: str) -> tuple[str, str] | None:
    """Return the two ends of a range as texts, each with its unit; None if it is not a range.

    >>> read_range("3,000~4,000만원"), read_range("$85-105k"), read_range("6개월~2년")
    (('3,000만원', '4,000만원'), ('$85k', '$105k'), ('6개월', '2년'))
    """
    text = text.strip()
    if len(text) > 2 * _LONGEST:
        return None
    parts = _BETWEEN.split(text)
    low, high = map(_END.fullmatch, (parts[0], parts[-1]))
    if len(parts) != 2 or low is None or high is None:
        return None
    below, above = (end["after"].strip().lower() for end in (low, high))
    if below in ("", above):
        if not below and any(map(str.isalpha, high["digits"])):
            return None  # 1~1억 5천만원: in which unit is the first?
        before = low["before"] or high["before"]
        first, last = (
            f"{end['before'] or before}{end['digits']}{high['after']}" for end in (low, high)
        )
    else:
        first, last = parts
    return (first, last) if _rises(first, last, below == above) else None


def _rises(first: str, last: str, alike: bool) -> bool:
    """Return whether two numbers have a unit or a currency in common, and are in order."""
    low, high = _parts(first), _parts(last)
    if low is None or high is None or not (_is_written(low) and _is_written(high)):
        return False
    unit = _common_unit([low, high])
    if not alike and unit is None:
        complete = low.currency or low.scale >= _MYRIAD  # 3천~4천만원 may be 3천만~4천만원
        if not complete or not high.currency or low.unit != high.unit:
            return False
    form = NumberForm(_decimal_mark([low, high]), False, unit.name if unit else "", high.currency)
    start, end = _in_form(low, form), _in_form(high, form)
    return start is not None and end is not None and start <= end


def ends_of(text: str) -> tuple[str, str]:
    """Return the two ends of a range; those of any other text are the text itself."""
    return read_range(text) or (text, text)


def says_missing(text: str) -> bool:
    """Return whether a text is blank, or a word for a missing value, such as NA or NULL."""
    return text.strip().lower() in MISSING


def form_of_numbers(
    counts: Mapping[str, int], decimal: str | None = None, *, plain: bool = False
) -> NumberForm | None:
    """Return how a column writes numbers, by its distinct texts and their counts; or None.

    It is a column of numbers if most rows are, the rest hold no digit, and all agree on the
    decimal mark, the currency and the unit. Units that convert, such as years and months, become
    the smallest of them. Rows that say that a value is missing do not count. Plain numbers alone
    are left as they are, as text of digits may be codes; with ``plain`` they are read where the
    rest is missing. ``decimal`` is the mark, if it is known.
    """
    rows = read = 0
    found: list[_Parts] = []
    zeros = 0
    for text, count in counts.items():
        if says_missing(text):
            continue
        rows += count
        parts = _parts(text)
        if parts is not None:
            found.append(parts)
            read += count
        elif any(map(str.isdigit, text)):
            return None
        elif text.strip().lower() in _ZERO_YEARS:
            zeros += count
    if not found:
        return None
    unit = _common_unit(found)
    years = unit.family == "months" if unit else all(p.unit.startswith(_YEARS) for p in found)
    read += zeros if years else 0
    plain = plain and read == rows
    if read < _LEAST * rows or not _agree(found, unit, plain) or _may_be_myriads(counts):
        return None
    mark = _decimal_mark(found) if decimal is None else decimal
    currency = max(parts.currency for parts in found)
    form = NumberForm(mark, years, unit.name if unit else "", currency)
    return None if any(_in_form(parts, form) is None for parts in found) else form


def is_converted(text: str, form: NumberForm) -> bool:
    """Return whether a number has several parts, or another unit than its column."""
    parts = _parts(text)
    if parts is None:
        return False
    unit = unit_of(parts.unit)[0]
    return joined(text) != text or (unit is not None and unit.name != form.unit)


def clashing_numbers(texts: Iterable[str]) -> tuple[str, ...]:
    """Return two numbers whose currencies, units or words differ, or one that cannot be read.

    Nothing, unless most of the texts are numbers with a currency or with a unit that is known.

    >>> clashing_numbers(["연봉 3,500만원", "월급 280만원"]), clashing_numbers(["12 Main", "3 Elm"])
    (('연봉 3,500만원', '월급 280만원'), ())
    """
    parts = {text: _parts(text) for text in texts}
    kinds = {
        text: (found.currency, unit.family if unit else "", found.before)
        for text, found in parts.items()
        if found is not None and ((unit := unit_of(found.unit)[0]) or found.currency)
    }
    if not kinds or len(kinds) < _LEAST * len(parts):
        return ()
    first, kind = next(iter(kinds.items()))
    others = [text for text in parts if kinds.get(text) != kind]
    return (first, others[0]) if others else ()


def _common_unit(found: Sequence[_Parts]) -> Unit | None:
    """Return the smallest unit of numbers if their units convert."""
    units = [unit_of(parts.unit)[0] for parts in found]
    known = [unit for unit in units if unit is not None]
    if len(known) < len(units) or len({unit.family for unit in known}) > 1:
        return None
    return min(known, key=lambda unit: unit.size)


def _in_form(parts: _Parts, form: NumberForm) -> float | None:
    """Return the value in the unit of a form; None if it has another unit or currency."""
    value, wanted = _value(parts, form.decimal), unit_named(form.unit)
    if parts.currency and form.currency and parts.currency != form.currency:
        return None
    own = unit_of(parts.unit)[0]
    if value is None or wanted is None or own is None:
        return value
    return value * own.size / wanted.size if own.family == wanted.family else None


def _may_be_myriads(counts: Iterable[str]) -> bool:
    """Return whether 4천, beside 3천만, may mean 4천만."""
    texts = [text.rstrip() for text in counts]
    return any(text.endswith("천") for text in texts) and any("만" in text for text in texts)


def _parts(text: str) -> _Parts | None:
    """Split a text around its number; None if it holds none, or more than one."""
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    if (inside := _IN_BRACKETS.fullmatch(text)) is not None:
        parts = _parts("".join(inside.groups()))
        if parts is not None and not parts.before and parts.unit in ("", "%"):
            return _below_zero(parts, "()")
    match = _TEXT.fullmatch(joined(text))
    if match is None:
        return None
    words = f"{match['before']} {match['inner']}".lower().split()
    currency, before = _currency_before(" ".join(words))
    scale, unit = 1.0, match["after"].strip().lower()
    while (following := _AFTER.fullmatch(unit)) is not None:
        name, rest = str(following["word"]), str(following["rest"])
        scaled, other = _scaled(name, currency)
        if scaled is not None and scale == 1.0:
            scale, unit = scaled, f"{other}{rest}" if other else rest
        elif (found := _CURRENCIES.get(name) or _CURRENCIES.get(name.rstrip("."))) is not None:
            if currency not in ("", found):
                return None
            currency, unit = found, rest
        else:
            break
    if unit in ("-", "−"):
        return None  # 12 -: a sign, or a range without its end
    if before and (len(before) > _MOST_BEFORE or not (unit or currency)):
        return None
    digits = f"{match['sign'].replace('−', '-')}{match['digits']}"
    parts = _Parts(digits, scale, currency, before, unit)
    return _below_zero(parts, "-") if match["minus"] else parts


def _below_zero(parts: _Parts, mark: str) -> _Parts | None:
    """Return the negative of an amount; None if it is none: 3- is a grade, and (12) a count."""
    if parts.below_zero or parts.digits[0] in "+-" or not (parts.currency or _has_mark(parts)):
        return None
    return parts._replace(digits=f"-{parts.digits}", below_zero=mark)


def _has_mark(parts: _Parts) -> bool:
    return not parts.digits.lstrip("+-").isdecimal()


def _currency_before(words: str) -> tuple[str, str]:
    """Return the currency at the end of the words before a number, and the other words."""
    for sign in sorted(_CURRENCIES, key=len, reverse=True):
        if words.endswith(sign):
            rest = words.removesuffix(sign)
            if not (sign[0].isalpha() and rest and rest[-1].isalpha()):
                return _CURRENCIES[sign], rest.strip()
    return "", words


def _scaled(name: str, currency: str) -> tuple[float | None, str]:
    """Return the multiplier that a word is or begins with, and the rest of the word."""
    if name in _MULTIPLIERS:
        return _MULTIPLIERS[name], ""
    if currency and name in _AFTER_CURRENCY:
        return _AFTER_CURRENCY[name], ""
    for length in (2, 1):  # Korean, Japanese and Chinese join words: 만원
        head, rest = name[:length], name[length:]
        if rest in _CURRENCIES and head in _MULTIPLIERS:
            return _MULTIPLIERS[head], rest
        if not name.isascii() and rest.isalpha() and head in _MULTIPLIERS and not head.isascii():
            return (_MULTIPLIERS[head], rest) if rest[0] == "원" else (None, "")
    return None, ""


def _agree(found: Sequence[_Parts], unit: Unit | None, plain: bool) -> bool:
    """Return whether numbers have one unit and one currency, and need to be read at all."""
    if not (plain or any(_is_written(parts) for parts in found)):
        return False
    if all(parts.below_zero == "()" for parts in found):
        return False  # only beside other numbers, (4.5) is certainly -4.5
    currencies = {parts.currency for parts in found}
    if len(currencies - {""}) > 1 or len({parts.before for parts in found}) > 1:
        return False
    scaled = any(parts.scale != 1 for parts in found)
    if scaled and any(parts.scale == 1 and not parts.currency for parts in found):
        return False  # does 30 beside 85k mean 30 or 30,000?
    words = {unit_of(parts.unit)[1] if unit else parts.unit for parts in found}
    if len(words) == 1:
        return True
    least, *others = sorted(words, key=len)
    if (not least and unit is None) or {*map(_is_bound, words)} == {True, False}:
        return False
    short = all(word.startswith(least) and len(word) - len(least) < 4 for word in others)
    return short and (unit is not None or len(least) > 2)


def _is_bound(words: str) -> bool:
    """Return whether words after a number say that it is the most."""
    return words.endswith(_AT_MOST)


def _is_written(parts: _Parts) -> bool:
    """Return whether more than plain digits is written."""
    more = parts.currency or parts.unit or parts.scale != 1 or parts.below_zero
    return bool(more) or not re.fullmatch(r"[+-]?\d+(\.\d+)?", parts.digits)


def _decimal_mark(found: Iterable[_Parts]) -> str:
    """Return the mark before the fraction: the last of two marks, or one that groups no thousands.

    Where all numbers have three digits after a single mark, a comma groups thousands, and a point
    does where there is a currency.
    """
    point_groups = False
    for parts in found:
        number = parts.digits.lstrip("+-")
        marks = [mark for mark in number if mark in ",."]
        if len({*marks}) == 2:
            return marks[-1]
        if not marks:
            continue
        pieces = number.split(marks[0])
        grouped = len(marks) > 1 or (
            len(pieces[1]) == 3 and re.fullmatch(r"[1-9]\d{,2}", pieces[0])
        )
        if not grouped:
            return marks[0]
        point_groups |= marks[0] == "." and (len(marks) > 1 or bool(parts.currency))
    return "," if point_groups else "."


def _value(parts: _Parts, mark: str) -> float | None:
    number = _value_of(parts.digits, mark)
    return None if number is None else number * parts.scale


def _value_of(digits: str, mark: str) -> float | None:
    """Return the value of digits; None if their marks separate no thousands, or for a code."""
    group = "," if mark == "." else "."
    whole, _, fraction = digits.lstrip("+-").partition(mark)
    bare = re.sub(rf"[{SPACES}']", group, whole)
    if not re.fullmatch(_WHOLE.format(group=group), bare):
        return None
    if fraction and not fraction.isdecimal():
        return None
    if float(bare.replace(group, "")) > _LARGEST_WHOLE:
        return None
    sign = -1.0 if digits[0] == "-" else 1.0
    return sign * float(f"{bare.replace(group, '')}.{fraction or '0'}")
