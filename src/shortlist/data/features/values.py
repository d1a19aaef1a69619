"""Blocks of values from a set: one of them (a category), or any number (labels)."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.features.block import (
    Block,
    Missing,
    NothingLearnedError,
    features,
    to_numpy,
)
from shortlist.data.features.cells import Cells, Family, clean
from shortlist.data.features.specs import Category, Labels
from shortlist.data.features.weights import unit_rows


class CategoryBlock(Block):
    """One feature a value; values that are rare, or new in a query, share the last."""

    reads: ClassVar[tuple[Family, ...]] = ("text", "whole", "truth", "number")

    @classmethod
    def learn(cls, spec: Category, cells: Cells) -> pa.Table:
        """Give the values that enough rows have, a pool for others, a flag if a cell is empty."""
        counts = pc.value_counts(pc.drop_null(cells.values))
        least = spec.least(len(cells.values))
        kept = pc.filter(counts.field(0), pc.greater_equal(counts.field(1), least))
        if not len(kept):
            raise NothingLearnedError(f"no value occurs in {least} rows")
        return pa.concat_tables(
            [
                features(
                    "value", term=pc.cast(kept.take(pc.array_sort_indices(kept)), pa.string())
                ),
                features("other", 1),
                features("missing", int(cells.values.null_count > 0)),
            ]
        )

    def names(self) -> list[str]:
        """Give ``degree=4``, ``degree is other`` and ``degree is missing``."""
        return [
            f"{self.column}={term}" if role == "value" else f"{self.column} is {role}"
            for role, term in zip(
                self.features["role"].to_pylist(), self.features["term"].to_pylist(), strict=True
            )
        ]

    def encode(self, values: pa.Array, missing: Missing) -> csr_array:
        """Put each cell on its value, or on the pool."""
        places = to_numpy(pc.fill_null(self._known(values), self.place("other")))
        places = np.where(to_numpy(pc.is_null(values)), -1, places)
        return self.one_hot(places, values, missing)

    def unseen(self, values: pa.Array) -> pa.Array:
        """Give the values that went to the pool."""
        values = pc.drop_null(values)
        return pc.cast(values.filter(pc.is_null(self._known(values))), pa.string())

    def _known(self, values: pa.Array) -> pa.Array:
        terms = pc.drop_null(self.features["term"]).combine_chunks()
        return pc.index_in(pc.cast(values, pa.string()), value_set=terms, skip_nulls=True)


class LabelsBlock(Block):
    """One feature a label that enough rows have; a row's labels share its length.

    A label weighs 1, or with ``idf`` (n rows, df of them with the label)
    ``ln((1 + n) / (1 + df)) + 1``.
    """

    reads: ClassVar[tuple[Family, ...]] = ("list", "text")

    @classmethod
    def learn(cls, spec: Labels, cells: Cells) -> pa.Table:
        """Give the labels, each in its most frequent spelling (of equals, the first)."""
        rows, labels = split_labels(cells.values, spec.separator)
        coded = labels.dictionary_encode()
        spelling, key = coded.dictionary, fold(coded.dictionary).dictionary_encode()
        key_of = to_numpy(key.indices)
        n_rows, n_keys = len(cells.values), len(key.dictionary)
        df = np.bincount(_present(rows, key_of[to_numpy(coded.indices)], (n_rows, n_keys)).indices)
        times = np.bincount(to_numpy(coded.indices))
        table = pa.table({"key": key_of, "times": times, "spelling": spelling})
        table = table.sort_by(
            [("key", "ascending"), ("times", "descending"), ("spelling", "ascending")]
        )
        _, first = np.unique(to_numpy(table["key"]), return_index=True)
        shown = table["spelling"].combine_chunks().take(pa.array(first))
        order = to_numpy(pc.array_sort_indices(key.dictionary))
        kept = order[df[order] >= spec.least(n_rows)]
        if not len(kept):
            raise NothingLearnedError(f"no label occurs in {spec.least(n_rows)} rows")
        weight = idf(n_rows, df[kept]) if spec.idf else np.ones(len(kept))
        return features("label", term=shown.take(pa.array(kept)), weight=weight)

    def names(self) -> list[str]:
        """Give ``genres=Drama``."""
        return [f"{self.column}={term}" for term in self.features["term"].to_pylist()]

    def encode(self, values: pa.Array, missing: Missing) -> csr_array:
        """Put each row on its labels."""
        rows, labels = split_labels(values, self.spec.separator)
        places = self._places(labels)
        known = places >= 0
        present = _present(rows[known], places[known], (len(values), len(self)))
        present.data = to_numpy(self.features["weight"])[present.indices]
        return unit_rows(present)

    def unseen(self, values: pa.Array) -> pa.Array:
        """Give the labels that are rare or new."""
        _, labels = split_labels(values, self.spec.separator)
        return labels.filter(pa.array(self._places(labels) < 0))

    def missing(self, values: pa.Array) -> int:
        """Count the rows without a label."""
        rows, _ = split_labels(values, self.spec.separator)
        return len(values) - len(np.unique(rows))

    @cached_property
    def _keys(self) -> pa.Array:
        return fold(self.features["term"].combine_chunks())

    def _places(self, labels: pa.Array) -> NDArray[np.int32]:
        """Find the feature of each label, -1 for none."""
        coded = labels.dictionary_encode()
        found = pc.fill_null(pc.index_in(fold(coded.dictionary), value_set=self._keys), -1)
        places: NDArray[np.int32] = to_numpy(found)[to_numpy(coded.indices)]
        return places


def _present(
    rows: NDArray[np.integer], columns: NDArray[np.integer], shape: tuple[int, int]
) -> csr_array:
    """Say what is there, once however often; sorted, and only the places count."""
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)


def split_labels(values: pa.Array, separator: str | None) -> tuple[NDArray[np.int64], pa.Array]:
    """List the labels of lists, or of texts with separators: the row and the label of each.

    Examples
    --------
    >>> rows, labels = split_labels(pa.array(["SQL; 자바", None, ";SQL"]), None)
    >>> rows.tolist(), labels.to_pylist()
    ([0, 0, 2], ['SQL', '자바', 'SQL'])
    """
    if pa.types.is_string(values.type):
        if separator is None:
            values = pc.split_pattern_regex(values, pattern="[;|]")
        else:
            values = pc.split_pattern(values, pattern=separator)
    rows, labels = to_numpy(pc.list_parent_indices(values)), clean(pc.list_flatten(values))
    return rows[to_numpy(pc.is_valid(labels))], pc.drop_null(labels)


def fold(labels: pa.Array) -> pa.Array:
    """Bring spellings of one label together: case, width, blanks inside."""
    folded = pc.utf8_lower(pc.utf8_normalize(labels, form="NFKC"))
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(folded, r"\s+", " "))


def idf(n_rows: int, df: NDArray[np.integer]) -> NDArray[np.float64]:
    """Weigh what ``df`` of ``n_rows`` rows have: ``ln((1 + n) / (1 + df)) + 1``."""
    weight: NDArray[np.float64] = np.log((1 + n_rows) / (1 + df)) + 1
    return weight
