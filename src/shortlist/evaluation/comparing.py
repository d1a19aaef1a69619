"""Several models on the same split: fitted, measured on the same users."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError
from shortlist.evaluation.comparison import Comparison
from shortlist.evaluation.protocol import evaluate
from shortlist.evaluation.report import Report
from shortlist.evaluation.truth import Truth, require_fitted_on, whole_numbers
from shortlist.models.base import Model
from shortlist.progress import track


def compare(
    models: Sequence[Model[Any, Any]],
    train: Dataset,
    test: Dataset,
    k: int | Iterable[int] = (5, 10, 20),
    *,
    seed: int = 0,
) -> Comparison:
    """Fit models that are not fitted yet, evaluate all of them, and test every difference.

    Parameters
    ----------
    models
        At least one. Those not fitted are fitted on ``train`` (and stay so); a fitted one must have
        been fitted on ``train``.
    train, test, k, seed
        As for :func:`evaluate`.

    Raises
    ------
    InputError
        There is no model, the split leaks or is empty, or a model was fitted on other data.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from shortlist.data import split
    >>> from shortlist.models.cosine import ItemCosine
    >>> from shortlist.models.popularity import Popularity
    >>> pairs = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 3), (3, 4), (4, 3), (4, 4), (5, 3), (6, 3)]
    >>> users, items = zip(*pairs, strict=True)
    >>> log = pa.table({"user_id": users, "item_id": items})
    >>> train, test = split.random(Dataset.from_tables(log), fraction=0.2, seed=1)
    >>> compare([Popularity(), ItemCosine()], train, test, k=1)
    Comparison(ItemCosine, Popularity; by ndcg@1)
    """
    if not models:
        raise InputError("there is no model to compare", where="models", remedy="pass some models")
    # Refuse what evaluate would refuse before the first fit, which may take long.
    ks = whole_numbers("k", k)
    Truth.of(train, test)
    for model in models:
        if model.is_fitted:
            require_fitted_on(model, train)
    reports: dict[str, Report] = {}
    fit_seconds: dict[str, float | None] = {}
    names = distinct_names(models)
    for name, model in track(zip(names, models, strict=True), "comparing models", len(models)):
        seconds = None
        if not model.is_fitted:
            started = time.perf_counter()
            model.fit(train)
            seconds = time.perf_counter() - started
        reports[name] = replace(evaluate(model, train, test, ks, seed=seed), model=name)
        fit_seconds[name] = seconds
    main = reports[names[0]].main
    ranking = sorted(names, key=lambda name: -reports[name][main])
    fitted = dict(zip(names, models, strict=True))
    return Comparison(
        {name: reports[name] for name in ranking},
        fit_seconds,
        {name: fitted[name] for name in ranking},
        train,
        test,
    )


def distinct_names(models: Sequence[Model[Any, Any]]) -> list[str]:
    """The models' names, told apart by the settings they differ in, or else by number.

    Examples
    --------
    >>> from shortlist.models.popularity import Popularity
    >>> distinct_names([Popularity(), Popularity()])
    ['Popularity', 'Popularity #2']
    """
    names = []
    for model in models:
        settings = [other.config.model_dump() for other in models if other.name == model.name]
        mine = model.config.model_dump()
        differing = [
            f"{field}={value!r}"
            for field, value in mine.items()
            if any(other[field] != value for other in settings)
        ]
        names.append(f"{model.name}({', '.join(differing)})" if differing else model.name)
    return [
        name if (before := names[:position].count(name)) == 0 else f"{name} #{before + 1}"
        for position, name in enumerate(names)
    ]
