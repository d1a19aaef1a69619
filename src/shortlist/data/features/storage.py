"""An encoder as a table: one row a feature, and what holds for whole columns in the metadata."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, ValidationError

from shortlist.data.features.block import FEATURES
from shortlist.data.features.cells import Family
from shortlist.data.features.columns import BLOCKS
from shortlist.data.features.encoder import FeatureEncoder
from shortlist.data.features.specs import Spec
from shortlist.errors import InputError

FORMAT = 1
KEY = b"shortlist.features"


class _Column(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    family: Family
    spec: Spec


class _Header(BaseModel):
    """What the metadata says, as JSON."""

    model_config = ConfigDict(extra="forbid")

    format: int
    columns: list[_Column]
    left_out: dict[str, str]


def write_encoder(encoder: FeatureEncoder) -> pa.Table:
    """Give the features of all blocks: ``column``, ``name``, and what ``FEATURES`` says."""
    header = _Header(
        format=FORMAT,
        columns=[
            _Column(name=part.column, family=part.family, spec=part.spec) for part in encoder.parts
        ],
        left_out=dict(encoder.left_out),
    )
    columns = [part.column for part in encoder.parts for _ in range(len(part))]
    table = pa.concat_tables([FEATURES.empty_table(), *(part.features for part in encoder.parts)])
    table = table.add_column(0, "column", pa.array(columns, pa.string()))
    table = table.add_column(1, "name", pa.array(encoder.names, pa.string()))
    return table.combine_chunks().replace_schema_metadata({KEY: header.model_dump_json()})


def read_encoder(table: pa.Table) -> FeatureEncoder:
    """Make the blocks again from their features.

    Raises
    ------
    InputError
        The table is not an encoder's, or one of another version.
    """
    try:
        content = json.loads((table.schema.metadata or {})[KEY])
        if content["format"] != FORMAT:
            raise InputError(
                f"features of format {content['format']}; this version reads {FORMAT}",
                remedy="fit and save the model again with this version",
            )
        header = _Header.model_validate(content)
        features = table.select(["column", *FEATURES.names])
    except (KeyError, TypeError, json.JSONDecodeError, ValidationError) as error:
        raise InputError(
            f"this table does not hold the features of an encoder: {error!r}".splitlines()[0],
            remedy="pass what FeatureEncoder.to_table() gave",
        ) from error
    parts = []
    for column in header.columns:
        own = features.filter(pc.equal(features["column"], column.name)).drop_columns("column")
        block = BLOCKS[column.spec.kind]
        own = own.cast(FEATURES).combine_chunks()
        parts.append(block(column.name, column.spec, column.family, own))
    return FeatureEncoder(tuple(parts), header.left_out)
