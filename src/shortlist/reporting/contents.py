"""Everything the page says, gathered before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shortlist.reporting.checks import CHECKS
from shortlist.reporting.cold import Cold, cold_users
from shortlist.reporting.costs import Costs, costs
from shortlist.reporting.curves import Curve, curves
from shortlist.reporting.examples import Examples, examples
from shortlist.reporting.findings import Findings, look
from shortlist.reporting.history import ByHistory, by_history
from shortlist.reporting.item_map import ItemMap, item_map
from shortlist.reporting.origin import Origin, origin
from shortlist.reporting.ranking import Ranking, ranking
from shortlist.reporting.summary import Summary, summary
from shortlist.reporting.tail import Tail, tail

if TYPE_CHECKING:
    from shortlist.evaluation.comparison import Comparison


@dataclass(frozen=True)
class Contents:
    """The sections of the page; None or a text where there is nothing to show.

    Only ``costs`` and ``origin.made`` differ when the same comparison is made again.
    """

    title: str
    protocol: str
    notes: tuple[str, ...]
    ranking: Ranking
    history: ByHistory
    cold: Cold | str
    tail: Tail | None
    costs: Costs
    curves: tuple[Curve, ...]
    map: ItemMap | None
    examples: Examples
    summary: Summary
    findings: Findings
    origin: Origin


def gather(comparison: Comparison, *, title: str, command: str | None) -> Contents:
    """Measure and count all of it."""
    report = comparison[comparison.best]
    return Contents(
        title=title,
        protocol=report.protocol,
        notes=report.notes,
        ranking=ranking(comparison),
        history=by_history(comparison),
        cold=cold_users(comparison),
        tail=tail(comparison),
        costs=costs(comparison),
        curves=curves(comparison),
        map=item_map(comparison),
        examples=examples(comparison),
        summary=summary(comparison),
        findings=look(comparison.train, comparison.test, CHECKS),
        origin=origin(comparison, command),
    )
