"""How training went, where a model trains in epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from shortlist.evaluation.comparison import Comparison


@dataclass(frozen=True)
class Curve:
    """The losses of one model.

    Attributes
    ----------
    model
        Its name.
    epochs
        Counted from 1.
    losses
        By name (``loss``, ``validation_loss``): one an epoch.
    """

    model: str
    epochs: tuple[int, ...]
    losses: Mapping[str, tuple[float, ...]]


def curves(comparison: Comparison) -> tuple[Curve, ...]:
    """Take the history of every model that has more than one epoch of it."""
    found = []
    for name, model in comparison.models.items():
        table = model.history
        losses = {
            column: tuple(table.column(column).to_pylist())
            for column in table.column_names
            if column.endswith("loss")
            and pa.types.is_floating(table.schema.field(column).type)
            and not table.column(column).null_count
        }
        if table.num_rows > 1 and losses:
            found.append(Curve(name, tuple(table.column("epoch").to_pylist()), losses))
    return tuple(found)
