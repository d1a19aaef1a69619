"""Rows that lie somewhere in the planted world, and the columns they can be dealt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.samples.jobs.decks import (
    Bools,
    Floats,
    Ints,
    Quantiles,
    cell,
    code_deck,
    deal,
    draw_distinct,
    drift,
    mostly_first,
    quantile_deck,
)
from shortlist.data.samples.jobs.words import ENDINGS, GENERAL, SPECIALITIES

# How clearly words show where their row lies: (standard deviation, share lost) on the work line,
# and the share of words that are of no field at all.
WORDS, GENERAL_WORDS = (0.004, 0.1), 0.25
MESSY = 0.03  # of the words stand behind a blank, and of the lists end in ';'


@dataclass(frozen=True)
class Rows:
    """Résumés or postings.

    Parameters
    ----------
    work, place
        Their spots on the two lines, (n,).
    rng
        The stream this table draws from.
    """

    work: Floats
    place: Floats
    rng: np.random.Generator

    @property
    def n(self) -> int:
        """How many rows."""
        return len(self.work)

    def anyhow(self) -> Floats:
        """Give a key that tells nothing."""
        return self.rng.random(self.n)

    def near(self, spots: Floats, blur: tuple[float, float]) -> Floats:
        """Give a key that tells where the rows lie, blurred by (standard deviation, share lost)."""
        return drift(spots, *blur, self.rng)

    def codes(self, counts: Mapping[int, float], key: Floats | None = None) -> Ints:
        """Deal codes in the shares of their counts, along a key or anyhow."""
        return deal(code_deck(counts, self.n), self.anyhow() if key is None else key)

    def numbers(self, points: Quantiles, key: Floats | None = None) -> Floats:
        """Deal numbers of these quantiles, along a key or anyhow."""
        return deal(quantile_deck(points, self.n), self.anyhow() if key is None else key)

    def marked(self, count: int, of: int, key: Floats | None = None) -> Bools:
        """Mark the share ``count / of`` of the rows: those with the smallest keys."""
        return np.asarray(self.codes({1: count, 0: of - count}, key) == 1)

    def only(self, chosen: Ints) -> Rows:
        """Take some rows; one may be taken more than once."""
        return Rows(self.work[chosen], self.place[chosen], self.rng)

    def keywords(self, given: Bools, lengths: Quantiles, endings: int, general: int) -> pa.Array:
        """Make ';' lists of words around each row's speciality, null where none is given.

        ``endings`` and ``general`` say how many of the endings and general words are in use.
        """
        own = [word + ending for word in SPECIALITIES for ending in ENDINGS[:endings]]
        vocabulary = [*own, *GENERAL[:general]]

        def draw(rows: Ints) -> Ints:
            speciality = cell(drift(self.work[rows], *WORDS, self.rng), len(SPECIALITIES))
            word = speciality * endings + mostly_first(endings, len(rows), self.rng)
            other = len(own) + mostly_first(general, len(rows), self.rng)
            return np.where(self.rng.random(len(rows)) < GENERAL_WORDS, other, word)

        sizes = np.rint(self.numbers(lengths)).astype(np.int64) * given
        rows, drawn = draw_distinct(sizes, draw, len(vocabulary))
        blank = self.rng.random(len(rows)) < MESSY
        values = pc.binary_join_element_wise(
            named(["", " "], blank.astype(np.int64)), named(vocabulary, drawn), ""
        )
        offsets = pa.array(np.searchsorted(rows, np.arange(self.n + 1)), pa.int32())
        lists = pc.binary_join(pa.ListArray.from_arrays(offsets, values), ";")
        ends = named(["", ";"], (self.anyhow() < MESSY).astype(np.int64))
        return pc.if_else(pa.array(given), pc.binary_join_element_wise(lists, ends, ""), None)

    def free_text(self, texts: Sequence[str], given: Bools) -> pa.Array:
        """Give the marked rows one text each, no text twice while there are enough."""
        order = self.rng.permutation(len(texts))
        return named(texts, order[np.cumsum(given) % len(texts)], given)


def named(names: Sequence[str], rows: Ints, given: Bools | None = None) -> pa.Array:
    """Look up names by row, null where not given."""
    return pa.array(names).take(pa.array(rows, mask=None if given is None else ~given))


def ids(letter: str, rows: Ints) -> pa.Array:
    """Write ids as published: a letter and the row counted from 1, in five digits or more.

    Examples
    --------
    >>> ids("U", np.array([0, 8481])).to_pylist()
    ['U00001', 'U08482']
    """
    digits = pc.utf8_lpad(pa.array(rows + 1).cast(pa.string()), 5, "0")
    return pc.binary_join_element_wise(letter, digits, "")
