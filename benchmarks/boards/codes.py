"""A synthetic job board whose codes tell little: the sample data with another structure.

Figures of a real board calibrate it. A fifth of the applications go anywhere, to popular postings
above all, and half of what is held out is beyond the best 100 of the cosines and EASE. Features
alone find next to nothing. But along the line of work, people pass from young to old a hundred
times, and career months, the last salary and the registration date follow: they tell something
about which of several plausible postings a person chose.
"""

from __future__ import annotations

import pyarrow as pa

from shortlist.data.samples.jobs.marginals import POSTINGS, RESUMES
from shortlist.data.samples.jobs.tables import Blurs, build_tables
from shortlist.data.samples.jobs.world import Structure, plan_world

# Recall@5 of user cosine, item cosine and popularity is about .12, .11 and .011, while the best 60
# of the two cosines and EASE hold 47% of what is held out, and their best 100 hardly more.
STRUCTURE = Structure(region=0.05, anywhere=0.22, spread=2.5, loose=0.1, far=0.25)
# Variance within a posting over all variance: career months .59, last salary .82, registered .91,
# hoped salary .98, degree .99; equal first job codes .88 (.79 by chance); keywords, boxes and
# certificates tell next to nothing.
BLURS = Blurs(
    job=(0.005, 0.0),
    code=(0.02, 0.93),
    region=(0.02, 0.9),
    box=(0.05, 0.93),
    level=(0.2, 0.9),
    language=(0.03, 0.9),
    certificate=(0.05, 0.93),
    keyword=(0.05, 0.93),
    periods=25,
    age=(0.0, 0.0),
    months=(0.01, 0.0),
    earned=(0.02, 0.25),
    registered=(0.02, 0.4),
    hoped=(0.1, 0.7),
)


def build_board(seed: int = 0) -> dict[str, pa.Table]:
    """Return the tables, of the size of the real board."""
    return build_tables(plan_world(RESUMES, POSTINGS, seed, STRUCTURE), seed, BLURS)
