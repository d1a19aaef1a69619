"""Blocks of free text: TF-IDF of words and of letter n-grams."""

# ruff: noqa: D102 - the methods are documented in Block

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from shortlist.data.features.block import (
    Block,
    NothingLearnedError,
    Role,
    Spec,
    feature_table,
    least_rows,
    to_numpy,
    unit_rows,
)
from shortlist.data.features.cells import Cells
from shortlist.data.features.values import idf

# Words consist of letters, marks, digits, symbols (including + and emoji) and #.
BETWEEN_WORDS = r"[^\p{L}\p{M}\p{N}\p{S}#]+"
LONGEST_WORD = 100  # letters of a word that are searched for n-grams
NGRAM_SIZES = (2, 3)  # in letters
MOST_TERMS = 50_000  # words, and letter n-grams, that are kept


class TextBlock(Block):
    """One feature per frequent word and per frequent n-gram of 2 or 3 letters inside words.

    Letter n-grams match different forms of a word (개발자, 개발자를).

    A term that occurs ``c`` times in a row, and in ``df`` of ``n`` rows with words, weighs
    ``(1 + ln c) (ln((1 + n) / (1 + df)) + 1)``. Words and letter n-grams are scaled to length 1
    each, then together: the cosine of two rows that have both is the mean of their two cosines.
    """

    accepts = ("text", "list")
    layout = "(word )*(letters )*"
    roles = (
        Role("word", "{column}~{term}", ("term", "weight")),
        Role("letters", "{column}~*{term}*", ("term", "weight")),
    )

    @classmethod
    def learn(cls, spec: Spec, cells: Cells) -> list[pa.Table]:
        """Return the words, then the letter n-grams, each in the order of their code points."""
        n_rows, threshold = len(cells.values), least_rows(len(cells.values))
        per_row, words = _count(*split_words(cells.values), n_rows)
        n_documents = int(np.count_nonzero(np.diff(per_row.indptr)))
        per_word, ngrams = _count(*letter_ngrams(words), len(words))
        counted = (("word", per_row, words), ("letters", _multiply(per_row, per_word), ngrams))
        tables = []
        for role, counts, terms in counted:
            df = np.bincount(counts.indices, minlength=len(terms))
            kept = most_frequent(terms, df, threshold)
            tables.append(
                feature_table(
                    role, term=terms.take(pa.array(kept)), weight=idf(n_documents, df[kept])
                )
            )
        if not sum(map(len, tables)):
            raise NothingLearnedError(
                f"no word or letter n-gram occurs in {threshold} or more rows"
            )
        return tables

    def encode(self, values: pa.Array) -> csr_array:
        row_of, words = split_words(values)
        n_rows, (known, weight) = len(values), self._terms["word"]
        parts = [_weight(_count_known(row_of, words, n_rows, known), weight)]
        known, weight = self._terms["letters"]
        if len(known):
            per_row, vocabulary = _count(row_of, words, n_rows)
            per_word = _count_known(*letter_ngrams(vocabulary), len(vocabulary), known)
            parts.append(_weight(_multiply(per_row, per_word), weight))
        return unit_rows(csr_array(hstack(parts, format="csr")))

    def unseen(self, values: pa.Array) -> pa.Array:
        """Return the words that are rare or new."""
        _, words = split_words(values)
        return words.filter(pc.is_null(pc.index_in(words, value_set=self._terms["word"][0])))

    @cached_property
    def _terms(self) -> dict[str, tuple[pa.Array, NDArray[np.float64]]]:
        """The terms of each role, and their weights."""
        terms = {}
        for role in self.roles:
            features = self.features.filter(pc.equal(self.features["role"], role.name))
            terms[role.name] = features["term"].combine_chunks(), to_numpy(features["weight"])
        return terms


def split_words(values: pa.Array) -> tuple[NDArray[np.int64], pa.Array]:
    """Return the row and the text of each word of texts, or of lists of texts, in reading order.

    Words are in lower case and half width (Unicode NFKC).

    >>> split_words(pa.array(["C++ 개발자/백엔드", None, "ＪＡＶＡ"]))[1].to_pylist()
    ['c++', '개발자', '백엔드', 'java']
    """
    if pa.types.is_list(values.type):
        row_of, texts = to_numpy(pc.list_parent_indices(values)), pc.list_flatten(values)
    else:
        row_of, texts = np.arange(len(values)), values
    folded = pc.utf8_lower(pc.utf8_normalize(texts, form="NFKC"))
    split = pc.split_pattern_regex(folded, pattern=BETWEEN_WORDS)
    words, text_of = pc.list_flatten(split), to_numpy(pc.list_parent_indices(split))
    not_empty = pc.greater(pc.binary_length(words), 0)
    return row_of[text_of[to_numpy(not_empty)]], words.filter(not_empty)


def letter_ngrams(words: pa.Array) -> tuple[NDArray[np.int64], pa.Array]:
    """Return the word (by index) and the text of all n-grams of letters (code points).

    All words are processed together, one starting position after the other.
    """
    indices: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    ngrams = [pa.array([], pa.string())]
    for size in NGRAM_SIZES:
        index, remaining = np.arange(len(words)), words
        for start in range(LONGEST_WORD - size + 1):
            long_enough = pc.greater_equal(pc.utf8_length(remaining), start + size)
            index, remaining = index[to_numpy(long_enough)], remaining.filter(long_enough)
            if not len(index):
                break
            indices.append(index)
            ngrams.append(pc.utf8_slice_codeunits(remaining, start, start + size))
    return np.concatenate(indices), pa.concat_arrays(ngrams)


def _count(rows: NDArray[np.int64], terms: pa.Array, n_rows: int) -> tuple[csr_array, pa.Array]:
    """Count the terms of each row; the columns are the distinct terms."""
    encoded = terms.dictionary_encode()
    shape = (n_rows, len(encoded.dictionary))
    counts = csr_array((np.ones(len(rows)), (rows, to_numpy(encoded.indices))), shape=shape)
    return counts, encoded.dictionary


def _count_known(
    rows: NDArray[np.int64], terms: pa.Array, n_rows: int, known: pa.Array
) -> csr_array:
    """Count the known terms of each row."""
    indices = pc.index_in(terms, value_set=known)
    valid = to_numpy(pc.is_valid(indices))
    entries = (np.ones(valid.sum()), (rows[valid], to_numpy(pc.drop_null(indices))))
    return csr_array(entries, shape=(n_rows, len(known)))


def _multiply(per_row: csr_array, per_word: csr_array) -> csr_array:
    """Count the letter n-grams of each row."""
    counts = csr_array(per_row @ per_word)
    counts.sort_indices()  # otherwise sums would depend on the other rows
    return counts


def _weight(counts: csr_array, weight: NDArray[np.float64]) -> csr_array:
    """Apply TF-IDF, and scale each row to length 1."""
    data = (1 + np.log(counts.data)) * weight[counts.indices]
    return unit_rows(csr_array((data, counts.indices, counts.indptr), shape=counts.shape))


def most_frequent(
    terms: pa.Array, df: NDArray[np.integer], threshold: int, most: int = MOST_TERMS
) -> NDArray[np.int64]:
    """Return the indices of at most ``most`` terms that occur in ``threshold`` rows, sorted."""
    table = pa.table({"term": terms, "df": df, "index": np.arange(len(terms))})
    table = table.filter(pc.greater_equal(table["df"], threshold))
    if table.num_rows > most:
        table = table.sort_by([("df", "descending"), ("term", "ascending")]).slice(0, most)
    return to_numpy(table.sort_by("term")["index"])
