"""Units of numbers: those that convert into each other, and numbers of several parts.

``3년 6개월`` is 42 months, ``3천5백만원`` is 35,000,000 won, ``1h 30m`` is 90 minutes. Units of one
family, such as years and months, convert exactly; days and months do not.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

# The size of each unit in the smallest of its family: its name in notes, and how it is written.
_FAMILIES: dict[str, dict[int, tuple[str, str]]] = {
    "months": {
        12: ("years", "year years yr yrs 년 年 jahr jahre jahren an ans año años anno anni "
             "jaar"),
        1: ("months", "month months mo mos 개월 달 か月 ヶ月 ヵ月 カ月 个月 monat monate monaten "
            "mois mes meses mese mesi maand maanden"),
    },
    "days": {
        7: ("weeks", "week weeks wk wks 주 주일 週間 周 woche wochen semaine semaines semana "
            "semanas"),
        1: ("days", "day days 일 日 天 tag tage tagen jour jours día días giorno giorni dag dagen"),
    },
    "seconds": {
        3600: ("hours", "h hr hrs hour hours 시간 時間 小时 std stunde stunden heure heures "
               "hora horas"),
        60: ("minutes", "min mins minute minutes 분 分 分钟 minuten minuto minutos"),
        1: ("seconds", "s sec secs second seconds 초 秒 sekunde sekunden"),
    },
    "mass": {1_000_000: ("kg", "kg"), 1_000: ("g", "g gr gram grams"), 1: ("mg", "mg")},
    "volume": {1_000: ("l", "l liter liters litre litres"), 10: ("cl", "cl"), 1: ("ml", "ml")},
    "feet": {12: ("feet", "ft feet foot"), 1: ("inches", "in inch inches")},
    "pounds": {16: ("pounds", "lb lbs pound pounds"), 1: ("ounces", "oz ounce ounces")},
    "length": {1_000_000: ("km", "km"), 1_000: ("m", "m"), 10: ("cm", "cm"), 1: ("mm", "mm")},
    "storage": {1_000_000: ("TB", "tb"), 1_000: ("GB", "gb"), 1: ("MB", "mb")},
}  # fmt: skip


class Unit(NamedTuple):
    """A unit that converts into others: its family, its size there, and its name."""

    family: str
    size: int
    name: str


_UNITS = {
    word: Unit(family, size, name)
    for family, sizes in _FAMILIES.items()
    for size, (name, words) in sizes.items()
    for word in words.split()
}
_NAMES = {unit.name: unit for unit in _UNITS.values()}
_JOINED = re.compile(  # Korean, Japanese and Chinese join words: 개월이상
    rf"({'|'.join(sorted((w for w in _UNITS if not w.isascii()), key=len, reverse=True))})"
    r"(?=이상|이하|이내|초과|미만|정도|경력|간|차|以上|以下|未満|以内)"
)

_PLACES = {"십": 10, "十": 10, "백": 100, "百": 100, "천": 1000, "千": 1000}
_MYRIADS = {
    sign: 10**power
    for power, signs in {4: "만万萬", 8: "억億亿", 12: "조兆"}.items()
    for sign in signs
}
_SCALES = "".join((*_PLACES, *_MYRIADS))
_DIGITS = r"\d+(?:,\d{3})*(?:\.\d+)?"
_COUNTED = r"(?=\s*[원円엔元圆명])"  # without it, 1억 5천 means 150,000,000 to most people
_SCALED = re.compile(
    rf"{_DIGITS}\s*[{_SCALES}](?:\s*(?:{_DIGITS})?\s*[{_SCALES}])*(?:\s*{_DIGITS}{_COUNTED})?"
)
_TOKEN = re.compile(rf"{_DIGITS}|[{_SCALES}]")
_PARTS = re.compile(
    rf"({_DIGITS})\s*([^\W\d]+)\.?(?:\s*,|\s+and|\s+und|\s+et|\s+y)?\s*({_DIGITS})\s*([^\W\d]+)(?!\d)"
)


def unit_of(words: str) -> tuple[Unit | None, str]:
    """Return the unit that words after a number begin with, and the other words.

    >>> unit_of("years or more"), unit_of("pieces")
    ((Unit(family='months', size=12, name='years'), 'or more'), (None, 'pieces'))
    >>> unit_of("개월이상")
    (Unit(family='months', size=1, name='months'), '이상')
    """
    first = re.match(r"[^\W\d_]+", words)
    if first is None:
        return None, words
    if first[0] in _UNITS:
        return _UNITS[first[0]], words[first.end() :].lstrip(" .")
    if (head := _JOINED.match(words)) is not None:
        return _UNITS[head[0]], words[head.end() :]
    return None, words


def unit_named(name: str) -> Unit | None:
    """Return the unit of a name in notes, such as ``"months"``; None if it does not convert."""
    return _NAMES.get(name)


def joined(text: str) -> str:
    """Return a text in which numbers of several parts are one number with one unit.

    >>> joined("연봉 3천5백만원"), joined("1억 2천만원"), joined("3년 6개월"), joined("1 h 30 min")
    ('연봉 3500만원', '12000만원', '42개월', '90min')
    """
    text = _SCALED.sub(_one_scale, text)
    while (shorter := _PARTS.sub(_one_unit, text, count=1)) != text:
        text = shorter
    return text


def _one_scale(match: re.Match[str]) -> str:
    """Return ``1억 2천만`` as ``12000만``; unchanged if it has one part, or is no such number."""
    tokens = _TOKEN.findall(match[0])
    if sum(token[0].isdigit() for token in tokens) < 2:
        return match[0]
    total = section = 0.0
    digits: float | None = None
    place = myriad = math.inf  # both fall from left to right
    for token in tokens:
        if token[0].isdigit():
            digits = float(token.replace(",", ""))
            continue
        scale = _PLACES.get(token) or _MYRIADS[token]
        if token in _PLACES:
            falls, place = scale < place, scale
            section += (1.0 if digits is None else digits) * scale
        else:
            falls, place = scale < myriad, math.inf
            total, section, myriad = total + (section + (digits or 0.0)) * scale, 0.0, scale
        if not falls:
            return match[0]
        digits = None
    total += section + (digits or 0.0)
    last = tokens[-1]
    if last in _MYRIADS:
        return f"{_plain(total / _MYRIADS[last])}{last}"
    counted = re.match(_COUNTED, match.string[match.end() :])
    return _plain(total) if counted or myriad == 10**4 else match[0]


def _one_unit(match: re.Match[str]) -> str:
    """Return ``3년 6개월`` as ``42개월``; unchanged if the units do not convert."""
    high, large, low, small = match.groups()
    (first, between), (second, _) = (
        unit_of(large.lower()),
        unit_of("min" if small == "m" else small.lower()),
    )
    if first is None or second is None or between or first.family != second.family:
        return match[0]
    ratio = first.size // second.size
    value = float(low.replace(",", ""))
    if ratio < 2 or value >= ratio:
        return match[0]
    total = float(high.replace(",", "")) * ratio + value
    return f"{_plain(total)}{'min' if small == 'm' else small}"


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
