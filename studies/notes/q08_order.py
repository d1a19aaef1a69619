"""Q8: what to build first, and whether finer features or another model gain more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import shortlist as sl
from shortlist.data.features import FeatureEncoder
from shortlist.models.base import Model

from .bench import FILMS, JOBS, Bench, World
from .document import Section, Table
from .measure import HIT, Measured, gap, told

POPULARITY, FIRST, EVEN, LEARNED = (
    "popularity",
    "content: one column",
    "content: all columns alike",
    "content: all columns, weights learned",
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
    """Climb the ladder, a step a row."""
    found = {
        world.name: {step: bench.measured(world, model) for step, model in _ladder(world).items()}
        for world in bench
    }
    rows = [[step, *(str(one[step][HIT]) for one in found.values())] for step in found[FILMS]]
    one = " and ".join(f"`{column}` ({name})" for name, column in ONE_COLUMN.items())
    return Section(
        title="Q8. Content first, and models before features?",
        short="yes to both, but hold content against popularity.",
        asked=[
            (
                "추천시스템 컨텐츠기반추천부터, CBF 하라니까 왜 CF를 보고 있어",
                "Content-based first: I was told to do CBF, so why am I looking at CF?",
            ),
            (
                "피처 더 세분화 -> 지금 이게 문제가 아니구나 모델을 먼저.",
                "Finer features -> no, that is not the problem now: the model first.",
            ),
        ],
        tried=f"The ladder of models, from nothing to everything. One column: {one}.",
        found=[Table(["step", *(f"{name}: HR@10" for name in found)], rows)],
        answer=_sentence(bench, found),
        reference="The same order there: data and evaluation and popularity first, then content, "
        "neighbours, factors; no figures.",
    )


def _ladder(world: World) -> dict[str, Callable[[], Model[Any, Any]]]:
    table = world.data.item_features
    assert table is not None
    column = ONE_COLUMN[world.name]
    alone = dict.fromkeys(FeatureEncoder.fit(table).blocks, 0.0) | {column: 1.0}
    return {
        POPULARITY: sl.Popularity,
        FIRST: partial(sl.ContentBased, feature_weights=alone),
        EVEN: partial(sl.ContentBased, feature_weights={}),
        LEARNED: sl.ContentBased,
        ITEM: sl.ItemCosine,
        USER: sl.UserCosine,
        EASE: sl.EASE,
        FACTORS: sl.MatrixFactorization,
        BLEND: sl.Hybrid,
    }


def _sentence(bench: Bench, found: Mapping[str, Mapping[str, Measured]]) -> str:
    finer = {name: gap(one[LEARNED], one[FIRST]) for name, one in found.items()}
    model = {name: gap(one[ITEM], one[LEARNED]) for name, one in found.items()}
    most = bench.claim(
        all(model[name].difference > abs(finer[name].difference) for name in found)
        and all(test.low > 0 for test in model.values()),
        "The note is right: from one column to all of them with learned weights HR@10 changes by "
        + " and ".join(f"{told(test)} ({name})" for name, test in finer.items())
        + ", from there to the plainest collaborative model by "
        + " and ".join(told(test) for test in model.values())
        + ".",
    )
    popular = {name: gap(one[LEARNED], one[POPULARITY]) for name, one in found.items()}
    content = bench.claim(
        popular[FILMS].high < 0 < popular[JOBS].low,
        "Content first is right as the first thing to build, since it needs nobody's choices, "
        "but measure it: on the films it loses to popularity "
        f"({told(popular[FILMS])}), on the job data it wins ({told(popular[JOBS])}).",
    )
    return f"{most} {content} Where features pay is the cold start (below)."
