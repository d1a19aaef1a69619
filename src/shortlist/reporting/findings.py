"""What is wrong with the data, or looks as if it were: every check, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from shortlist.data.dataset import Dataset

Level = Literal["leak", "warning", "note"]
LEVELS: tuple[Level, ...] = ("leak", "warning", "note")  # the worst first


@dataclass(frozen=True)
class Finding:
    """One thing a reader must know.

    Attributes
    ----------
    level
        ``leak``: figures may look better than what will happen. ``warning``: some of the data is
        not what it should be. ``note``: good to know.
    what
        What was found, with numbers.
    meaning
        What follows, or what to do.
    """

    level: Level
    what: str
    meaning: str


Check: TypeAlias = Callable[[Dataset, Dataset], list[Finding]]


@dataclass(frozen=True)
class Findings:
    """What was found, the worst first, and what was looked for without finding anything."""

    found: tuple[Finding, ...]
    clear: tuple[str, ...]


def look(train: Dataset, test: Dataset, checks: Mapping[str, Check]) -> Findings:
    """Run checks, by what they look for, on both sides of a split."""
    found: list[Finding] = []
    clear = []
    for name, check in checks.items():
        some = check(train, test)
        found += some
        if not some:
            clear.append(name)
    found.sort(key=lambda one: LEVELS.index(one.level))
    return Findings(tuple(found), tuple(clear))


def share(part: int, whole: int) -> str:
    """Write a part of a whole.

    Examples
    --------
    >>> share(5, 2000)
    '5 of 2,000 (0.2%)'
    """
    return f"{part:,} of {whole:,} ({part / max(whole, 1):.1%})"


def some_of(names: list[str], most: int = 3) -> str:
    """Name the first few.

    Examples
    --------
    >>> some_of(["a", "b", "c", "d"])
    'a, b, c, and 1 more'
    """
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])}, and {len(names) - most:,} more"
