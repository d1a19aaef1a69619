"""Blocks of values: numbers and dates, vectors, one value of a set, or any number of them."""

# ruff: noqa: D102 - the methods are documented in Block

from __future__ import annotations

from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.features.block import (
    Block,
    NothingLearnedError,
    Role,
    Spec,
    feature_table,
    is_null,
    least_rows,
    to_numpy,
    unit_rows,
)
from shortlist.data.features.cells import Cells, Family, clean, finite
from shortlist.errors import InputError

IQR_OF_NORMAL = 1.3489795003921634  # interquartile range of the standard normal distribution


class NumberBlock(Block):
    """A number or a date ``x`` as a direction, so that dot products fall with the distance.

    With ``z = (x - centre) / scale``, the features are ``(z, 1) / sqrt(1 + z^2)``: the sine and
    cosine of ``arctan z``. The dot product of two rows is ``cos(arctan z1 - arctan z2)``: 1 for
    equal values, 0 for an angle of 90 degrees (such as -1 and +1 scale from the centre), -1 for
    opposite extremes. Extreme values approach 90 degrees, whatever their size. (A block of ``z``
    alone, scaled to length 1, would keep only its sign.)

    The centre is the median, and the scale the interquartile range, divided by 1.349: that is one
    standard deviation of a normal distribution. Integers and fractions are one family here: a
    column may change between them.
    """

    accepts = ("whole", "number", "date")
    layout = "value known "
    roles = (Role("value", "{column}", ("centre", "scale")), Role("known", "{column} is known"))

    @classmethod
    def fit(cls, column: str, spec: Spec, cells: Cells) -> Self:
        family: Family = "number" if cells.family == "whole" else cells.family
        return super().fit(column, spec, Cells(family, cells.as_family(family, column)))

    @classmethod
    def learn(cls, spec: Spec, cells: Cells) -> list[pa.Table]:
        x = np.sort(_known_values(cells.values))  # makes sums independent of the row order
        low, centre, high = np.quantile(x, [0.25, 0.5, 0.75])
        # The interquartile range is 0 if half of the rows share one value.
        scale = (high - low) / IQR_OF_NORMAL or float(x.std())
        scale = scale or float(x[-1] - x[0]) or 1.0  # 1: the column has at most one value
        value = feature_table("value", centre=[centre], scale=[scale])
        return [value, feature_table("known", 1)]

    def encode(self, values: pa.Array) -> csr_array:
        centre, scale = (self.features[name][0].as_py() for name in ("centre", "scale"))
        with np.errstate(over="ignore"):  # an infinite z is at 90 degrees
            angle = np.arctan((_to_floats(values) - centre) / scale)
        rows = np.column_stack([np.sin(angle), np.cos(angle)])
        rows[is_null(values)] = 0
        return csr_array(rows)


class VectorBlock(Block):
    """One feature per component; the cosine of two rows is that of their vectors."""

    accepts = ("vector",)
    layout = "(component )+"
    roles = (Role("component", "{column}[{index}]"),)

    @classmethod
    def learn(cls, spec: Spec, cells: Cells) -> list[pa.Table]:
        lengths = pc.unique(pc.list_value_length(pc.drop_null(cells.values))).to_pylist()
        if len(lengths) > 1:
            raise NothingLearnedError(
                f"its lists have {min(lengths)} to {max(lengths)} numbers, so they are not vectors"
            )
        return [feature_table("component", lengths[0])]

    def encode(self, values: pa.Array) -> csr_array:
        rows = np.flatnonzero(~is_null(values))
        vectors = values.drop_null()
        wrong = np.flatnonzero(to_numpy(pc.list_value_length(vectors)) != len(self))
        if len(wrong):
            raise InputError(
                f"the vector has {len(vectors[int(wrong[0])])} numbers instead of {len(self)}",
                where=f"column {self.column!r}, row {rows[wrong[0]]} (counted from 0)",
            )
        flat = finite(pc.list_flatten(vectors), self.column)
        if flat.null_count:
            row = rows[np.flatnonzero(is_null(flat))[0] // len(self)]
            raise InputError(
                "the vector has an empty component",
                where=f"column {self.column!r}, row {row} (counted from 0)",
                remedy="fill it in, or leave the whole cell empty",
            )
        indptr = np.zeros(len(values) + 1, dtype=np.int64)
        indptr[rows + 1] = len(self)
        columns = np.tile(np.arange(len(self)), len(rows))
        shape = (len(values), len(self))
        return unit_rows(csr_array((to_numpy(flat), columns, np.cumsum(indptr)), shape=shape))


def _known_values(values: pa.Array) -> NDArray[np.float64]:
    return _to_floats(values)[~is_null(values)]


def _to_floats(values: pa.Array) -> NDArray[np.float64]:
    """Return numbers unchanged, dates in microseconds since 1970, empty cells as 0."""
    if pa.types.is_timestamp(values.type):
        values = pc.cast(pc.cast(values, pa.int64()), pa.float64(), safe=False)
    filled: NDArray[np.float64] = pc.fill_null(values, 0.0).to_numpy()
    return filled


class CategoryBlock(Block):
    """One feature per value; rare values, and values new in a query, share the feature "other"."""

    accepts = ("text", "whole", "truth", "number")
    layout = "(value )+other "
    roles = (Role("value", "{column}={term}", ("term",)), Role("other", "{column} is other"))

    @classmethod
    def learn(cls, spec: Spec, cells: Cells) -> list[pa.Table]:
        counts = pc.value_counts(pc.drop_null(cells.values))
        threshold = least_rows(len(cells.values))
        frequent = pc.filter(counts.field(0), pc.greater_equal(counts.field(1), threshold))
        if not len(frequent):
            raise NothingLearnedError(f"no value occurs in {threshold} or more rows")
        terms = pc.cast(frequent.take(pc.array_sort_indices(frequent)), pa.string())
        values = feature_table("value", term=terms)
        return [values, feature_table("other", 1)]

    def encode(self, values: pa.Array) -> csr_array:
        rows = np.flatnonzero(~is_null(values))
        other = len(self) - 1  # the last feature
        columns = to_numpy(pc.fill_null(self._index(values), other))[rows]
        return csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(values), len(self)))

    def unseen(self, values: pa.Array) -> pa.Array:
        values = pc.drop_null(values)
        return pc.cast(values.filter(pc.is_null(self._index(values))), pa.string())

    def _index(self, values: pa.Array) -> pa.Array:
        terms = pc.drop_null(self.features["term"]).combine_chunks()
        return pc.index_in(pc.cast(values, pa.string()), value_set=terms, skip_nulls=True)


