"""A table of typed columns into sparse rows of features, learned once and applied unchanged."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array, hstack

from shortlist.data.features.block import Block, Missing, NothingLearnedError
from shortlist.data.features.cells import changed, family_of, read_cells
from shortlist.data.features.columns import fit_column
from shortlist.data.features.queries import table_of
from shortlist.data.features.specs import Spec
from shortlist.errors import ConfigError, InputError, suggestion

Float: TypeAlias = type[np.float32] | type[np.float64]


@dataclass(frozen=True, eq=False)
class FeatureEncoder:
    """What was learned of a table: one block of features a column.

    Make one with :meth:`fit`; nothing changes it afterwards.

    Attributes
    ----------
    parts
        The blocks, in the order of the table's columns.
    left_out
        The columns without a block, and why.

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
        """Learn the features of a table.

        Parameters
        ----------
        table
            One row a user or an item, without the id.
        columns
            For some columns, how to encode them: the name of a kind (``"text"``), a description
            (``Text(words=1)``, or ``{"kind": "text", "words": 1}``), or None to leave it out. For
            all others the rules of ``shortlist.data.features.infer`` hold.

        Raises
        ------
        ConfigError
            ``columns`` names no column of the table, or a kind that does not exist or cannot read
            the column.
        InputError
            The table has no rows, a column name twice, or a number that is not finite.
        """
        given = dict(columns or {})
        names = table.column_names
        for name in given:
            if name not in names:
                raise ConfigError(f"there is no column {name!r}", remedy=suggestion(name, names))
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise _twice(twice)
        if names and not table.num_rows:
            raise InputError("a table of features without rows", remedy="give it at least one row")
        parts: list[Block] = []
        left_out: dict[str, str] = {}
        for name in names:
            try:
                parts.append(fit_column(table.column(name), name, given))
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
        """A readable name for each feature, such as ``genres=Drama``."""  # (n_features,)
        return tuple(name for part in self.parts for name in part.names())

    @property
    def kinds(self) -> dict[str, Spec]:
        """How each encoded column is encoded."""
        return {part.column: part.spec for part in self.parts}

    @property
    def n_features(self) -> int:
        """How many features there are."""
        return sum(len(part) for part in self.parts)

    def __repr__(self) -> str:
        return (
            f"FeatureEncoder({len(self.parts)} columns, {self.n_features} features, "
            f"{len(self.left_out)} columns left out)"
        )

    def transform(
        self, table: pa.Table, *, missing: Missing = "flag", dtype: Float = np.float32
    ) -> csr_array:
        """Encode rows; within a block each has length 1 (L2), or 0 where it says nothing.

        Parameters
        ----------
        table
            With the columns that were fitted; others are not looked at.
        missing
            What an empty number, date or category means. ``"flag"``: its value is missing, which
            rows can have in common. ``"ignore"``: nothing is said of it, as in a query that names
            a few features; its block is zero. Empty lists and texts are always zero.
        dtype
            float32, or float64: the dtype of the computation.

        Raises
        ------
        InputError
            A column vanished or holds something else, a number is not finite.
        """  # (n_rows, n_features)
        if not self.parts:
            return csr_array((table.num_rows, 0), dtype=dtype)
        rows = [part.encode(values, missing).astype(dtype) for part, values in self._cells(table)]
        return csr_array(hstack(rows, format="csr"))

    def split(self, matrix: csr_array) -> dict[str, csr_array]:
        """Take what :meth:`transform` returned apart into blocks, for ``scaled``."""
        columns = matrix.tocsc()  # to slice columns of a csr matrix is to walk through all of it
        return {name: columns[:, place].tocsr() for name, place in self.blocks.items()}

    def rows(self, mappings: Sequence[Mapping[str, Any]]) -> pa.Table:
        """Turn features by name, one mapping a query, into a table to :meth:`transform`.

        Names that a mapping does not give are null. Names of columns that were left out may be
        given and have no effect. Dates may be ISO text.

        Raises
        ------
        InputError
            A name is unknown, or a value is not what its column held.
        """  # (n_mappings, n_parts)
        return table_of(mappings, self.parts, self.left_out)

    def unseen(self, table: pa.Table) -> pa.Table:
        """Count what :meth:`transform` cannot encode.

        Returns
        -------
        pa.Table
            One row an encoded column: ``column``; ``kind``; ``missing``, the rows without a value;
            ``unseen``, the values (words, for text) that have no feature of their own, because
            they are new or were rare; ``examples``, up to three of them, most frequent first.

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
                    "missing": part.missing(values),
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

    def to_table(self) -> pa.Table:
        """Give all that was learned as a table, one row a feature; Parquet keeps it exactly."""
        from shortlist.data.features.storage import write_encoder

        return write_encoder(self)

    @classmethod
    def from_table(cls, table: pa.Table) -> FeatureEncoder:
        """Make the encoder that :meth:`to_table` was called on.

        Raises
        ------
        InputError
            The table is not an encoder's, or one of another version.
        """
        from shortlist.data.features.storage import read_encoder

        return read_encoder(table)

    def _cells(self, table: pa.Table) -> list[tuple[Block, pa.Array]]:
        found = []
        for part in self.parts:
            times = table.column_names.count(part.column)
            if times > 1:
                raise _twice(part.column)
            if not times:
                raise InputError(
                    f"the column {part.column!r} is missing",
                    where=f"columns {', '.join(table.column_names) or '(none)'}",
                    remedy="the encoder was fitted with it: add it (it may be empty), or fit again",
                )
            column = table.column(part.column)
            if family_of(column.type) is None:
                raise changed(part.column, str(column.type), part.family)
            cells = read_cells(column, part.column)
            found.append((part, cells.as_family(part.family, part.column)))
        return found


def _twice(column: str) -> InputError:
    return InputError(f"the column {column!r} is there twice", remedy="rename one of them")
