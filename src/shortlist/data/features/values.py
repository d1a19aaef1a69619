"""Blocks of values of a set: exactly one (a category), or any number (labels)."""

# ruff: noqa: D102 - the methods are documented in Block

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.features.block import (
    MISSING,
    Block,
    Missing,
    NothingLearnedError,
    Role,
    feature_table,
    is_null,
    missing_flag,
    to_numpy,
    unit_rows,
)
from shortlist.data.features.cells import Cells, clean
from shortlist.data.features.specs import Category, Labels


class CategoryBlock(Block):
    """One feature per value; rare values, and values new in a query, share the feature "other"."""

    accepts = ("text", "whole", "truth", "number")
    layout = "(value )+other (missing )?"
    roles = (
        Role("value", "{column}={term}", ("term",)),
        Role("other", "{column} is other"),
        MISSING,
    )

    @classmethod
    def learn(cls, spec: Category, cells: Cells) -> list[pa.Table]:
        counts = pc.value_counts(pc.drop_null(cells.values))
        threshold = spec.threshold(len(cells.values))
        frequent = pc.filter(counts.field(0), pc.greater_equal(counts.field(1), threshold))
        if not len(frequent):
            raise NothingLearnedError(f"no value occurs in {threshold} or more rows")
        terms = pc.cast(frequent.take(pc.array_sort_indices(frequent)), pa.string())
        values = feature_table("value", term=terms)
        return [values, feature_table("other", 1), missing_flag(cells)]

    def encode(self, values: pa.Array, missing: Missing) -> csr_array:
        terms = pc.drop_null(self.features["term"]).combine_chunks()
        known = pc.index_in(pc.cast(values, pa.string()), value_set=terms, skip_nulls=True)
        indices = to_numpy(pc.fill_null(known, self.index_of("other")))
        return self.one_hot(np.where(is_null(values), -1, indices), values, missing)


class LabelsBlock(Block):
    """One feature per frequent label; the labels of a row share its length.

    A label weighs 1; with ``idf``, a label that ``df`` of ``n`` rows have weighs
    ``ln((1 + n) / (1 + df)) + 1``.
    """

    accepts = ("list", "text")
    layout = "(label )+"
    roles = (Role("label", "{column}={term}", ("term", "weight")),)

    @classmethod
    def learn(cls, spec: Labels, cells: Cells) -> list[pa.Table]:
        """Return the labels, each in its most frequent spelling (of ties, the first)."""
        rows, labels = split_labels(cells.values, spec.separator)
        encoded = labels.dictionary_encode()
        spellings, keys = encoded.dictionary, fold(encoded.dictionary).dictionary_encode()
        spelling_of, key_of = to_numpy(encoded.indices), to_numpy(keys.indices)
        n_rows, n_keys = len(cells.values), len(keys.dictionary)
        df = np.bincount(_incidence(rows, key_of[spelling_of], (n_rows, n_keys)).indices)
        table = pa.table({"key": key_of, "count": np.bincount(spelling_of), "text": spellings})
        table = table.sort_by(
            [("key", "ascending"), ("count", "descending"), ("text", "ascending")]
        )
        _, first = np.unique(to_numpy(table["key"]), return_index=True)
        terms = table["text"].combine_chunks().take(pa.array(first))
        order = to_numpy(pc.array_sort_indices(keys.dictionary))
        threshold = spec.threshold(n_rows)
        kept = order[df[order] >= threshold]
        if not len(kept):
            raise NothingLearnedError(f"no label occurs in {threshold} or more rows")
        weight = idf(n_rows, df[kept]) if spec.idf else np.ones(len(kept))
        return [feature_table("label", term=terms.take(pa.array(kept)), weight=weight)]

    def encode(self, values: pa.Array, missing: Missing) -> csr_array:
        rows, labels = split_labels(values, self.spec.separator)
        encoded = labels.dictionary_encode()
        features = pc.fill_null(pc.index_in(fold(encoded.dictionary), value_set=self._keys), -1)
        indices = to_numpy(features)[to_numpy(encoded.indices)]
        known = indices >= 0
        matrix = _incidence(rows[known], indices[known], (len(values), len(self)))
        matrix.data = to_numpy(self.features["weight"])[matrix.indices]
        return unit_rows(matrix)

    @cached_property
    def _keys(self) -> pa.Array:
        return fold(self.features["term"].combine_chunks())


def _incidence(
    rows: NDArray[np.integer], columns: NDArray[np.integer], shape: tuple[int, int]
) -> csr_array:
    """Return a sorted matrix with one entry per distinct pair; the values have no meaning."""
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)


def split_labels(values: pa.Array, separator: str | None) -> tuple[NDArray[np.int64], pa.Array]:
    """Return the row and the text of each label, from lists or from texts with separators.

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
    """Convert spellings of a label to one key: lower case, half width, single blanks."""
    folded = pc.utf8_lower(pc.utf8_normalize(labels, form="NFKC"))
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(folded, r"\s+", " "))


def idf(n_rows: int, df: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the weight of terms that ``df`` of ``n_rows`` rows have: ``ln((1+n)/(1+df)) + 1``."""
    weight: NDArray[np.float64] = np.log((1 + n_rows) / (1 + df)) + 1
    return weight
