"""Words and runs of letters of a whole column of texts at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.data.features.block import to_numpy

# Letters, their marks, digits and symbols (among them + and emoji) make words, and so does #.
BETWEEN_WORDS = r"[^\p{L}\p{M}\p{N}\p{S}#]+"
LONGEST = 100  # letters of a word that are looked at for letter runs


@dataclass(frozen=True)
class Words:
    """The words of a column of texts, in reading order.

    Attributes
    ----------
    rows
        The row of each word, int64.  # (n_words,)
    texts
        The text it stands in: a row may hold several, and no run crosses them.  # (n_words,)
    words
        In lower case, half width (Unicode NFKC).  # (n_words,)
    """

    rows: NDArray[np.int64]
    texts: NDArray[np.int64]
    words: pa.Array

    @classmethod
    def of(cls, values: pa.Array) -> Words:
        """Split texts, or lists of texts, into words.

        Examples
        --------
        >>> Words.of(pa.array(["C++ 개발자/백엔드", None, "ＪＡＶＡ"])).words.to_pylist()
        ['c++', '개발자', '백엔드', 'java']
        """
        if pa.types.is_list(values.type):
            row_of, texts = to_numpy(pc.list_parent_indices(values)), pc.list_flatten(values)
        else:
            row_of, texts = np.arange(len(values)), values
        folded = pc.utf8_lower(pc.utf8_normalize(texts, form="NFKC"))
        split = pc.split_pattern_regex(folded, pattern=BETWEEN_WORDS)
        words, parents = pc.list_flatten(split), to_numpy(pc.list_parent_indices(split))
        some = pc.greater(pc.binary_length(words), 0)
        parents = parents[to_numpy(some)]
        return cls(row_of[parents], parents, words.filter(some))

    def runs(self, longest: int) -> tuple[NDArray[np.int64], pa.Array]:
        """List the runs of 1 to ``longest`` words: the row and the words of each."""
        rows, runs = [self.rows], [self.words]
        for size in range(2, longest + 1):
            n = max(len(self.words) - size + 1, 0)
            together = self.texts[:n] == self.texts[size - 1 :]
            shifted = [self.words.slice(start, n) for start in range(size)]
            joined = pc.binary_join_element_wise(*shifted, " ")
            rows.append(self.rows[:n][together])
            runs.append(joined.filter(pa.array(together)))
        return np.concatenate(rows), pa.concat_arrays(runs)


def letter_runs(words: pa.Array, least: int, most: int) -> tuple[NDArray[np.int64], pa.Array]:
    """List the runs of ``least`` to ``most`` letters (code points) in words.

    Works through all words at once, one starting letter after the other.

    Examples
    --------
    >>> places, runs = letter_runs(pa.array(["개발자", "c"]), 2, 3)
    >>> places.tolist(), runs.to_pylist()
    ([0, 0, 0], ['개발', '발자', '개발자'])
    """
    places: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    runs = [pa.array([], pa.string())]
    for size in range(least, most + 1):
        left, rest = np.arange(len(words)), words
        for start in range(LONGEST - size + 1):
            long = pc.greater_equal(pc.utf8_length(rest), start + size)
            left, rest = left[to_numpy(long)], rest.filter(long)
            if not len(left):
                break
            places.append(left)
            runs.append(pc.utf8_slice_codeunits(rest, start, start + size))
    return np.concatenate(places), pa.concat_arrays(runs)
