"""A model as the ranker of a cascade: candidates in the order of its scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.models.base import Model
from shortlist.models.cascade.candidates import Candidates, blend
from shortlist.scoring.capabilities import ScoresPairs
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats
from shortlist.scoring.selection import dense


def judged(
    judge: Model[Any, Any], candidates: Candidates, profiles: Profiles
) -> NDArray[np.float64]:
    """Give ``s / (1 + |s|)`` of the model's score of each candidate: its order, within -1 to 1.

    Of queries that the model knows nothing of, the mean of the stages, which lies there as well.

    Parameters
    ----------
    judge
        A fitted model; it is asked for the candidates alone if it can score pairs.
    candidates, profiles
        What the stages found, for whom.
    """  # (n,)
    owners, items = candidates.owners, candidates.items
    numbers = blend(candidates)[owners, items].astype(np.float64)
    knows = judge.can_score(profiles)
    mine = knows[owners]
    if not mine.any():
        return numbers
    known = profiles if knows.all() else profiles.take(np.flatnonzero(knows))
    place = (np.cumsum(knows) - 1)[owners[mine]].astype(np.int32)
    if isinstance(judge, ScoresPairs):
        scores = judge.pair_scores(known, place, items[mine])
    else:
        scores = dense(judge.score(known))[place, items[mine]]
    numbers[mine] = _squeezed(scores)
    return numbers


def judged_alone(judge: Model[Any, Any], profiles: Profiles) -> NDArray[np.float64]:
    """Give the same of the whole catalogue; 0 where the model knows nothing."""  # (B, n_items)
    knows = judge.can_score(profiles)
    numbers = np.zeros((len(profiles), profiles.history.shape[1]))
    if knows.any():
        known = profiles.take(np.flatnonzero(knows))
        numbers[knows] = _squeezed(dense(judge.score(known)))
    return numbers


def _squeezed(scores: Floats) -> NDArray[np.float64]:
    exact = scores.astype(np.float64)
    return np.asarray(exact / (1 + np.abs(exact)))
