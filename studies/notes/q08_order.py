"""Q8: what to build first, and whether finer features or another model gain more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import shortlist as sl
from shortlist.data.features import FeatureEncoder
from shortlist.models.base import Model

from .bench import FILMS, JOBS, Bench, World, content_by_mean
from .document import Section, Table
from .measure import HIT, Measured, delta, gap

POPULARITY, FIRST, EVEN, LEARNED = (
    "popularity",
    "content: one column",
    "content: all columns, equal weights",
    "content: all columns, learned weights",
)
ITEM, USER, EASE, FACTORS, BLEND = (
    "neighbours: `ItemCosine`",
    "neighbours: `UserCosine`",
    "`EASE`",
    "`MatrixFactorization`",
    "neighbours and features: `Hybrid`",
)
ONE_COLUMN = {FILMS: "genres", JOBS: "check_boxes"}  # the column the notes would start with


def answer(bench: Bench) -> Section:
    """Measure the models from the simplest to the most complex."""
    results = {
        world.name: {step: bench.measured(world, model) for step, model in _ladder(world).items()}
        for world in bench
    }
    rows = [
        [step, *(str(result[step][HIT]) for result in results.values())] for step in results[FILMS]
    ]
    columns = " and ".join(f"`{column}` ({name})" for name, column in ONE_COLUMN.items())
    return Section(
        title="Q8. Content first, and models before features?",
        summary="yes to both, but compare content with popularity.",
        quotes=[
            (
                "추천시스템 컨텐츠기반추천부터, CBF 하라니까 왜 CF를 보고 있어",
                "Content-based first: I was told to do CBF, so why am I looking at CF?",
            ),
            (
                "피처 더 세분화 -> 지금 이게 문제가 아니구나 모델을 먼저.",
                "Finer features -> no, that is not the problem now: the model first.",
            ),
        ],
        setup=f"Models from the simplest to the most complex. The one column is {columns}.",
        results=[Table(["step", *(f"{name}: HR@10" for name in results)], rows)],
        answer=_sentence(bench, results),
        reference="The reference has the same order: data, evaluation and popularity first, then "
        "content, neighbours, factors; it has no figures.",
    )


def _ladder(world: World) -> dict[str, Callable[[], Model[Any, Any]]]:
    table = world.data.item_features
    assert table is not None
    column = ONE_COLUMN[world.name]
    alone = dict.fromkeys(FeatureEncoder.fit(table).blocks, 0.0) | {column: 1.0}
    return {
        POPULARITY: sl.Popularity,
        FIRST: partial(content_by_mean, feature_weights=alone),
        EVEN: partial(content_by_mean, feature_weights={}),
        LEARNED: content_by_mean,
        ITEM: sl.ItemCosine,
        USER: sl.UserCosine,
        EASE: sl.EASE,
        FACTORS: sl.MatrixFactorization,
        BLEND: sl.Hybrid,
    }


def _sentence(bench: Bench, results: Mapping[str, Mapping[str, Measured]]) -> str:
    finer = {name: gap(result[LEARNED], result[FIRST]) for name, result in results.items()}
    model = {name: gap(result[ITEM], result[LEARNED]) for name, result in results.items()}
    most = bench.claim(
        all(model[name].difference > abs(finer[name].difference) for name in results)
        and all(test.low > 0 for test in model.values()),
        "The note is right: from one column to all of them with learned weights HR@10 changes by "
        + " and ".join(f"{delta(test)} ({name})" for name, test in finer.items())
        + ", and from there to the simplest collaborative model by "
        + " and ".join(delta(test) for test in model.values())
        + ".",
    )
    popular = {name: gap(result[LEARNED], result[POPULARITY]) for name, result in results.items()}
    content = bench.claim(
        popular[FILMS].high < 0 < popular[JOBS].low,
        "Building content-based recommendation first is right, because it needs no interactions; "
        "but measure it: on the films it is worse than popularity "
        f"({delta(popular[FILMS])}), on the job data it is better ({delta(popular[JOBS])}).",
    )
    return f"{most} {content} Features pay off for cold users (below)."
