"""Who applies where: the planted structure of the synthetic job data.

The structure consists of two lines. The *work* line is divided into fields of work, and these into
specialities; the *region* line is divided into regions. On each line, every posting covers an
interval whose length is its number of applications. Every résumé has a position on each line, and
draws points around it, one per application; each point becomes an application to the posting whose
interval contains it. So neighbours on a line apply to the same few postings, which collaborative
filtering can learn, and most applications stay within a field, which features can reveal. Two
effects blur this: résumés with many applications spread more widely, and popular postings attract
applicants from their whole field and beyond.

A share of the applications may go anywhere instead.

Points and intervals are matched by sorting: the points in the order of their position meet the
units of the intervals in the order of theirs. Hence every résumé and every posting has exactly the
number of applications that it was assigned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shortlist.data.samples.jobs.columns import (
    Bools,
    Floats,
    Ints,
    assign,
    cell,
    code_values,
    drift,
    quantile_values,
)
from shortlist.data.samples.jobs.marginals import PER_POSTING, PER_RESUME
from shortlist.data.samples.jobs.words import FIELDS

WORK, REGION, ANYWHERE = 0, 1, 2  # the lines that applications follow


@dataclass(frozen=True)
class Structure:
    """How applications follow the lines."""

    region: float = 0.13  # share of applications that follow the region line
    anywhere: float = 0.0  # share of applications to postings from anywhere, popular ones above all
    # Standard deviation of a point of a résumé with 4 applications, in postings.
    spread: float = 2.5
    loose: float = 0.23  # share of applications to an average posting from anywhere in its field
    far: float = 0.25  # share of these that come from anywhere


# Not published. Chosen so that leave-one-out Recall@5 of user cosine, item cosine and popularity is
# what participants of the competition report (about .12, .11 and .006).
CLEAR = Structure()
POPULAR = 1.5  # power of the number of applications that draws those from anywhere


@dataclass(frozen=True)
class JobWorld:
    """The structure behind a set of tables."""

    # The position of each résumé (n_resumes,) and posting (n_postings,) on the work line [0, 1).
    resume_work: Floats
    posting_work: Floats
    # The same on the region line.
    resume_region: Floats
    posting_region: Floats
    # The applications, int64 (n,), shuffled, without repeated pairs.
    resume_rows: Ints
    posting_rows: Ints


def plan_world(
    n_resumes: int, n_postings: int, seed: int, structure: Structure = CLEAR
) -> JobWorld:
    """Draw the structure; the module describes how, and :func:`make_jobs` the valid arguments."""
    rng = np.random.default_rng([seed, 0])
    per_resume = rng.permutation(np.rint(quantile_values(PER_RESUME, n_resumes)).astype(np.int64))
    total = int(per_resume.sum())
    # The factor is 1 at the published size; otherwise it keeps the distribution above its minimum.
    excess = quantile_values(PER_POSTING, n_postings) - 1
    expected = 1 + excess * ((total - n_postings) / excess.sum())
    counts = np.diff(np.rint(np.cumsum(expected)), prepend=0)
    per_posting = rng.permutation(counts.astype(np.int64))

    shares = {WORK: 1 - structure.region - structure.anywhere, REGION: structure.region}
    lines = code_values(shares | {ANYWHERE: structure.anywhere}, total)
    point_of = np.repeat(np.arange(n_resumes), per_resume)
    unit_of = np.repeat(np.arange(n_postings), per_posting)
    resume_line, posting_line = rng.permutation(lines), rng.permutation(lines)
    if structure.anywhere:
        posting_line = _mostly(lines, per_posting[unit_of].astype(np.float64) ** POPULAR, rng)
    resumes, postings, positions = [], [], []  # of each line
    for line in (WORK, REGION):
        resume_position = _interval_middles(per_resume, rng)
        posting_position = _interval_middles(per_posting, rng)
        points, units = point_of[resume_line == line], unit_of[posting_line == line]
        spread = np.minimum(
            structure.spread / n_postings * np.sqrt(per_resume / 4), 0.25 / len(FIELDS)
        )
        point_position = drift(resume_position[points], spread[points], 0.0, rng)
        popularity = per_posting / per_posting.mean()
        unit_position = _loosen(posting_position[units], popularity[units], structure, rng)
        resumes.append(points[np.argsort(point_position, kind="stable")])
        postings.append(units[np.argsort(unit_position, kind="stable")])
        positions.append((resume_position, posting_position))
    resumes.append(rng.permutation(point_of[resume_line == ANYWHERE]))
    postings.append(unit_of[posting_line == ANYWHERE])
    resume_rows, posting_rows = np.concatenate(resumes), np.concatenate(postings)
    _separate_repeats(resume_rows, posting_rows, n_postings, rng)
    order = rng.permutation(total)
    return JobWorld(*positions[0], *positions[1], resume_rows[order], posting_rows[order])


def _interval_middles(sizes: Ints, rng: np.random.Generator) -> Floats:
    """Arrange intervals of these sizes in random order on [0, 1); return their middles."""
    order = rng.permutation(len(sizes))
    middles = np.empty(len(sizes))
    middles[order] = (np.cumsum(sizes[order]) - sizes[order] / 2) / sizes.sum()
    return middles


def _mostly(lines: Ints, weights: Floats, rng: np.random.Generator) -> Ints:
    """Assign lines at random; the last line takes applications of large weight first."""
    return assign(lines, rng.random(len(lines)) ** (1 / weights))


def _loosen(
    positions: Floats, popularity: Floats, structure: Structure, rng: np.random.Generator
) -> Floats:
    """Move a share of units, growing with popularity, within their field or anywhere."""
    fields = len(FIELDS)
    in_field = (cell(positions, fields) + rng.random(len(positions))) / fields
    moved = drift(in_field, 0.0, structure.far, rng)
    is_loose = rng.random(len(positions)) < structure.loose * popularity
    return np.where(is_loose, moved, positions)


def _separate_repeats(
    resumes: Ints, postings: Ints, n_postings: int, rng: np.random.Generator
) -> None:
    """Swap the postings of repeated pairs with those of nearby pairs, in place, until none repeats.

    The pairs are in the order of their line, so nearby pairs are similar; the search widens from
    round to round. Swaps change no number of applications.
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
        is_free = ~_is_in(partners, np.sort(repeats))
        a, b = repeats[kept][is_free], partners[is_free]
        new_a = resumes[a] * n_postings + postings[b]
        new_b = resumes[b] * n_postings + postings[a]
        is_new = ~(_is_in(new_a, known) | _is_in(new_b, known))
        a, b = a[is_new], b[is_new]
        postings[a], postings[b] = postings[b], postings[a]
        reach *= 1.5


def _is_in(values: Ints, ascending: Ints) -> Bools:
    index = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return np.asarray(ascending[index] == values)