class LabelsBlock(Block):
    """One feature per frequent label; the labels of a row share its length.

    A label that ``df`` of ``n`` rows with labels have weighs ``ln((1 + n) / (1 + df)) + 1``. Labels
    that differ in surrounding blanks, case or full and half width are the same.
    """

    accepts = ("list", "text")
    layout = "(label )+"
    roles = (Role("label", "{column}={term}", ("term", "weight")),)

    @classmethod
    def learn(cls, spec: Spec, cells: Cells) -> list[pa.Table]:
        """Return the labels, each in its most frequent spelling (of ties, the first)."""
        rows, labels = split_labels(cells.values, spec.separator)
        encoded = labels.dictionary_encode()
        spellings, keys = encoded.dictionary, fold(encoded.dictionary).dictionary_encode()
        spelling_of, key_of = to_numpy(encoded.indices), to_numpy(keys.indices)
        n_rows, n_keys = len(cells.values), len(keys.dictionary)
        incidence = _incidence(rows, key_of[spelling_of], (n_rows, n_keys))
        n_labelled = int(np.count_nonzero(np.diff(incidence.indptr)))
        df = np.bincount(incidence.indices)
        table = pa.table({"key": key_of, "count": np.bincount(spelling_of), "text": spellings})
        table = table.sort_by(
            [("key", "ascending"), ("count", "descending"), ("text", "ascending")]
        )
        _, first = np.unique(to_numpy(table["key"]), return_index=True)
        terms = table["text"].combine_chunks().take(pa.array(first))
        order = to_numpy(pc.array_sort_indices(keys.dictionary))
        threshold = least_rows(n_rows)
        kept = order[df[order] >= threshold]
        if not len(kept):
            raise NothingLearnedError(f"no label occurs in {threshold} or more rows")
        kept_terms, weight = terms.take(pa.array(kept)), idf(n_labelled, df[kept])
        return [feature_table("label", term=kept_terms, weight=weight)]

    def encode(self, values: pa.Array) -> csr_array:
        rows, labels = split_labels(values, self.spec.separator)
        indices = self._index(labels)
        known = indices >= 0
        matrix = _incidence(rows[known], indices[known], (len(values), len(self)))
        matrix.data = to_numpy(self.features["weight"])[matrix.indices]
        return unit_rows(matrix)

    def unseen(self, values: pa.Array) -> pa.Array:
        _, labels = split_labels(values, self.spec.separator)
        return labels.filter(pa.array(self._index(labels) < 0))

    def _index(self, labels: pa.Array) -> NDArray[np.int32]:
        """Return the feature of each label, -1 for none."""
        encoded = labels.dictionary_encode()
        features = pc.fill_null(pc.index_in(fold(encoded.dictionary), value_set=self._keys), -1)
        index: NDArray[np.int32] = to_numpy(features)[to_numpy(encoded.indices)]
        return index

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


def idf(n_documents: int, df: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the weight of terms that ``df`` of n documents have: ``ln((1 + n) / (1 + df)) + 1``.

    Rows without any term are no documents, so that they do not change the weights of the others.
    """
    weight: NDArray[np.float64] = np.log((1 + n_documents) / (1 + df)) + 1
    return weight
