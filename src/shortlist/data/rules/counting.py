"""How rows of the interactions came to count, kept so that later rows can count alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.moments import decay
from shortlist.data.rules.where import Mask, Where, columns_of, matches, parse_where
from shortlist.errors import InputError


@dataclass(frozen=True)
class Counting:
    """The rules by which rows became interactions and dislikes; ``from_tables`` documents them.

    ``last`` is the moment from which ``half_life`` counts back. ``columns`` has the names that the
    rules use for the columns user_id, item_id, weight and time, where these had other names.
    """

    only: Where | None = None
    positive: Where | None = None
    half_life: float | None = None
    last: int | None = None
    columns: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for rule in (self.only, self.positive):
            if rule is not None:
                parse_where(rule)

    def strengths(self, rows: pa.Table) -> list[float | None]:
        """Return how much each row counts: below 0 it is a dislike; None: it is left out.

        ``rows`` has the columns user_id, item_id, weight and time. A rule that needs other columns
        is not applied (see :meth:`not_applied`).
        """
        strengths: NDArray[np.float64] = rows.column("weight").to_numpy().astype(np.float64)
        if self.half_life is not None:
            strengths = strengths * self.decay(rows.column("time").cast(pa.int64()).to_numpy())
        if (chosen := self._met("positive", rows)) is not None:
            strengths[~chosen] = -1.0
        if (counted := self._met("only", rows)) is None:
            return [*strengths.tolist()]
        return [s if met else None for s, met in zip(strengths.tolist(), counted, strict=True)]

    def decay(self, times: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the shares that the half-life leaves of the weights of some times."""  # (n,)
        if self.half_life is None or self.last is None:
            return np.ones(len(times), np.float32)
        return decay(np.append(np.minimum(times, self.last), self.last), self.half_life)[:-1]

    def not_applied(self, rows: pa.Table) -> list[str]:
        """Return which of the rules cannot be applied to rows with these columns."""
        names = [name for name in ("only", "positive") if getattr(self, name) is not None]
        return [name for name in names if self._met(name, rows) is None]

    def _met(self, argument: str, rows: pa.Table) -> Mask | None:
        """Return which rows meet a rule; None: there is no rule, or it cannot be applied."""
        where: Where | None = getattr(self, argument)
        if where is None:
            return None
        rule = parse_where(where)
        named = rows.rename_columns([self.columns.get(name, name) for name in rows.column_names])
        if not set(columns_of(rule)) <= set(named.column_names):
            return None
        try:
            return matches(named, rule, where, "interaction", argument)
        except InputError:  # a column had another type than it has here
            return None

    def to_json(self) -> dict[str, Any]:
        """Return the rules as a bundle stores them."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=_plain))
        return {name: value for name, value in plain.items() if value not in (None, {})}


def _plain(value: Any) -> Any:
    """Return a value of a rule as JSON can hold it: dates as ISO text."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Iterable) else str(value)
