"""Matrix factorisation as in the notes (PyTorch, plain autograd) and ours, in one process.

    python benchmarks/factorization_speed.py [--iterations 1000] [--rounds 10] [--json OUT]

Both start from the same factors and take the same full-batch steps of gradient descent on ML-100K
(30 dimensions, learning rate 10, as in the notes). They take turns, so that a busy machine slows
both, and must have the same loss after every round.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from course_data import ml_100k
from torch import Tensor

import shortlist as sl
from shortlist.models.factorization.training import Factors

SETTINGS: dict[str, Any] = {
    "loss": "observed",
    "embedding_size": 30,
    "init_std": 0.5,
    "optimizer": "sgd",
    "learning_rate": 10.0,
}
TOLERANCE = 1e-4


class NotesModel:
    """The notes' ``CFModelPyTorch`` and its loss, with what kept it from running mended.

    The factors ask for gradients, ids are row numbers, the tensor has the shape of the catalogue
    and is coalesced, and it is made and read by today's names.
    """

    def __init__(self, data: sl.Dataset, users: Tensor, items: Tensor) -> None:
        places = torch.tensor(np.stack([data.user_rows, data.item_rows]).astype(np.int64))
        self.ratings = torch.sparse_coo_tensor(
            places,
            torch.tensor(data.weights),
            (data.n_users, data.n_items),
            check_invariants=True,
        ).coalesce()
        self.users, self.items = users.requires_grad_(), items.requires_grad_()
        self.optimizer = torch.optim.SGD([self.users, self.items], lr=SETTINGS["learning_rate"])

    def loss(self) -> Tensor:
        """Gather the rows of every rating, multiply, add up: O(ratings * f)."""
        user_embedded = self.users[self.ratings.indices()[0]]
        movie_embedded = self.items[self.ratings.indices()[1]]
        predictions = (user_embedded * movie_embedded).sum(1)
        return torch.mean((predictions - self.ratings.values()) ** 2)

    def train(self, iterations: int) -> float:
        """Take steps; give the loss before the last one."""
        for _ in range(iterations):
            self.optimizer.zero_grad()
            loss = self.loss()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        return loss.item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    each = options.iterations // options.rounds
    train, _ = sl.split.random(ml_100k(), 0.1, seed=0)
    ours = sl.MatrixFactorization(**SETTINGS, epochs=1)
    start = ours.trainable(train)
    assert isinstance(start, Factors)
    size = SETTINGS["embedding_size"]
    users, items = (side.detach()[:, :size].clone() for side in (start.users, start.items))
    notes = NotesModel(train, users, items)
    losses = [(notes.train(1), ours.fit(train).history["loss"][0].as_py())]  # both are warm now
    seconds, processor = [], []
    for _ in range(options.rounds):
        marks = [(time.perf_counter(), time.process_time())]
        theirs = notes.train(each)
        marks.append((time.perf_counter(), time.process_time()))
        ours.resume(each)
        marks.append((time.perf_counter(), time.process_time()))
        clock, cpu = (np.diff(side).tolist() for side in zip(*marks, strict=True))
        seconds.append(clock)
        processor.append(cpu)
        losses.append((theirs, ours.history["loss"][-1].as_py()))
    gap = max(abs(one - other) for one, other in losses)
    if gap > TOLERANCE:
        raise SystemExit(f"the losses differ by {gap:.1e}, more than {TOLERANCE:g}: {losses}")
    notes_s, ours_s = (sum(side) for side in zip(*seconds, strict=True))
    notes_cpu, ours_cpu = (sum(side) for side in zip(*processor, strict=True))
    ratios = sorted(theirs / mine for theirs, mine in seconds)
    result = {
        "iterations": each * options.rounds,
        "ratings": len(train),
        "notes_seconds": notes_s,
        "our_seconds": ours_s,
        "notes_cpu_seconds": notes_cpu,
        "our_cpu_seconds": ours_cpu,
        "ratio": notes_s / ours_s,
        "ratio_of_rounds": {"least": ratios[0], "median": float(np.median(ratios))},
        "loss": losses[-1],
        "largest_gap_of_losses": gap,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
    print(f"{each * options.rounds} full-batch iterations, {len(train):,} ratings, d = {size}:")
    for who, took, cpu in (("the notes' code", notes_s, notes_cpu), ("ours", ours_s, ours_cpu)):
        one, own = (1000 * total / (each * options.rounds) for total in (took, cpu))
        print(f"  {who:<16}{took:8.2f} s  {one:8.2f} ms each, {own:.2f} ms of processor")
    print(
        f"  {result['ratio']:.1f} times as fast (rounds: least {ratios[0]:.1f}, "
        f"median {np.median(ratios):.1f}); losses within {gap:.1e}; load {result['load']:.1f}"
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
