"""The feature encoder: fitted on a table, then applied unchanged to other tables."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, ValidationError
from scipy.sparse import csr_array, hstack

from shortlist.data.features.block import FEATURES, Block, Missing, NothingLearnedError
from shortlist.data.features.cells import Family, changed_content, family_of, read_cells
from shortlist.data.features.infer import BLOCKS, fit_column
from shortlist.data.features.queries import table_of
from shortlist.data.features.specs import Spec
from shortlist.errors import ConfigError, InputError, suggestion

Float: TypeAlias = type[np.float32] | type[np.float64]

FORMAT = 1
METADATA_KEY = b"shortlist.features"


@dataclass(frozen=True, eq=False)
class FeatureEncoder:
    """The learned encoding of a table: one block of features per column.

    Create an encoder with :meth:`fit`; it is immutable.

    Attributes
    ----------
    parts
        The blocks, in the order of the table's columns.
    left_out
        The columns without a block, with the reasons.

    Examples
    --------
    >>> films = pa.table({"year": [1995, 1999, 2010], "genres": [["Drama"], ["Crime"], ["Drama"]]})
    >>> encoder = FeatureEncoder.fit(films)
    >>> encoder.names
    ('year', 'year is known', 'genres=Crime', 'genres=Drama')
    >>> query = encoder.rows([{"genres": ["Drama", "Western"]}])
    >>> encoder.transform(query, missing="ignore").toarray()
    array([[0., 0., 0., 1.]], dtype=float32)
    >>> encoder.unseen(query).to_pylist()[1]
    {'column': 'genres', 'kind': 'labels', 'missing': 0, 'unseen': 1, 'examples': ['Western']}
    """

    parts: tuple[Block, ...]
    left_out: Mapping[str, str]

    @classmethod
    def fit(cls, table: pa.Table, columns: Mapping[str, Any] | None = None) -> Self:
        """Learn the encoding of a table.

        Parameters
        ----------
        table
            One row per user or item, without the id.
        columns
            How to encode some of the columns: the name of a kind (``"text"``), a specification
            (``Text(words=1)``, or ``{"kind": "text", "words": 1}``), or None to leave the column
            out. The rules of :mod:`shortlist.data.features.infer` apply to all other columns.

        Raises
        ------
        ConfigError
            ``columns`` names a column that does not exist, a kind that does not exist, or one that
            cannot encode the column.
        InputError
            The table has no rows, two columns of the same name, or a number that is not finite.
        """
        specs = dict(columns or {})
        names = table.column_names
        for name in specs:
            if name not in names:
                raise ConfigError(f"there is no column {name!r}", remedy=suggestion(name, names))
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise _repeated_column(repeated)
        if names and not table.num_rows:
            raise InputError("the table of features has no rows", remedy="pass at least one row")
        parts: list[Block] = []
        left_out: dict[str, str] = {}
        for name in names:
            try:
                parts.append(fit_column(table.column(name), name, specs))
            except NothingLearnedError as reason:
                left_out[name] = str(reason)
        return cls(tuple(parts), left_out)

    @cached_property
    def blocks(self) -> dict[str, slice]:
        """The features of each encoded column."""
        ends = list(itertools.accumulate(len(part) for part in self.parts))
        starts = [0, *ends][:-1]
        return {
            part.column: slice(start, end)
            for part, start, end in zip(self.parts, starts, ends, strict=True)
        }

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

    def transform(
        self, table: pa.Table, *, missing: Missing = "flag", dtype: Float = np.float32
    ) -> csr_array:
        """Encode rows; within a block, each row has length 1 (L2), or 0 if it has no value.

        Parameters
        ----------
        table
            It must have the fitted columns; other columns are ignored.
        missing
            The meaning of an empty number, date or category. ``"flag"``: the value is missing,
            which rows can have in common. ``"ignore"``: the value is unspecified, as in a query
            that names few features; the block is zero. Empty lists and texts are always zero.
        dtype
            float32 or float64, of the result and of the computation.

        Raises
        ------
        InputError
            A column is missing or has other content than at fitting, or a number is not finite.
        """  # (n_rows, n_features)
        if not self.parts:
            return csr_array((table.num_rows, 0), dtype=dtype)
        rows = [part.encode(values, missing).astype(dtype) for part, values in self._cells(table)]
        return csr_array(hstack(rows, format="csr"))

    def split(self, matrix: csr_array) -> dict[str, csr_array]:
        """Split a result of :meth:`transform` into its blocks, as input of ``scaled``."""
        columns = matrix.tocsc()  # slicing columns of a CSR matrix would scan all of it
        return {name: columns[:, features].tocsr() for name, features in self.blocks.items()}

    def rows(self, mappings: Sequence[Mapping[str, Any]]) -> pa.Table:
        """Convert features by name, one mapping per query, to a table for :meth:`transform`.

        Features that a mapping does not have are null. Columns that were left out may be named,
        without effect. Dates may be ISO text.

        Raises
        ------
        InputError
            A name is unknown, or a value has another type than its column had.
        """  # (n_mappings, n_parts)
        return table_of(mappings, self.parts, self.left_out)

    def unseen(self, table: pa.Table) -> pa.Table:
        """Count the values that :meth:`transform` cannot encode.

        Returns
        -------
        pa.Table
            One row per encoded column: ``column``; ``kind``; ``missing``, the rows without a value;
            ``unseen``, the values (in text: words) that have no feature of their own, because they
            are new or were rare; ``examples``, up to three of them, most frequent first.

        Raises
        ------
        InputError
            As for :meth:`transform`.
        """  # (n_parts, 5)
        report: list[dict[str, Any]] = []
        for part, values in self._cells(table):
            unseen = part.unseen(values)
            counts = pa.Table.from_struct_array(pc.value_counts(unseen))
            order = counts.sort_by([("counts", "descending"), ("values", "ascending")])
            report.append(
                {
                    "column": part.column,
                    "kind": part.spec.kind,
                    "missing": part.count_missing(values),
                    "unseen": len(unseen),
                    "examples": order["values"].slice(0, 3).to_pylist(),
                }
            )
        schema = {
            "column": pa.string(),
            "kind": pa.string(),
            "missing": pa.int64(),
            "unseen": pa.int64(),
            "examples": pa.list_(pa.string()),
        }
        return pa.Table.from_pylist(report, pa.schema(list(schema.items())))

    def unused(self, table: pa.Table) -> dict[str, str]:
        """Return why values of columns have no effect, by column; only columns with such values.

        Examples
        --------
        >>> films = pa.table({"genre": ["War", "War", "Drama", "Drama"]})
        >>> FeatureEncoder.fit(films).unused(pa.table({"genre": ["Western"]}))
        {'genre': "not among the values of the training data: 'Western'"}
        """
        unused = {
            row["column"]: "not among the values of the training data: "
            + ", ".join(map(repr, row["examples"]))
            for row in self.unseen(table).to_pylist()
            if row["unseen"]
        }
        names = table.schema.names
        return unused | {name: why for name, why in self.left_out.items() if name in names}

    def to_table(self) -> pa.Table:
        """Return the state of the encoder as a table with one row per feature.

        Its columns are ``column``, ``name`` and those of ``FEATURES``; the schema metadata describe
        the columns. Parquet files keep the table exactly.
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
        """Restore an encoder from the result of :meth:`to_table`.

        Raises
        ------
        InputError
            The table is not a result of :meth:`to_table`, or one of another version.
        """
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
            raise InputError(
                f"the table is not a saved feature encoder: {error!r}".splitlines()[0],
                remedy="pass a result of FeatureEncoder.to_table()",
            ) from error
        parts = []
        for column in header.columns:
            rows = features.filter(pc.equal(features["column"], column.name))
            learned = rows.drop_columns("column").cast(FEATURES).combine_chunks()
            block = BLOCKS[column.spec.kind]
            part = block(column.name, column.spec, column.family, learned)
            try:
                part.check()
            except ValueError as error:
                raise InputError(
                    f"the table is not a saved feature encoder: {error}",
                    remedy="pass a result of FeatureEncoder.to_table()",
                ) from error
            parts.append(part)
        names = [part.column for part in parts]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise _repeated_column(repeated)
        return cls(tuple(parts), header.left_out)

    def _cells(self, table: pa.Table) -> list[tuple[Block, pa.Array]]:
        """Return the cells of each block's column."""
        cells_of = []
        for part in self.parts:
            count = table.column_names.count(part.column)
            if count > 1:
                raise _repeated_column(part.column)
            if not count:
                raise InputError(
                    f"the column {part.column!r} is missing",
                    where=f"columns {', '.join(table.column_names) or '(none)'}",
                    remedy="the encoder was fitted with it: add it (it may be empty), or fit again",
                )
            column = table.column(part.column)
            if family_of(column.type) is None:
                raise changed_content(part.column, str(column.type), part.family)
            cells = read_cells(column, part.column)
            cells_of.append((part, cells.as_family(part.family, part.column)))
        return cells_of


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


def _repeated_column(name: str) -> InputError:
    return InputError(f"two columns are named {name!r}", remedy="rename one of them")
