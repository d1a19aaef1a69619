"""Matrix factorisation by the study notes (PyTorch, plain autograd) and by this library.

    python benchmarks/factorization_speed.py [--iterations 1000] [--rounds 10] [--json OUT]

Both run in one process, start from the same factors and take the same full-batch steps of gradient
descent on ML-100K (30 dimensions, learning rate 10, as in the notes). They alternate, so that other
load slows down both, and their losses must be equal after every round.
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
    """The notes' ``CFModelPyTorch`` and its loss, repaired so that they run.

    The factors require gradients, ids are row numbers, and the tensor has the shape of the
    catalogue, is coalesced, and uses the current PyTorch API.
    """

    def __init__(self, data: sl.Dataset, users: Tensor, items: Tensor) -> None:
        indices = torch.tensor(np.stack([data.user_rows, data.item_rows]).astype(np.int64))
        self.ratings = torch.sparse_coo_tensor(
            indices,
            torch.tensor(data.weights),
            (data.n_users, data.n_items),
            check_invariants=True,
        ).coalesce()
        self.users, self.items = users.requires_grad_(), items.requires_grad_()
        self.optimizer = torch.optim.SGD([self.users, self.items], lr=SETTINGS["learning_rate"])

    def loss(self) -> Tensor:
        """Compute the mean squared error from the rows of every rating: O(ratings * f)."""
        user_embedded = self.users[self.ratings.indices()[0]]
        movie_embedded = self.items[self.ratings.indices()[1]]
        predictions = (user_embedded * movie_embedded).sum(1)
        return torch.mean((predictions - self.ratings.values()) ** 2)

    def train(self, iterations: int) -> float:
        """Take steps; return the loss before the last step."""
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
    users, items = (rows.detach()[:, :size].clone() for rows in (start.users, start.items))
    notes = NotesModel(train, users, items)
    losses = [(notes.train(1), ours.fit(train).history["loss"][0].as_py())]  # warms both up
    seconds, processor = [], []
    for _ in range(options.rounds):
        times = [(time.perf_counter(), time.process_time())]
        notes_loss = notes.train(each)
        times.append((time.perf_counter(), time.process_time()))
        ours.resume(each)
        times.append((time.perf_counter(), time.process_time()))
        clock, cpu = (np.diff(column).tolist() for column in zip(*times, strict=True))
        seconds.append(clock)
        processor.append(cpu)
        losses.append((notes_loss, ours.history["loss"][-1].as_py()))
    gap = max(abs(notes_loss - our_loss) for notes_loss, our_loss in losses)
    if gap > TOLERANCE:
        raise SystemExit(f"the losses differ by {gap:.1e}, more than {TOLERANCE:g}: {losses}")
    notes_s, ours_s = (sum(column) for column in zip(*seconds, strict=True))
    notes_cpu, ours_cpu = (sum(column) for column in zip(*processor, strict=True))
    ratios = sorted(notes_time / our_time for notes_time, our_time in seconds)
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
    for name, wall, cpu in (("the notes' code", notes_s, notes_cpu), ("ours", ours_s, ours_cpu)):
        wall_ms, cpu_ms = (1000 * total / (each * options.rounds) for total in (wall, cpu))
        print(f"  {name:<16}{wall:8.2f} s  {wall_ms:8.2f} ms each, {cpu_ms:.2f} ms of CPU time")
    print(
        f"  {result['ratio']:.1f} times as fast (rounds: minimum {ratios[0]:.1f}, "
        f"median {np.median(ratios):.1f}); losses within {gap:.1e}; load {result['load']:.1f}"
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
