"""How well simple models find what is held out of a planted structure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.samples.jobs.world import JobWorld


def recall(world: JobWorld) -> dict[str, float]:
    """Hold out a random application of each user; return Recall@5 of three simple models."""
    shape = (len(world.resume_work), len(world.posting_work))
    rng = np.random.default_rng(5)
    order = rng.permutation(len(world.resume_rows))
    held = order[np.unique(world.resume_rows[order], return_index=True)[1]]
    kept = np.setdiff1d(order, held)
    log = (np.ones(len(kept)), (world.resume_rows[kept], world.posting_rows[kept]))
    seen = csr_array(log, shape=shape)
    by_user = seen / np.sqrt(seen.sum(1))[:, None]
    by_item = seen / np.sqrt(np.maximum(seen.sum(0), 1))[None, :]
    scores: dict[str, Callable[[NDArray[np.int64]], NDArray[np.float64]]] = {
        "popularity": lambda part: np.tile(seen.sum(0), (len(part), 1)),
        "user cosine": lambda part: (by_user[part] @ by_user.T @ seen).toarray(),
        "item cosine": lambda part: (seen[part] @ (by_item.T @ by_item)).toarray(),
    }
    true, hits = world.posting_rows[held], dict.fromkeys(scores, 0)
    for part in np.array_split(np.arange(shape[0]), max(1, shape[0] // 1000)):
        for name, score in scores.items():
            block = score(part) + 1e-9 * rng.random((len(part), shape[1]))
            block[seen[part].toarray() > 0] = -np.inf
            above = block > block[np.arange(len(part)), true[part]][:, None]
            hits[name] += int((above.sum(1) < 5).sum())
    return {name: count / shape[0] for name, count in hits.items()}
