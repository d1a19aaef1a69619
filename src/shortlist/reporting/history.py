"""How the main metric depends on how much of a user is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shortlist.evaluation.report import HISTORY
from shortlist.reporting.ranking import Figure

if TYPE_CHECKING:
    from shortlist.evaluation.comparison import Comparison


@dataclass(frozen=True)
class ByHistory:
    """The main metric of every model in each group of users.

    Attributes
    ----------
    groups
        Ranges of training interactions, those with users only.
    users
        How many users each has.
    figures
        By model: one a group.
    """

    groups: tuple[str, ...]
    users: tuple[int, ...]
    figures: Mapping[str, tuple[Figure, ...]]


def by_history(comparison: Comparison) -> ByHistory:
    """Take the groups of a comparison apart."""
    found: dict[str, dict[str, Figure]] = {}
    sizes: dict[str, int] = {}
    for name, report in comparison.reports.items():
        rows = [row for row in report.to_arrow().to_pylist() if row["metric"] == comparison.main]
        sizes |= {row["history"]: row["users"] for row in rows}
        found[name] = {
            row["history"]: Figure(row["value"], row["low"], row["high"]) for row in rows
        }
    groups = tuple(group for group in HISTORY if group in sizes)
    return ByHistory(
        groups,
        tuple(sizes[group] for group in groups),
        {name: tuple(figures[group] for group in groups) for name, figures in found.items()},
    )
