"""Choosing a model: everything that can be fitted here, on one fold, in the time there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shortlist.data.dataset import Dataset
from shortlist.errors import ConfigError, InputError
from shortlist.models.base import Model
from shortlist.models.registry import MODULES
from shortlist.tuning.choice import Choice
from shortlist.tuning.contest import Contest
from shortlist.tuning.goal import Goal
from shortlist.tuning.subject import subject_of

FASTER = ("Indexed",)  # give the lists of a model within them, sooner: nothing to choose
FOR_TUNING = 0.4  # of the time: guessing and comparing leave that much to the search


def auto(
    data: Dataset,
    seconds: float | None = None,
    metric: str = "ndcg@10",
    *,
    models: Sequence[str | type[Model[Any, Any]] | Model[Any, Any]] | None = None,
    trials: int = 20,
    seed: int = 0,
    check: bool = True,
) -> Choice:
    """Choose a model by an honest comparison, and fit it on all of the data.

    One choice of each user is held out (the last, where there are times). Every model is fitted on
    the rest with its defaults; then the two best are tuned on a fold of that rest, so that the fold
    that decides has not been seen by the search either. Of all that are not really worse than the
    best (paired 95% interval) the simplest is taken. The figures that chose are a little too good
    for the best of them; so the chosen model is measured once more, on a fold that took no part.

    Parameters
    ----------
    data
        What to learn from; a test must not be in it.
    seconds
        How long it may take, about. A model whose time, guessed from small samples of the users,
        does not fit in is left out, which the outcome says; no fit is cut short. Two fifths are
        kept for tuning. None: no bound.
    metric
        As for :func:`shortlist.tune`.
    models
        Which to compare, from the simplest. None: all of the library that can be fitted here, in
        the order of its registry (``Indexed`` would give the lists of another one).
    trials
        How many trials the two best are tuned with; 0: not at all.
    seed
        Seeds the folds and the search. Without ``seconds``, same seed, same choice.
    check
        Whether to measure the chosen model on one more fold (a choice further back) than the
        choice and the search have seen; it is left out where there is no time for it.

    Raises
    ------
    ConfigError
        There is no such model or metric, or a number is out of its range.
    InputError
        The data is too small to hold anything out.
    ShortlistError
        No model could be fitted.

    Examples
    --------
    >>> from shortlist.testing import checkerboard
    >>> choice = auto(checkerboard().data, models=["Popularity", "ItemCosine"], trials=0)
    >>> choice.model
    ItemCosine()
    """
    goal = Goal.named(metric)
    if seconds is not None and not seconds > 0:
        raise ConfigError(f"seconds={seconds} is out of range", remedy="give more than 0")
    if isinstance(trials, bool) or not isinstance(trials, int) or trials < 0:
        raise ConfigError(f"trials={trials!r} is out of range", remedy="give 0 or more")
    if not isinstance(data, Dataset):
        raise InputError(
            f"a model is chosen on a Dataset, not on a {type(data).__name__}",
            remedy="make one: Dataset.from_tables(...), or Store(...).dataset()",
        )
    contest = Contest(data, goal, seconds, seed)
    named = [name for name in MODULES if name not in FASTER] if models is None else models
    subjects = [subject_of(one) for one in named]
    contest.enter([kind(**given) for kind, given in subjects], every=models is None)
    contest.measure(FOR_TUNING if trials else 0.0)
    contest.tune_leaders(trials)
    return contest.decided(check)
