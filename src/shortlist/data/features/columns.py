"""One column into one block: what kind it is, and whether it carries anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from shortlist.data.features.block import Block, NothingLearnedError
from shortlist.data.features.cells import HOLDS, Cells, family_of, read_cells
from shortlist.data.features.infer import SET_ASIDE, check_informative, infer_spec
from shortlist.data.features.numbers import BucketBlock, NumberBlock
from shortlist.data.features.specs import Spec, parse_spec
from shortlist.data.features.text import TextBlock
from shortlist.data.features.values import CategoryBlock, LabelsBlock
from shortlist.data.features.vectors import VectorBlock
from shortlist.errors import ConfigError

BLOCKS: dict[str, type[Block]] = {
    "number": NumberBlock,
    "buckets": BucketBlock,
    "category": CategoryBlock,
    "labels": LabelsBlock,
    "text": TextBlock,
    "vector": VectorBlock,
}


def fit_column(column: pa.ChunkedArray, name: str, given: Mapping[str, Any]) -> Block:
    """Learn the block of a column.

    Parameters
    ----------
    column
        Its cells.
    name
        Its name.
    given
        What the caller says of columns by name; None: leave it out.

    Raises
    ------
    NothingLearnedError
        It is left out; the message is the reason.
    ConfigError
        The kind that the caller names does not exist, or cannot encode the column.
    InputError
        A number is not finite.
    """
    if name in given and given[name] is None:
        raise NothingLearnedError("the caller left it out")
    spec = parse_spec(name, given[name]) if name in given else None
    if spec is None and name in SET_ASIDE:
        raise NothingLearnedError(SET_ASIDE[name])
    family = family_of(column.type)
    if family is None:
        if spec is not None:
            raise _unreadable(name, str(column.type), spec, None)
        raise NothingLearnedError(f"{column.type} has no encoding")
    cells = read_cells(column, name)
    check_informative(cells)
    if spec is None:
        spec = infer_spec(cells)
    if cells.family not in BLOCKS[spec.kind].reads:
        raise _unreadable(name, HOLDS[cells.family], spec, cells)
    return BLOCKS[spec.kind].fit(name, spec, cells)


def _unreadable(name: str, holds: str, spec: Spec, cells: Cells | None) -> ConfigError:
    kinds = [kind for kind, block in BLOCKS.items() if cells and cells.family in block.reads]
    return ConfigError(
        f"kind {spec.kind!r} cannot encode {holds}",
        where=f"column {name!r}",
        remedy=f"kinds that can: {', '.join(kinds)}" if kinds else "leave it out: None",
    )
