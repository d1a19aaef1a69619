"""An encoder of one column whose kind is given, where the rules would choose another."""

from __future__ import annotations

import pyarrow as pa

from shortlist.data.features import FeatureEncoder, Spec
from shortlist.data.features.block import NothingLearnedError
from shortlist.data.features.cells import read_cells
from shortlist.data.features.infer import BLOCKS


def encoder_of(table: pa.Table, spec: Spec) -> FeatureEncoder:
    """Learn the column ``x``."""
    cells = read_cells(table.column("x"), "x")
    try:
        return FeatureEncoder((BLOCKS[spec.kind].fit("x", spec, cells),), {})
    except NothingLearnedError as reason:
        return FeatureEncoder((), {"x": str(reason)})
