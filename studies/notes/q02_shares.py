"""Q2: whether features get too little weight because there are fewer of them."""

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
from shortlist.models.hybrid.terms import FORMS
from shortlist.scoring.sparse import binary

from .bench import FILMS, JOBS, Bench
from .document import Section, Table
from .measure import HIT, Measured, compare_with_reference, delta, gap, percent

USERS_ONLY = partial(  # S_user R over the 50 nearest; the item term is not used
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
ACTION, FEATURES = "interactions only (w = 0)", "features only"
WEIGHTS = (0.03, 0.1, 0.3, 1.0, 3.0)
WAYS: dict[str, Callable[[], Model[Any, Any]]] = {
    ACTION: partial(USERS_ONLY, user_blocks="action", user_feature_weight=0),
    **{f"w = {weight:g}": partial(USERS_ONLY, user_feature_weight=weight) for weight in WEIGHTS},
    FEATURES: partial(USERS_ONLY, user_blocks="features", user_feature_weight=1),
}
LENGTH = "of the squared length of a row"
SIMILARITY = "of the dot product of two rows"
RAW = "of the squared length, unscaled numbers"
PAIRS = 200_000  # random pairs of users
CHECKED = 400  # users on whom the identity is checked
REFERENCE = {0.05: (0.067, 0.097), 0.5: (0.054, 0.081), 1.0: (0.048, 0.077)}  # HR@5, HR@10 by w

REFERENCE_SHARE = 0.045  # of a film viewer's features


def answer(bench: Bench) -> Section:
    """Compute the shares, the quality by weight, and check the identity behind it."""
    shares = {world.name: _shares(world.data) for world in bench}
    results = {
        world.name: {way: bench.measured(world, model) for way, model in WAYS.items()}
        for world in bench
    }
    few = "jobs, one known interaction"
    results[few] = {way: result.where(result.history == 1) for way, result in results[JOBS].items()}
    return Section(
        title="Q2. Do features get too little weight beside the choices?",
        summary="too little on the films, far too much on the job data; the lengths of the blocks "
        "decide, so weight the blocks.",
        quotes=[
            (
                "user-feat 개수보다 item 개수가 훨씬 많기 때문에, 비중이 낮게 잡히지 않을지",
                "There are far fewer user features than items: will their share not be too low?",
            )
        ],
        setup="The share of the features in one cosine over interactions and features, both as "
        "zeros and ones; then `S_user R` over the 50 nearest users with `S_user = "
        "cos(interactions) + w cos(features)`, with learned column weights, for several w.",
        results=[
            Table(
                ["share of the features (median)", *shares],
                [
                    [name, *(percent(result[name]) for result in shares.values())]
                    for name in (LENGTH, SIMILARITY, RAW)
                ],
            ),
            "HR@10 by weight:",
            Table(
                ["user similarity", *results],
                [[way, *(str(result[way][HIT]) for result in results.values())] for way in WAYS],
            ),
        ],
        answer=" ".join([_fear(bench, shares), _identity(bench), _use(bench, results)]),
        reference=f"{_reference(bench)} The share of the features of a film viewer is "
        f"{percent(shares[FILMS][LENGTH])} here and {percent(REFERENCE_SHARE)} in the reference, "
        "because the encoder writes a number as two cells: its value, and whether it is known.",
    )


def _fear(bench: Bench, shares: Mapping[str, Mapping[str, float]]) -> str:
    films, jobs = shares[FILMS][LENGTH], shares[JOBS][LENGTH]
    return bench.claim(
        films < 0.25 and jobs > 0.5,
        f"Yes on the films, where features are {percent(films)} of a row; on the job data it is "
        f"the opposite: they are {percent(jobs)} and outweigh the interactions. The length of a "
        "block counts, not its number of columns.",
    )


def _identity(bench: Bench) -> str:
    """Check that concatenated weighted blocks have the weighted sum of the cosines."""
    largest = 0.0
    for world in bench:
        choices, features = (_unit(block[:CHECKED].toarray()) for block in _blocks(world.data))
        for weight in WEIGHTS:
            rows = np.hstack([choices, np.sqrt(weight) * features])
            summed = choices @ choices.T + weight * (features @ features.T)
            largest = max(largest, float(np.abs(rows @ rows.T - summed).max()))
    return bench.claim(
        largest < 1e-12,
        "If the length of each block is the square root of its weight, the dot product is the "
        f"weighted sum of the cosines (largest difference {largest:.0e}): concatenating the "
        "blocks and adding the similarities are the same model, and w is a setting to tune.",
    )


def _use(bench: Bench, results: Mapping[str, Mapping[str, Measured]]) -> str:
    """Report where features help, at the best weight of the table."""
    sentences = []
    for name, ways in results.items():
        best = max((f"w = {result:g}" for result in WEIGHTS), key=lambda way: ways[way].mean(HIT))
        test = gap(ways[best], ways[ACTION])
        if name == FILMS:
            sentence = f"On {name} even the best w has no significant effect: {delta(test)} HR@10"
            sentences.append(bench.claim(test.low <= 0, sentence))
        else:
            sentence = f"on {name} {best} adds {delta(test)}"
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
    return compare_with_reference(ours)


def _blocks(data: sl.Dataset) -> tuple[csr_array, csr_array]:
    """Return interactions and features as zeros and ones, with equal column weights."""
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
    result, other = rng.integers(0, data.n_users, (2, PAIRS))
    result, other = result[result != other], other[result != other]
    shared = [
        np.asarray(block[result].multiply(block[other]).sum(axis=1)).ravel()
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
    """Sum the squares of all numbers of each row, unknown ones as 0."""
    assert table is not None
    numbers = [
        table.column(field.name).to_numpy().astype(np.float64)
        for field in table.schema
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    ]
    return np.asarray((np.nan_to_num(np.stack(numbers)) ** 2).sum(axis=0))
