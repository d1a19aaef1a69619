"""The models that a cascade chooses its stages from, if none are named."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from shortlist import extras
from shortlist.data.dataset import Dataset
from shortlist.machine import available_memory, gigabytes
from shortlist.models.composite import ModelSpec
from shortlist.models.ials.model import unobserved_weight

log = logging.getLogger("shortlist.cascade")

MAX_EASE_ITEMS = 9_000  # EASE inverts items x items: minutes beyond this

LIGHT_ZEROS = 3.3  # the weight of unobserved items of the second IALS: a sixth of the default

# Limits of SASRec, which a cascade fits twice, for two minutes of one core at most each time: it is
# left out for data with more than 250,000 positions in histories.
MAX_POSITIONS = 2_000_000  # trained on in all epochs together
LEAST_EPOCHS = 8  # fewer do not train it well
SEQUENCE: dict[str, Any] = {"negatives": 1024, "max_length": 50}


def pool(data: Dataset) -> tuple[ModelSpec, ...]:
    """Return the models to choose from, unfitted: the simplest first."""
    models: list[tuple[str, dict[str, Any]]] = [
        ("UserCosine", {}),
        ("ItemCosine", {}),
        ("RP3beta", {}),
        ("GraphFilter", {}),
        ("IALS", {}),
        ("IALS", light_ials(data)),
    ]
    models.append(("EASE" if data.n_items <= MAX_EASE_ITEMS else "SparseEASE", {}))
    if data.user_features is not None or data.item_features is not None:
        models.append(("Hybrid", {}))  # by choices alone it adds nothing to the two cosines
    if data.item_features is not None:
        models.append(("ContentBased", {}))
        if data.times is not None:
            # More of the history counts than by default, so that it differs from the one before.
            models.append(("ContentBased", {"aggregate": "recency", "decay": 0.8}))
    if extras.installed("torch"):
        models.append(("MatrixFactorization", {}))
        if has_order(data):
            epochs = sequence_epochs(data)
            if epochs:
                models.append(("SASRec", SEQUENCE | {"epochs": epochs}))
    specs = [ModelSpec(model=name, config=settings) for name, settings in models]
    return tuple(specs[:1] + fitting(specs[1:], data, memory_of(specs[:1], data)))


def light_ials(data: Dataset) -> dict[str, Any]:
    """Return the settings of a second IALS, which errs in other ways than the first.

    Unobserved items weigh less, and a larger penalty holds the vectors together.
    """
    alpha = float(f"{unobserved_weight(data, LIGHT_ZEROS):.2g}")  # a name that people can read
    return {"unobserved_weight": alpha, "regularization": 0.03}


def memory_of(specs: Sequence[ModelSpec], data: Dataset) -> int:
    """Return about the bytes of fitting models one after another and keeping them."""
    return sum(spec.make().memory_to_fit(data) for spec in specs)


def fitting(specs: Sequence[ModelSpec], data: Dataset, taken: int) -> list[ModelSpec]:
    """Return the models that fit into the free memory beside those before; log the others."""
    free, kept = available_memory(), []
    for spec in specs:
        needed = memory_of([spec], data)
        if free is None or taken + needed <= free:
            kept.append(spec)
            taken += needed
        else:
            log.warning(
                "%s is left out of the stages to choose from: it needs %s of memory, and %s are "
                "free beside the others; name it in stages to have it",
                spec.model,
                gigabytes(needed),
                gigabytes(max(free - taken, 0)),
            )
    return kept


def has_order(data: Dataset) -> bool:
    """Return whether times say in which order most choices of a user followed each other."""
    if data.times is None:
        return False
    order = np.lexsort((data.times, data.user_rows))
    follows = np.diff(data.user_rows[order]) == 0
    differ = np.diff(data.times[order]) > 0
    return bool(2 * (follows & differ).sum() > max(follows.sum(), (data.user_counts > 0).sum()))


def sequence_epochs(data: Dataset) -> int:
    """Return the most epochs of SASRec; 0, which is logged, if the histories are too much work."""
    positions = np.minimum(data.user_counts, SEQUENCE["max_length"] + 1) - 1
    count = int(positions.clip(min=0).sum())
    epochs = min(200, MAX_POSITIONS // max(count, 1))
    if epochs < LEAST_EPOCHS:
        log.info(
            "SASRec is left out of the stages to choose from: %s positions in histories, "
            "and %s are at most two minutes of one core; name it in stages to have it",
            f"{count:,}",
            f"{MAX_POSITIONS // LEAST_EPOCHS:,}",
        )
        return 0
    return epochs
