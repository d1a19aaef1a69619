"""Q7: whether the product of two vectors is the heart of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import shortlist as sl
from shortlist.kernels.scores import dense_factors
from shortlist.models.base import Model

from .bench import FILMS, JOBS, Bench, World
from .document import Section, Table
from .measure import HIT, Fold, Measured, Scores, delta, gap, rounded

MF = sl.MatrixFactorization
COURSE = partial(MF, optimizer="sgd", init_std=0.05)
OBSERVED, GRAVITY = "known cells only", "known cells, L2 penalty and all cells, as in the course"
LENGTHS, BIASES = "known cells and L2 penalty (no gravity)", "known cells only, with biases"
DEFAULT, ALS = (
    "`MatrixFactorization()`: as the course, tuned",
    "`IALS()`: interactions and all cells",
)
SOFTMAX = "softmax over the items"
LOSSES: dict[str, Callable[[], Model[Any, Any]]] = {
    OBSERVED: partial(COURSE, loss="observed", embedding_size=30, epochs=1000, learning_rate=10),
    BIASES: partial(
        COURSE, loss="observed", embedding_size=30, epochs=1000, learning_rate=10, biases=True
    ),
    LENGTHS: partial(
        COURSE, gravity=0, regularization=0.1, embedding_size=35, epochs=2000, learning_rate=20
    ),
    GRAVITY: partial(
        COURSE, gravity=1, regularization=0.1, embedding_size=35, epochs=2000, learning_rate=20
    ),
    SOFTMAX: partial(MF, loss="softmax"),
    DEFAULT: MF,
    ALS: sl.IALS,
}
ON_JOBS = (OBSERVED, LENGTHS, GRAVITY, DEFAULT, ALS)  # softmax takes minutes there
POWERS = {"u.v": 0.0, "u.v / root of the length of v": 0.5, "u.v / length of v (cosine)": 1.0}


def answer(bench: Bench) -> Section:
    """Train the same product by several losses; then score one set of vectors in several ways."""
    films, jobs = bench.worlds[FILMS], bench.worlds[JOBS]
    by_loss = {name: bench.measured(films, model) for name, model in LOSSES.items()}
    on_jobs = {name: bench.measured(jobs, LOSSES[name]) for name in ON_JOBS}
    by_power = {world.name: _by_power(bench, world) for world in bench}
    rows = [
        [
            name,
            str(result[HIT]),
            rounded(float(np.sqrt(result.mean("rmse")))) if "rmse" in result.values else "",
            str(on_jobs[name][HIT]) if name in on_jobs else "",
        ]
        for name, result in by_loss.items()
    ]
    header = ["u.v, trained on", f"{FILMS}: HR@10", f"{FILMS}: RMSE", f"{JOBS}: HR@10"]
    power_rows = [
        [way]
        + [
            text
            for result in by_power.values()
            for text in (str(result[way].measured[HIT]), f"{result[way].users:.0f}")
        ]
        for way in POWERS
    ]
    power_header = [
        "score",
        *(
            f"{name}: {column}"
            for name in by_power
            for column in ("HR@10", "users per listed item")
        ),
    ]
    return Section(
        title="Q7. Is multiplying the vectors the heart of it?",
        summary="half of it; the other half is the loss it is trained on.",
        quotes=[
            (
                "결국 이거 곱하는게 핵심인것 같은데?",
                "In the end, is multiplying these not the point?",
            ),
            ("`predictions = (user_embedded * movie_embedded).sum(1)`", None),
        ],
        setup="The same product of two vectors, trained on different losses (with the settings "
        "of the Google course where it gives them); then the vectors of `MatrixFactorization()`, "
        "scored with the length of the item vector removed by degrees.",
        results=[Table(header, rows), Table(power_header, power_rows)],
        answer=_sentence(bench, by_loss, on_jobs, by_power),
        reference="The reference has no figures for this, but the same conclusions: add the "
        "unobserved cells; the product favours popular items, the cosine does not, and a power "
        "of the length is in between. `benchmarks/ncf_protocol.py` measures whether a product "
        "beats a learned similarity (Rendle et al. 2020).",
    )


def _sentence(
    bench: Bench,
    films: Mapping[str, Measured],
    jobs: Mapping[str, Measured],
    powers: Mapping[str, Mapping[str, Scored]],
) -> str:
    gains = [gap(result[GRAVITY], result[LENGTHS]) for result in (films, jobs)]
    tuned = [gap(result[DEFAULT], result[OBSERVED]) for result in (films, jobs)]
    loss = bench.claim(
        all(test.low > 0 for test in [*gains, *tuned]),
        "It is half of it; the other half is the loss that the product is trained on. Including "
        f"the unobserved cells (gravity) raises HR@10 by {delta(gains[0])} ({FILMS}) and "
        f"{delta(gains[1])} ({JOBS}); tuned, the same product is {delta(tuned[0])} and "
        f"{delta(tuned[1])} above training on known cells only.",
    )
    error = [float(np.sqrt(films[name].mean("rmse"))) for name in (OBSERVED, BIASES)]
    ratings = (
        f"Biases change the RMSE from {rounded(error[0])} to {rounded(error[1])} and HR@10 by "
        f"{delta(gap(films[BIASES], films[OBSERVED]))}."
    )
    dot, _, cosine = POWERS
    norms = bench.claim(
        all(result[dot].users > result[cosine].users for result in powers.values()),
        "The lengths of the vectors contain popularity: without them (cosine) the listed items "
        "have "
        + " and ".join(
            f"{result[cosine].users / result[dot].users:.2f}" for result in powers.values()
        )
        + " times as many users, and HR@10 changes by "
        + " and ".join(
            delta(gap(result[cosine].measured, result[dot].measured)) for result in powers.values()
        )
        + ".",
    )
    return f"{loss} {ratings} {norms}"


@dataclass(frozen=True)
class Scored:
    """The metrics of a way of scoring, and the mean number of users per listed item."""

    measured: Measured
    users: float


def _by_power(bench: Bench, world: World) -> dict[str, Scored]:
    """Score by ``u.v / |v|^power``."""
    users: dict[str, list[float]] = {}

    def ways(fold: Fold) -> Iterator[tuple[str, Scores]]:
        model = MF().fit(fold.train)
        vectors = model.user_vectors()[fold.users], model.item_vectors()
        lengths = np.linalg.norm(vectors[1].astype(np.float64), axis=1)
        for name, power in POWERS.items():
            shorter = np.where(lengths > 0, lengths, 1) ** -power
            items = (vectors[1] * shorter[:, np.newaxis]).astype(np.float32)
            scores = dense_factors(vectors[0], np.ascontiguousarray(items.T))
            users.setdefault(name, []).append(
                float(fold.train.item_counts[fold.best(scores)].mean())
            )
            yield name, scores

    measured = bench.each(world, ways)
    return {name: Scored(result, float(np.mean(users[name]))) for name, result in measured.items()}
