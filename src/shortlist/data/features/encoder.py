"""The feature encoder: fitted on a table, then applied unchanged to other tables."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, ValidationError
from scipy.sparse import csr_array, hstack

from shortlist.data.features.block import FEATURES, Block, NothingLearnedError, Spec
from shortlist.data.features.cells import Family, changed_content, family_of, read_cells
from shortlist.data.features.infer import BLOCKS, fit_column
from shortlist.errors import InputError

Float: TypeAlias = type[np.float32] | type[np.float64]

FORMAT = 2
METADATA_KEY = b"shortlist.features"


@dataclass(frozen=True, eq=False)
class FeatureEncoder:
    """The learned encoding of a table, one block of features per column; made by :meth:`fit`.

    ``left_out`` holds the columns without a block, with the reasons.

    >>> films = pa.table({"year": [1995, 1999, 2010], "genres": [["Drama"], ["Crime"], ["Drama"]]})
    >>> encoder = FeatureEncoder.fit(films)
    >>> encoder.names
    ('year', 'year is known', 'genres=Crime', 'genres=Drama')
    >>> query = pa.table({"year": pa.nulls(1), "genres": [["Drama", "Western"]]})
    >>> encoder.transform(query).toarray()
    array([[0., 0., 0., 1.]], dtype=float32)
    """

    parts: tuple[Block, ...]
    left_out: Mapping[str, str]

    @classmethod
    def fit(cls, table: pa.Table, left_out: Collection[str] = ()) -> Self:
        """Learn the encoding of a table with one row per user or item, without the id.

        The rules of :mod:`shortlist.data.features.infer` apply to all columns but ``left_out``.
        """
        names = table.column_names
        _require_distinct(names)
        if names and not table.num_rows:
            raise InputError("the table of features has no rows", remedy="pass at least one row")
        parts: list[Block] = []
        reasons = dict.fromkeys(left_out, "excluded by the caller")
        for name in names:
            if name not in left_out:
                try:
                    parts.append(fit_column(table.column(name), name))
                except NothingLearnedError as reason:
                    reasons[name] = str(reason)
        return cls(tuple(parts), reasons)

    @cached_property
    def blocks(self) -> dict[str, slice]:
        """The features of each encoded column."""
        ends = np.cumsum([len(part) for part in self.parts]).tolist()
        starts = [0, *ends]
        return {p.column: slice(a, b) for p, a, b in zip(self.parts, starts, ends, strict=False)}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A readable name of each feature, such as ``genres=Drama``."""  # (n_features,)
        return tuple(name for part in self.parts for name in part.names())

    @property
    def kinds(self) -> dict[str, Spec]:
        """The specification of each encoded column."""
        return {part.column: part.spec for part in self.parts}

    @property
    def n_features(self) -> int:
        """The number of features."""
        return sum(len(part) for part in self.parts)

    def __repr__(self) -> str:
        return (
            f"FeatureEncoder({len(self.parts)} columns, {self.n_features} features, "
            f"{len(self.left_out)} columns left out)"
        )

    def transform(self, table: pa.Table, *, dtype: Float = np.float32) -> csr_array:
        """Encode rows; within a block, each row has length 1 (L2), or 0 if it has no value.

        The table must have the fitted columns; others are ignored.
        """  # (n_rows, n_features)
        if not self.parts:
            return csr_array((table.num_rows, 0), dtype=dtype)
        rows = [part.encode(values).astype(dtype) for part, values in self._cells(table)]
        return csr_array(hstack(rows, format="csr"))

    def unused(self, table: pa.Table) -> dict[str, str]:
        """Return why values of columns have no effect, by column; only columns with such values.

        >>> films = pa.table({"genre": ["War", "War", "Drama", "Drama"]})
        >>> FeatureEncoder.fit(films).unused(pa.table({"genre": ["Western"]}))
        {'genre': "not among the values of the training data: 'Western'"}
        """
        unused = {}
        for part, values in self._cells(table):
            counts = pa.Table.from_struct_array(pc.value_counts(part.unseen(values)))
            if counts.num_rows:
                order = counts.sort_by([("counts", "descending"), ("values", "ascending")])
                examples = ", ".join(map(repr, order["values"].slice(0, 3).to_pylist()))
                unused[part.column] = f"not among the values of the training data: {examples}"
        names = table.column_names
        return unused | {name: why for name, why in self.left_out.items() if name in names}

    def to_table(self) -> pa.Table:
        """Return the encoder as a table with one row per feature; Parquet files keep it exactly.

        Its columns are ``column``, ``name`` and those of ``FEATURES``; the schema metadata describe
        the columns.
        """
        header = _Header(
            format=FORMAT,
            columns=[
                _Column(name=part.column, family=part.family, spec=part.spec) for part in self.parts
            ],
            left_out=dict(self.left_out),
        )
        columns = [part.column for part in self.parts for _ in range(len(part))]
        table = pa.concat_tables([FEATURES.empty_table(), *(part.features for part in self.parts)])
        table = table.add_column(0, "column", pa.array(columns, pa.string()))
        table = table.add_column(1, "name", pa.array(self.names, pa.string()))
        metadata = {METADATA_KEY: header.model_dump_json()}
        return table.combine_chunks().replace_schema_metadata(metadata)

    @classmethod
    def from_table(cls, table: pa.Table) -> Self:
        """Restore an encoder from the result of :meth:`to_table`."""
        try:
            content = json.loads((table.schema.metadata or {})[METADATA_KEY])
            if content["format"] != FORMAT:
                raise InputError(
                    f"the features have format {content['format']}; this version reads {FORMAT}",
                    remedy="fit and save the model again with this version",
                )
            header = _Header.model_validate(content)
            features = table.select(["column", *FEATURES.names])
        except (KeyError, TypeError, json.JSONDecodeError, ValidationError) as error:
            raise _not_an_encoder(f"{error!r}".splitlines()[0]) from error
        parts = []
        for column in header.columns:
            rows = features.filter(pc.equal(features["column"], column.name))
            learned = rows.drop_columns("column").cast(FEATURES).combine_chunks()
            part = BLOCKS[column.spec.kind](column.name, column.spec, column.family, learned)
            try:
                part.check()
            except ValueError as error:
                raise _not_an_encoder(error) from error
            parts.append(part)
        _require_distinct([part.column for part in parts])
        return cls(tuple(parts), header.left_out)

    def _cells(self, table: pa.Table) -> Iterator[tuple[Block, pa.Array]]:
        """Yield the cells of each block's column."""
        for part in self.parts:
            _require_distinct([name for name in table.column_names if name == part.column])
            if part.column not in table.column_names:
                raise InputError(
                    f"the column {part.column!r} is missing",
                    where=f"columns {', '.join(table.column_names) or '(none)'}",
                    remedy="the encoder was fitted with it: add it (it may be empty), or fit again",
                )
            column = table.column(part.column)
            if family_of(column.type) is None:
                raise changed_content(part.column, str(column.type), part.family)
            yield part, read_cells(column, part.column).as_family(part.family, part.column)


class _Column(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    family: Family
    spec: Spec


class _Header(BaseModel):
    """The schema metadata of :meth:`FeatureEncoder.to_table`, as JSON."""

    model_config = ConfigDict(extra="forbid")

    format: int
    columns: list[_Column]
    left_out: dict[str, str]


def _require_distinct(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two columns are named {name!r}", remedy="rename one of them")


def _not_an_encoder(reason: object) -> InputError:
    return InputError(
        f"the table is not a saved feature encoder: {reason}",
        remedy="pass a result of FeatureEncoder.to_table()",
    )
