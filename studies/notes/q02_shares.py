"""Q2: whether features count for little beside choices because there are fewer of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

import shortlist as sl
from shortlist.models.base import Model
from shortlist.models.feature_similarity import FeatureSimilarity
from shortlist.models.hybrid.config import FORMS
from shortlist.scoring.sparse import binary

from .bench import FILMS, JOBS, Bench
from .document import Section, Table
from .measure import HIT, Measured, beside, gap, percent, told

USERS_ONLY = partial(  # S_user R over the 50 nearest; the items' side plays no part
    sl.Hybrid,
    user_term=1,
    item_term=0,
    both_term=0,
    user_neighbors=50,
    cold_neighbors=50,
    item_blocks="interactions",
    item_neighbors=1,
    item_feature_weight=0,
)
ACTION, FEATURES = "choices alone (w = 0)", "features alone"
WEIGHTS = (0.03, 0.1, 0.3, 1.0, 3.0)
WAYS: dict[str, Callable[[], Model[Any, Any]]] = {
    ACTION: partial(USERS_ONLY, user_blocks="action", user_feature_weight=0),
    **{f"w = {weight:g}": partial(USERS_ONLY, user_feature_weight=weight) for weight in WEIGHTS},
    FEATURES: partial(USERS_ONLY, user_blocks="features", user_feature_weight=1),
}
LENGTH = "of the squared length of a row"
SIMILARITY = "of the dot product of two rows"
RAW = "of the squared length, numbers as they are"
PAIRS = 200_000  # of users, drawn
CHECKED = 400  # users on whom the identity is checked
REFERENCE = {0.05: (0.067, 0.097), 0.5: (0.054, 0.081), 1.0: (0.048, 0.077)}  # HR@5, HR@10 by w

REFERENCE_SHARE = 0.045  # of a film viewer's features


def answer(bench: Bench) -> Section:
    """Give the shares, the quality by weight, and the identity behind it."""
    shares = {world.name: _shares(world.data) for world in bench}
    found = {
        world.name: {way: bench.measured(world, model) for way, model in WAYS.items()}
        for world in bench
    }
    few = "jobs, one choice known"
    found[few] = {way: one.where(one.history == 1) for way, one in found[JOBS].items()}
    return Section(
        title="Q2. Do features get too little weight beside the choices?",
        short="too little on the films, far too much on the job data; lengths decide, so weight "
        "the blocks.",
        asked=[
            (
                "user-feat 개수보다 item 개수가 훨씬 많기 때문에, 비중이 낮게 잡히지 않을지",
                "There are far fewer user features than items: will their share not be too low?",
            )
        ],
        tried="What share features have where they are laid beside the choices as zeros and ones "
        "and one cosine is taken; then `S_user R` over the 50 nearest users with "
        "`S_user = cos(choices) + w cos(features)`, the columns' weights learned, for several w.",
        found=[
            Table(
                ["share of the features (median)", *shares],
                [
                    [name, *(percent(one[name]) for one in shares.values())]
                    for name in (LENGTH, SIMILARITY, RAW)
                ],
            ),
            "HR@10 by weight:",
            Table(
                ["user similarity", *found],
                [[way, *(str(one[way][HIT]) for one in found.values())] for way in WAYS],
            ),
        ],
        answer=" ".join([_fear(bench, shares), _identity(bench), _use(bench, found)]),
        reference=f"{_reference(bench)} The share of the features of a film viewer is "
        f"{percent(shares[FILMS][LENGTH])} here and {percent(REFERENCE_SHARE)} there: the encoder "
        "writes a number as two cells, its value and that it is known.",
    )


def _fear(bench: Bench, shares: Mapping[str, Mapping[str, float]]) -> str:
    films, jobs = shares[FILMS][LENGTH], shares[JOBS][LENGTH]
    return bench.claim(
        films < 0.25 and jobs > 0.5,
        f"Yes on the films, where features make {percent(films)} of a row; on the job data it is "
        f"the other way round, they make {percent(jobs)} and drown the choices. What counts is "
        "the length of a block, not its number of columns.",
    )


def _identity(bench: Bench) -> str:
    """Check that weighted blocks side by side have the weighted sum of the cosines."""
    largest = 0.0
    for world in bench:
        choices, features = (_unit(block[:CHECKED].toarray()) for block in _blocks(world.data))
        for weight in WEIGHTS:
            rows = np.hstack([choices, np.sqrt(weight) * features])
            summed = choices @ choices.T + weight * (features @ features.T)
            largest = max(largest, float(np.abs(rows @ rows.T - summed).max()))
    return bench.claim(
        largest < 1e-12,
        "Give each block length 1 times the root of its weight, and the dot product is the "
        f"weighted sum of the cosines (largest difference {largest:.0e}): side by side, and "
        "similarity plus similarity, are one model, and w is a setting to tune.",
    )


def _use(bench: Bench, found: Mapping[str, Mapping[str, Measured]]) -> str:
    """Say where features help, at the best weight of the table."""
    sentences = []
    for name, ways in found.items():
        best = max((f"w = {one:g}" for one in WEIGHTS), key=lambda way: ways[way].mean(HIT))
        test = gap(ways[best], ways[ACTION])
        if name == FILMS:
            sentence = (
                f"On {name} even the best w adds nothing that can be told: {told(test)} HR@10"
            )
            sentences.append(bench.claim(test.low <= 0, sentence))
        else:
            sentence = f"on {name} {best} adds {told(test)}"
            sentences.append(bench.claim(test.low > 0, sentence))
    return "; ".join(sentences) + "."


def _reference(bench: Bench) -> str:
    """Measure the weights of the reference: all neighbours, films."""
    ours = {}
    for weight, (at_5, at_10) in REFERENCE.items():
        settings = FORMS["user action + features"] | {"user_feature_weight": weight}
        measured = bench.measured(bench.worlds[FILMS], partial(sl.Hybrid, **settings))
        ours[f"w = {weight:g} over all users, HR@5"] = measured["hit_rate@5"], at_5
        ours[f"w = {weight:g} over all users, HR@10"] = measured[HIT], at_10
    return beside(ours)


def _blocks(data: sl.Dataset) -> tuple[csr_array, csr_array]:
    """Give choices and features as zeros and ones, all columns counting alike."""
    choices = binary(data.matrix)
    likeness = FeatureSimilarity.learn(data.user_features, choices, weights={})
    assert likeness is not None
    assert data.user_features is not None
    features = binary(likeness.rows(data.user_features))
    return choices.astype(np.float64), features.astype(np.float64)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1))


def _shares(data: sl.Dataset) -> dict[str, float]:
    choices, features = _blocks(data)
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, data.n_users, (2, PAIRS))
    one, other = one[one != other], other[one != other]
    shared = [
        np.asarray(block[one].multiply(block[other]).sum(axis=1)).ravel()
        for block in (features, choices)
    ]
    alike = shared[0] + shared[1] > 0
    return {
        LENGTH: _median_share(np.diff(features.indptr), data.user_counts),
        SIMILARITY: _median_share(shared[0][alike], shared[1][alike]),
        RAW: _median_share(_raw_squares(data.user_features), data.user_counts),
    }


def _median_share(part: NDArray[Any], rest: NDArray[Any]) -> float:
    return float(np.median(part / (part + rest)))


def _raw_squares(table: pa.Table | None) -> NDArray[np.float64]:
    """Add up the squares of all numbers of each row, unknown ones as 0."""
    assert table is not None
    numbers = [
        table.column(field.name).to_numpy().astype(np.float64)
        for field in table.schema
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    ]
    return np.asarray((np.nan_to_num(np.stack(numbers)) ** 2).sum(axis=0))
