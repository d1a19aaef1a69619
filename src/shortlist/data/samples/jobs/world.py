"""Who applies to what: the structure planted in the synthetic job data.

Two lines hold the structure. Along the *work* line lie the fields of work, side by side, and in
them the specialities; along the *place* line lie the regions. Every posting covers a stretch of
each line, as long as it has applications. A résumé throws its applications at the lines like
darts, most of them close to its own spot, and each dart belongs to the posting it hits. So
neighbours on a line apply to the same few postings, which is what collaborative filtering can
find, and people of a field stay mostly in it, which is what features can tell. Two things blur it:
people who apply a lot apply widely, and postings that are applied to a lot draw people from all of
their field and beyond.

Throwing is done by sorting: the darts in the order of where they fell meet the stretches in the
order of where they lie. Hence every résumé and every posting has exactly the number of applications
it was dealt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shortlist.data.samples.jobs.decks import (
    Bools,
    Floats,
    Ints,
    cell,
    code_deck,
    drift,
    quantile_deck,
)
from shortlist.data.samples.jobs.marginals import PER_POSTING, PER_RESUME
from shortlist.data.samples.jobs.words import FIELDS

# Not published. Chosen so that leave-one-out Recall@5 of user cosine, item cosine and popularity is
# what the competition's participants report (about .12, .11 and .006).
PLACE_SHARE = 0.13  # of the applications, thrown at the place line
DART_SPREAD = 2.5  # postings: standard deviation of a dart of somebody with 4 applications
LOOSE_SHARE = 0.23  # of the applications to an average posting, drawn from its whole field
FAR_SHARE = 0.25  # of those, drawn from anywhere


@dataclass(frozen=True)
class JobWorld:
    """The planted truth behind one set of tables.

    Attributes
    ----------
    resume_work, posting_work
        Spot of each résumé (n_resumes,) and posting (n_postings,) on the work line, in [0, 1).
    resume_place, posting_place
        The same on the place line.
    resume_rows, posting_rows
        The applications, int64 (n,), shuffled, no pair twice.
    """

    resume_work: Floats
    posting_work: Floats
    resume_place: Floats
    posting_place: Floats
    resume_rows: Ints
    posting_rows: Ints

    @property
    def resume_field(self) -> Ints:
        """Row of ``FIELDS`` of each résumé, int64 (n_resumes,)."""
        return cell(self.resume_work, len(FIELDS))

    @property
    def posting_field(self) -> Ints:
        """Row of ``FIELDS`` of each posting, int64 (n_postings,)."""
        return cell(self.posting_work, len(FIELDS))


def plan_world(n_resumes: int, n_postings: int, seed: int) -> JobWorld:
    """Decide who applies to what; see the module for how, :func:`make_jobs` for the bounds."""
    rng = np.random.default_rng([seed, 0])
    wanted = rng.permutation(np.rint(quantile_deck(PER_RESUME, n_resumes)).astype(np.int64))
    total = int(wanted.sum())
    # At the published size the stretch is 1; other ratios keep the shape above the minimum of 1.
    over = quantile_deck(PER_POSTING, n_postings) - 1
    stretched = 1 + over * ((total - n_postings) / over.sum())
    drawn = rng.permutation(np.diff(np.rint(np.cumsum(stretched)), prepend=0).astype(np.int64))

    at_place = code_deck({0: 1 - PLACE_SHARE, 1: PLACE_SHARE}, total) == 1
    thrown, met = rng.permutation(at_place), rng.permutation(at_place)
    resumes, postings, spots = [], [], []  # of each line
    for on_line in (False, True):
        resume_spot, posting_spot = _stretches(wanted, rng), _stretches(drawn, rng)
        darts = np.repeat(np.arange(n_resumes), wanted)[thrown == on_line]
        pieces = np.repeat(np.arange(n_postings), drawn)[met == on_line]
        spread = np.minimum(DART_SPREAD / n_postings * np.sqrt(wanted / 4), 0.25 / len(FIELDS))
        fell = drift(resume_spot[darts], spread[darts], 0.0, rng)
        lies = _loosened(posting_spot[pieces], (drawn / drawn.mean())[pieces], rng)
        resumes.append(darts[np.argsort(fell, kind="stable")])
        postings.append(pieces[np.argsort(lies, kind="stable")])
        spots.append((resume_spot, posting_spot))
    resume_rows, posting_rows = np.concatenate(resumes), np.concatenate(postings)
    _part_repeats(resume_rows, posting_rows, n_postings, rng)
    order = rng.permutation(total)
    return JobWorld(*spots[0], *spots[1], resume_rows[order], posting_rows[order])


def _stretches(sizes: Ints, rng: np.random.Generator) -> Floats:
    """Lay stretches of these sizes side by side in random order; return the middle of each."""
    order = rng.permutation(len(sizes))
    middles = np.empty(len(sizes))
    middles[order] = (np.cumsum(sizes[order]) - sizes[order] / 2) / sizes.sum()
    return middles


def _loosened(spots: Floats, popularity: Floats, rng: np.random.Generator) -> Floats:
    """Move a share of the stretches, growing with popularity, within their field or anywhere."""
    fields = len(FIELDS)
    in_field = (cell(spots, fields) + rng.random(len(spots))) / fields
    moved = drift(in_field, 0.0, FAR_SHARE, rng)
    return np.where(rng.random(len(spots)) < LOOSE_SHARE * popularity, moved, spots)


def _part_repeats(resumes: Ints, postings: Ints, n_postings: int, rng: np.random.Generator) -> None:
    """Swap the postings of repeated pairs with those of nearby pairs, in place, until none repeats.

    The darts lie in the order of the line, so a nearby pair is a nearby taste; the search widens
    from round to round. Swaps change nobody's number of applications.
    """
    total = len(resumes)
    reach = 4.0 * total / n_postings
    while True:
        pairs = resumes * n_postings + postings
        order = np.argsort(pairs, kind="stable")
        known = pairs[order]
        repeats = order[1:][known[1:] == known[:-1]]
        if not len(repeats):
            return
        step = rng.integers(1, int(min(reach, total - 1)) + 1, len(repeats))
        partners = (repeats + np.where(rng.random(len(repeats)) < 0.5, step, -step)) % total
        partners, kept = np.unique(partners, return_index=True)
        repeats, partners = _free(repeats[kept], partners, repeats)
        one = resumes[repeats] * n_postings + postings[partners]
        other = resumes[partners] * n_postings + postings[repeats]
        new = ~(_among(one, known) | _among(other, known))
        a, b = repeats[new], partners[new]
        postings[a], postings[b] = postings[b], postings[a]
        reach *= 1.5


def _free(repeats: Ints, partners: Ints, taken: Ints) -> tuple[Ints, Ints]:
    """Leave out the partners that are repeats themselves."""
    free = ~_among(partners, np.sort(taken))
    return repeats[free], partners[free]


def _among(values: Ints, ascending: Ints) -> Bools:
    at = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return np.asarray(ascending[at] == values)
