"""The page: its contents are gathered, drawn, and rendered into the template."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from shortlist import extras
from shortlist.errors import InputError
from shortlist.evaluation.comparison import Comparison
from shortlist.reporting import leaks, quality
from shortlist.reporting.accuracy import (
    ByHistory,
    ColdStart,
    Ranking,
    by_history,
    cold_start,
    ranking,
)
from shortlist.reporting.catalogue import ItemMap, LongTail, item_map, long_tail
from shortlist.reporting.costs import Costs, LossCurve, costs, loss_curves
from shortlist.reporting.drawings import draw, drawn_models, estimate_text, map_legend
from shortlist.reporting.examples import Examples, examples
from shortlist.reporting.findings import Findings, run_checks
from shortlist.reporting.summary import Origin, Summary, origin, summary
from shortlist.reporting.svg import tick_label

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True)
class Contents:
    """The sections of the page; None or a text for sections without data.

    Only ``costs`` and ``origin.made`` differ when the same comparison is reported again.
    """

    title: str
    protocol: str
    notes: tuple[str, ...]
    ranking: Ranking
    history: ByHistory
    cold: ColdStart | str
    tail: LongTail | None
    costs: Costs
    curves: tuple[LossCurve, ...]
    map: ItemMap | None
    examples: Examples
    summary: Summary
    findings: Findings
    origin: Origin


def gather(comparison: Comparison, *, title: str, command: str | None) -> Contents:
    """Collect the contents of all sections."""
    report = comparison[comparison.best]
    return Contents(
        title=title,
        protocol=report.protocol,
        notes=report.notes,
        ranking=ranking(comparison),
        history=by_history(comparison),
        cold=cold_start(comparison),
        tail=long_tail(comparison),
        costs=costs(comparison),
        curves=loss_curves(comparison),
        map=item_map(comparison),
        examples=examples(comparison),
        summary=summary(comparison),
        findings=run_checks(comparison.train, comparison.test, leaks.CHECKS | quality.CHECKS),
        origin=origin(comparison, command),
    )


def require_report(path: str | Path) -> None:
    """Check that a report can be written, before the work that it reports on.

    Raises
    ------
    ConfigError
        The extra ``report`` is not installed.
    InputError
        The folder does not exist, or ``path`` is a folder.
    """
    extras.require("report", "the report")
    path = Path(path).resolve()
    if path.is_dir():
        problem = f"{path} is a folder, not a file"
    elif not path.parent.is_dir():
        problem = f"{path.parent} does not exist"
    else:
        return
    raise InputError(
        f"the report cannot be written: {problem}", remedy="name a file in a folder that exists"
    )


def render(contents: Contents) -> str:
    """Render the template. All text that comes from the data is escaped.

    The content security policy allows the page's own style and its script (by hash) and nothing
    else: if a text of the data ever got past the escaping, the browser would neither run it nor
    fetch anything for it.
    """
    script = _template_file("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            contents=contents,
            drawings=draw(
                contents.ranking,
                contents.history,
                contents.tail,
                contents.costs,
                contents.curves,
                contents.map,
            ),
            drawn=drawn_models(contents.ranking),
            map_legend=[] if contents.map is None else map_legend(contents.map),
            style=_template_file("style.css"),
            script=script,
            policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        )
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("shortlist.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": _figure,
        "with_interval": estimate_text,
        "share": lambda value: f"{value:.1%}",
        "whole": lambda value: f"{value:,.0f}",
        "plain": tick_label,
        "score": lambda value: f"{value:#.4g}",
        "seconds": lambda value: "< 0.01" if value < 0.01 else f"{value:,.2f}",
        "p": lambda value: "< 0.0001" if value < 0.0001 else f"{value:.4f}",
        "signed": lambda value: f"{value:+.4f}",
    }
    return environment


def _figure(value: float) -> str:
    """Format with four decimals up to 1, with two above."""
    return f"{value:.4f}" if abs(value) <= 1 else f"{value:,.2f}"


def _template_file(name: str) -> str:
    return (files("shortlist.reporting") / "templates" / name).read_text(encoding="utf-8")
