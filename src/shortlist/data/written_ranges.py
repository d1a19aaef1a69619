"""Ranges as people write them: ``3,000~4,000만원``, ``$85k - $105k``, ``5-10 years``."""

from __future__ import annotations

import re

from shortlist.data.written_numbers import given_number

MIN, MAX = ".min", ".max"  # the ends of the names of the columns that a column of ranges becomes

_BETWEEN = re.compile(r"\s*(?:[~〜～–—-]|\bto\b|\bbis\b)\s*")
_END = re.compile(r"(?P<before>\D*)(?P<digits>\d(?:.*\d)?)(?P<after>\D*)")


def read_range(text: str) -> tuple[str, str] | None:
    """Return the two ends of a range as texts, each with its unit; None if a text is no range.

    >>> read_range("3,000~4,000만원"), read_range("$85-105k"), read_range("010-1234-5678")
    (('3,000만원', '4,000만원'), ('$85k', '$105k'), None)
    """
    parts = _BETWEEN.split(text.strip())
    low, high = map(_END.fullmatch, (parts[0], parts[-1]))
    if len(parts) != 2 or low is None or high is None:
        return None
    before = low["before"] or high["before"]
    if low["after"].strip() and low["after"].strip().lower() != high["after"].strip().lower():
        return None  # 3천~4천만원: in which unit is the first?
    texts = tuple(f"{end['before'] or before}{end['digits']}{high['after']}" for end in (low, high))
    first, last = map(given_number, texts)
    if first is None or last is None or first > last:
        return None
    return texts[0], texts[1]


def ends_of(text: str) -> tuple[str, str]:
    """Return the two ends of a range; those of any other text are the text itself."""
    return read_range(text) or (text, text)
