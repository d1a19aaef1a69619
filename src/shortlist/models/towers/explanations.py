"""What a score of two towers is made of: the parts that ids, features and chosen items add."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from shortlist.data.dataset import Dataset
from shortlist.models.towers.inputs import history_rows
from shortlist.models.towers.layers import linear_at
from shortlist.models.towers.learned import TowersLearned
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats


def score_parts(towers: TowersLearned, profiles: Profiles, data: Dataset, item: int) -> list[Parts]:
    """Take the dot product of one query's vector and an item's apart, exactly.

    Without hidden layers the vector is a sum. With them it is, for one input, still linear: ReLU
    lets some units through and others not. What the layers' own biases add is a part of its own.

    Parameters
    ----------
    towers
        What was learned.
    profiles
        One query.
    data
        What it was learned from.
    item
        A row.
    """
    depth, target = towers.depth, towers.items[item].astype(np.float64)
    inputs = towers.inputs(profiles)[0, :depth].astype(np.float64)
    jacobian, rest = linear_at(towers.dense, inputs, depth)
    scale = 1.0
    if towers.normalized:
        length = float(np.linalg.norm(inputs @ jacobian + rest))
        scale = 1 / length if length else 0.0
    pull = scale * (jacobian @ target[:depth])  # (d,)
    own = np.concatenate([pull, np.zeros(int(towers.biases))])  # a user's own bias changes no order
    inward = _inputs(towers, profiles, data)
    found = [Parts(kind, names, rows @ own) for kind, names, rows in inward]
    if towers.dense:
        amount = scale * float(rest @ target[:depth])
        found.append(Parts("layers", pa.array(["the layers' biases"]), np.array([amount])))
    if towers.biases:
        found.append(Parts("bias", pa.array(["of the item"]), target[-1:]))
    return [one for one in found if len(one.names)]


def _inputs(
    towers: TowersLearned, profiles: Profiles, data: Dataset
) -> Iterator[tuple[str, pa.Array, Floats]]:
    """Give what puts something into the input of one query: kind, names, and rows (n, w)."""
    if towers.biases:
        yield "everybody", pa.array(["what all users share"]), towers.everybody[np.newaxis]
    if towers.trained(profiles)[0]:
        yield "training", pa.array(["the user's id"]), towers.user_ids[profiles.users]
    features = towers.features_of(profiles)
    if features is not None and towers.encoder is not None:
        names = pa.array(towers.encoder.names, pa.string()).take(pa.array(features.indices))
        rows = features.data[:, np.newaxis] * towers.user_features[features.indices]
        yield "feature", names, rows
    if len(towers.chosen):
        history = history_rows(profiles.history)
        rows = history.data[:, np.newaxis] * towers.chosen[history.indices]
        yield "chosen item", data.items.take(history.indices), rows
