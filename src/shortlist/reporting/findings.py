"""Findings about the data, and running the checks that make them.

A check is a function of the training and the test side that yields findings. Checks are registered
with a description in the ``CHECKS`` of ``leaks`` and ``quality``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

from shortlist.data.dataset import Dataset

Level = Literal["leak", "warning", "note"]
LEVELS: tuple[Level, ...] = ("leak", "warning", "note")
"""Most severe first. A leak: the figures may be better than real performance; a warning: part of
the data looks wrong."""


@dataclass(frozen=True)
class Finding:
    """A finding that a reader should know."""

    level: Level
    message: str  # the finding, with numbers
    advice: str  # the consequence, or what to do


leak, warning, note = (partial(Finding, level) for level in LEVELS)

Check: TypeAlias = Callable[[Dataset, Dataset], Iterator[Finding]]


@dataclass(frozen=True)
class Findings:
    """All findings, most severe first, and the descriptions of the checks without findings."""

    findings: tuple[Finding, ...]
    passed: tuple[str, ...]


def run_checks(train: Dataset, test: Dataset, checks: Mapping[str, Check]) -> Findings:
    """Run checks, given by their descriptions, on a split."""
    by_check = {name: list(check(train, test)) for name, check in checks.items()}
    findings = [finding for of_check in by_check.values() for finding in of_check]
    findings.sort(key=lambda finding: LEVELS.index(finding.level))
    return Findings(tuple(findings), tuple(name for name, of in by_check.items() if not of))


def share(part: int, whole: int) -> str:
    """Format a part of a whole.

    >>> share(5, 2000)
    '5 of 2,000 (0.2%)'
    """
    return f"{part:,} of {whole:,} ({part / max(whole, 1):.1%})"
