"""Somebody new: an evaluation of its own, on users taken out of the training data altogether."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.models.base import Model
from shortlist.models.popularity import Popularity
from shortlist.reporting.ranking import Figure, figures

if TYPE_CHECKING:
    from shortlist.evaluation.comparison import Comparison

SHARE = 0.1  # of the users
LEAST_USERS = 20  # to hold out: fewer say nothing


@dataclass(frozen=True)
class Cold:
    """What models that read user features do for somebody without a history.

    Attributes
    ----------
    users
        How many users were held out.
    share
        Of all users, as a fraction.
    metrics
        Those shown.
    figures
        By model, best first; then by metric.
    verdicts
        By model, against the best one.
    """

    users: int
    share: float
    metrics: tuple[str, ...]
    figures: Mapping[str, Mapping[str, Figure]]
    verdicts: Mapping[str, str]


def cold_users(comparison: Comparison) -> Cold | str:
    """Fit the models that read features anew, without some users, and measure them on those.

    The users are taken from the training side, so the test side stays what it was. Popularity is
    measured beside them: it is what all other models list for somebody they know nothing of.

    Returns
    -------
    The figures, or in words why there are none.
    """
    from shortlist.evaluation.comparing import compare

    train, report = comparison.train, comparison[comparison.best]
    if not report.history.any():
        return "Every test user of the comparison above is new, so its figures are those."
    if not _described(train):
        return (
            "The users have no features that are filled in. Without any, a model knows nothing of "
            "somebody new and lists what is popular."
        )
    models = [again(model) for model in comparison.models.values() if model.uses_features]
    if not models:
        return (
            "None of the compared models reads the features of users, so each lists what is "
            "popular for somebody new. Hybrid and ContentBased read them."
        )
    active = int((train.user_counts > 0).sum())
    if SHARE * active < LEAST_USERS:
        return f"{active:,} users are too few to hold a tenth of them out."
    inner, held = split.cold_users(train, SHARE, seed=report.seed)
    found = compare([Popularity(), *models], inner, held, report.k, seed=report.seed)
    k = report.main_k
    shown = (f"ndcg@{k}", f"hit_rate@{k}", f"recall@{k}", f"coverage@{k}")
    against = found.against_best()
    verdicts = {
        name: ("really behind" if test.real else "may be chance") for name, test in against.items()
    }
    return Cold(
        found[found.best].n_users,
        SHARE,
        shown,
        {name: figures(report) for name, report in found.reports.items()},
        {found.best: "best"} | verdicts,
    )


def again(model: Model[Any, Any]) -> Model[Any, Any]:
    """Make a model of the same settings that is not fitted."""
    return type(model)(**model.config.model_dump())


def _described(data: Dataset) -> bool:
    """Say whether anything is known of any user."""
    table = data.user_features
    return table is not None and any(
        column.null_count < len(column) for column in table.itercolumns()
    )
