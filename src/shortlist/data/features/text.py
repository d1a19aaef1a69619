"""Blocks of free text: TF-IDF over words and over letter runs."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from shortlist.data.features.block import (
    Block,
    Missing,
    NothingLearnedError,
    features,
    to_numpy,
)
from shortlist.data.features.cells import Cells, Family
from shortlist.data.features.ngrams import Words, letter_runs
from shortlist.data.features.specs import Text
from shortlist.data.features.values import idf
from shortlist.data.features.weights import unit_rows


class TextBlock(Block):
    """One feature a word (or run of words) and a run of letters that enough rows have.

    A term that a row has ``c`` times weighs ``(1 + ln c) (ln((1 + n) / (1 + df)) + 1)``, with n
    rows, df of them with the term. Words and letter runs are scaled to length 1 each and then
    together: the cosine of two rows that have both is the mean of their two cosines.
    """

    reads: ClassVar[tuple[Family, ...]] = ("text", "list")

    @classmethod
    def learn(cls, spec: Text, cells: Cells) -> pa.Table:
        """Give the words, then the letter runs, each in order of their code points."""
        n_rows, least = len(cells.values), spec.least(len(cells.values))
        words = Words.of(cells.values)
        rows, runs = words.runs(spec.words) if spec.words else (words.rows[:0], words.words[:0])
        found = [("word", *_count(rows, runs, n_rows))]
        if spec.letters is not None:
            per_row, vocabulary = _count(words.rows, words.words, n_rows)
            places, runs = letter_runs(vocabulary, *spec.letters)
            per_word, runs = _count(places, runs, len(vocabulary))
            found.append(("letters", _product(per_row, per_word), runs))
        tables = []
        for role, counts, terms in found:
            df = np.bincount(counts.indices, minlength=len(terms))
            kept = _frequent(terms, df, least, spec.max_terms)
            tables.append(
                features(role, term=terms.take(pa.array(kept)), weight=idf(n_rows, df[kept]))
            )
        table = pa.concat_tables(tables)
        if not table.num_rows:
            raise NothingLearnedError(f"no word or letter run occurs in {least} rows")
        return table

    def names(self) -> list[str]:
        """Give ``title~toy story`` for words and ``title~*toy*`` for letter runs."""
        return [
            f"{self.column}~{term}" if role == "word" else f"{self.column}~*{term}*"
            for role, term in zip(
                self.features["role"].to_pylist(), self.features["term"].to_pylist(), strict=True
            )
        ]

    def encode(self, values: pa.Array, missing: Missing) -> csr_array:
        """Weigh the known terms of each text."""
        words, n_rows = Words.of(values), len(values)
        known, weight = self._words
        counts = _count_known(*words.runs(self.spec.words), n_rows, known) if len(known) else None
        parts = [_weigh(counts, weight)] if counts is not None else []
        known, weight = self._letters
        if len(known):
            per_row, vocabulary = _count(words.rows, words.words, n_rows)
            runs = letter_runs(vocabulary, *self.spec.letters)
            per_word = _count_known(*runs, len(vocabulary), known)
            parts.append(_weigh(_product(per_row, per_word), weight))
        return unit_rows(csr_array(hstack(parts, format="csr")))

    def unseen(self, values: pa.Array) -> pa.Array:
        """Give the words (without words: the letter runs) that are rare or new."""
        words = Words.of(values).words
        if self.spec.words:
            return words.filter(pc.is_null(pc.index_in(words, value_set=self._words[0])))
        _, runs = letter_runs(words, *self.spec.letters)
        return runs.filter(pc.is_null(pc.index_in(runs, value_set=self._letters[0])))

    def missing(self, values: pa.Array) -> int:
        """Count the rows without a word."""
        return len(values) - len(np.unique(Words.of(values).rows))

    @cached_property
    def _words(self) -> tuple[pa.Array, NDArray[np.float64]]:
        return self._terms("word")

    @cached_property
    def _letters(self) -> tuple[pa.Array, NDArray[np.float64]]:
        return self._terms("letters")

    def _terms(self, role: str) -> tuple[pa.Array, NDArray[np.float64]]:
        chosen = self.features.filter(pc.equal(self.features["role"], role))
        return chosen["term"].combine_chunks(), to_numpy(chosen["weight"])


def _count(rows: NDArray[np.int64], terms: pa.Array, n_rows: int) -> tuple[csr_array, pa.Array]:
    """Count the terms of each row; the columns are the distinct terms."""
    coded = terms.dictionary_encode()
    shape = (n_rows, len(coded.dictionary))
    counts = csr_array((np.ones(len(rows)), (rows, to_numpy(coded.indices))), shape=shape)
    return counts, coded.dictionary


def _count_known(
    rows: NDArray[np.int64], terms: pa.Array, n_rows: int, known: pa.Array
) -> csr_array:
    """Count the known terms of each row."""
    places = pc.index_in(terms, value_set=known)
    valid = to_numpy(pc.is_valid(places))
    found = (np.ones(valid.sum()), (rows[valid], to_numpy(pc.drop_null(places))))
    return csr_array(found, shape=(n_rows, len(known)))


def _product(per_row: csr_array, per_word: csr_array) -> csr_array:
    """Count the letter runs of each row."""
    counts = csr_array(per_row @ per_word)
    counts.sort_indices()  # else sums would depend on the other rows
    return counts


def _weigh(counts: csr_array, weight: NDArray[np.float64]) -> csr_array:
    data = (1 + np.log(counts.data)) * weight[counts.indices]
    return unit_rows(csr_array((data, counts.indices, counts.indptr), shape=counts.shape))


def _frequent(terms: pa.Array, df: NDArray[np.integer], least: int, most: int) -> NDArray[np.int64]:
    """Choose the terms that ``least`` rows have, at most ``most``; sorted."""
    table = pa.table({"term": terms, "df": df, "place": np.arange(len(terms))})
    table = table.filter(pc.greater_equal(table["df"], least))
    if table.num_rows > most:
        table = table.sort_by([("df", "descending"), ("term", "ascending")]).slice(0, most)
    return to_numpy(table.sort_by("term")["place"])
