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
from .measure import HIT, Fold, Measured, Scores, gap, three, told

MF = sl.MatrixFactorization
COURSE = partial(MF, optimizer="sgd", init_std=0.05)
OBSERVED, GRAVITY = "known cells only", "known cells, lengths and all cells, as in the course"
LENGTHS, BIASES = "known cells and lengths (no gravity)", "known cells only, with biases"
DEFAULT, ALS = "`MatrixFactorization()`: as the course, tuned", "`IALS()`: choices and all cells"
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
            str(one[HIT]),
            three(float(np.sqrt(one.mean("rmse")))) if "rmse" in one.values else "",
            str(on_jobs[name][HIT]) if name in on_jobs else "",
        ]
        for name, one in by_loss.items()
    ]
    header = ["u.v, trained on", f"{FILMS}: HR@10", f"{FILMS}: RMSE", f"{JOBS}: HR@10"]
    power_rows = [
        [way]
        + [
            text
            for one in by_power.values()
            for text in (str(one[way].measured[HIT]), f"{one[way].users:.0f}")
        ]
        for way in POWERS
    ]
    power_header = [
        "score",
        *(f"{name}: {what}" for name in by_power for what in ("HR@10", "users of a listed item")),
    ]
    return Section(
        title="Q7. Is multiplying the vectors the heart of it?",
        short="half of it; the other half is what it is trained on.",
        asked=[
            (
                "결국 이거 곱하는게 핵심인것 같은데?",
                "In the end, is multiplying these not the point?",
            ),
            ("`predictions = (user_embedded * movie_embedded).sum(1)`", None),
        ],
        tried="The same product of two vectors, trained on different losses (the settings of the "
        "Google course where it has them); then the vectors of `MatrixFactorization()`, scored "
        "with the length of the item's vector taken out by degrees.",
        found=[Table(header, rows), Table(power_header, power_rows)],
        answer=_sentence(bench, by_loss, on_jobs, by_power),
        reference="It has no figures of its own for this, and says the same: add the cells nobody "
        "chose; the product favours what is popular, the cosine does not, and a power of the "
        "length lies between. That a product beats a learned similarity (Rendle et al. 2020) is "
        "measured with the neural models: `benchmarks/ncf_protocol.py`.",
    )


def _sentence(
    bench: Bench,
    films: Mapping[str, Measured],
    jobs: Mapping[str, Measured],
    powers: Mapping[str, Mapping[str, Scored]],
) -> str:
    gains = [gap(one[GRAVITY], one[LENGTHS]) for one in (films, jobs)]
    tuned = [gap(one[DEFAULT], one[OBSERVED]) for one in (films, jobs)]
    loss = bench.claim(
        all(test.low > 0 for test in [*gains, *tuned]),
        "It is half of it; the other half is what the product is trained on. Bringing in the "
        f"cells that nobody chose (gravity) raises HR@10 by {told(gains[0])} ({FILMS}) and "
        f"{told(gains[1])} ({JOBS}); tuned, the same product stands {told(tuned[0])} and "
        f"{told(tuned[1])} above known cells only.",
    )
    error = [float(np.sqrt(films[name].mean("rmse"))) for name in (OBSERVED, BIASES)]
    ratings = (
        f"Biases change the RMSE from {three(error[0])} to {three(error[1])} and HR@10 by "
        f"{told(gap(films[BIASES], films[OBSERVED]))}."
    )
    dot, _, cosine = POWERS
    norms = bench.claim(
        all(one[dot].users > one[cosine].users for one in powers.values()),
        "The product holds popularity in the lengths of the vectors: without them (cosine) the "
        "listed items have "
        + " and ".join(f"{one[cosine].users / one[dot].users:.2f}" for one in powers.values())
        + " times the users, and HR@10 changes by "
        + " and ".join(
            told(gap(one[cosine].measured, one[dot].measured)) for one in powers.values()
        )
        + ".",
    )
    return f"{loss} {ratings} {norms}"


@dataclass(frozen=True)
class Scored:
    """What a way of scoring reaches, and how many users a listed item has."""

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
            scores = dense_factors(vectors[0], np.ascontiguousarray(items.T), no_bias(items))
            users.setdefault(name, []).append(
                float(fold.train.item_counts[fold.best(scores)].mean())
            )
            yield name, scores

    measured = bench.each(world, ways)
    return {name: Scored(one, float(np.mean(users[name]))) for name, one in measured.items()}


def no_bias(items: Scores) -> Scores:
    """Give zeros, one an item."""
    return np.zeros(len(items), dtype=np.float32)
