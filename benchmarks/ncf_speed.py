"""Epochs of NeuMF beside peers: ML-100K, 4 negatives, batches of 2048 samples, RecBole's sizes.

    python benchmarks/ncf_speed.py [--rounds 5] [--threads 2] [--recbole PYTHON] [--json OUT]

The network is RecBole's default: 64 factors of the product, 64 of each side of the tower, layers
of 128 and 64, Adam. It is compared with the same network in plain PyTorch (dense embeddings,
autograd, ``torch.optim.Adam``), which gets its negatives for free, and with RecBole 1.2.1, if
``--recbole`` names the Python of an environment that has it. RecBole trains in its own process and
keeps its dropout of 0.1. All have the same number of threads and take turns; a round is an epoch of
each. The share of the negatives in our epoch is printed as well.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BATCH, NEGATIVES, RATE = 2048, 4, 0.001
SIZE, LAYERS = 64, [128, 64]


def serve_recbole() -> None:
    """Train an epoch for each line read; answer with its seconds. Runs in RecBole's Python."""
    import logging

    import torch
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.model.general_recommender import NeuMF
    from recbole.trainer import Trainer

    logging.disable(logging.CRITICAL)
    torch.set_num_threads(int(sys.argv[4]))
    folder = Path(sys.argv[2])
    settings: dict[str, Any] = {
        "data_path": str(folder.parent),
        "mf_embedding_size": SIZE,
        "mlp_embedding_size": SIZE,
        "mlp_hidden_size": LAYERS,
        "train_neg_sample_args": {"distribution": "uniform", "sample_num": NEGATIVES},
        "train_batch_size": BATCH,
        "learning_rate": RATE,
        "load_col": {"inter": ["user_id", "item_id"]},
        "use_gpu": False,
        "show_progress": False,
        "checkpoint_dir": str(Path(sys.argv[3])),
    }
    sys.argv = sys.argv[:1]  # RecBole reads it
    config = Config(model="NeuMF", dataset=folder.name, config_dict=settings)
    dataset = create_dataset(config)
    train, _, _ = data_preparation(config, dataset)
    trainer = Trainer(config, NeuMF(config, train.dataset).to("cpu"))
    samples = len(train.dataset) * (1 + NEGATIVES)
    print(json.dumps({"ready": True}), flush=True)
    for epoch, _ in enumerate(sys.stdin):
        started, cpu = time.perf_counter(), time.process_time()
        loss = float(trainer._train_epoch(train, epoch, show_progress=False))
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        answer = {"seconds": seconds, "cpu": cpu, "samples": samples, "loss": loss}
        print(json.dumps(answer), flush=True)


class RecBole:
    """RecBole's trainer, in its own Python."""

    def __init__(self, python: str, folder: Path, scratch: str, threads: int) -> None:
        here, folder = Path(__file__).resolve(), folder.resolve()
        command = [python, str(here), "--serve-recbole", str(folder), scratch, str(threads)]
        self._process = subprocess.Popen(  # it leaves logs behind where it runs
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=scratch
        )
        self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise RuntimeError("RecBole did not start: see its messages above")

    def epoch(self) -> dict[str, Any]:
        """Train one epoch."""
        assert self._process.stdin is not None
        self._process.stdin.write("epoch\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def main() -> None:
    import tempfile

    import numpy as np
    import torch
    from course_data import ml_100k
    from torch import nn

    import shortlist as sl
    from shortlist.kernels.threads import thread_limit
    from shortlist.models.towers.config import NeuMFConfig
    from shortlist.models.towers.ncf_training import NCFTrainable
    from shortlist.models.training.loop import Training

    class Plain(nn.Module):
        """NeuMF in plain PyTorch modules."""

        def __init__(self, n_users: int, n_items: int) -> None:
            super().__init__()
            self.tables = nn.ModuleList(
                nn.Embedding(n, SIZE) for n in (n_users, n_items, n_users, n_items)
            )
            for table in self.tables:
                nn.init.normal_(table.weight, 0, 0.01)  # type: ignore[arg-type]
            widths = [2 * SIZE, *LAYERS]
            self.tower = nn.Sequential(
                *(part for n, m in itertools.pairwise(widths)
                  for part in (nn.Linear(n, m), nn.ReLU()))
            )  # fmt: skip
            self.head = nn.Linear(SIZE + LAYERS[-1], 1)

        def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
            p, q, r, s = (
                table(rows) for table, rows in zip(self.tables, (users, items) * 2, strict=True)
            )
            both = torch.cat([p * q, self.tower(torch.cat([r, s], 1))], 1)
            scores: torch.Tensor = self.head(both).squeeze(1)
            return scores

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--recbole", metavar="PYTHON")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    threads = options.threads
    torch.set_num_threads(threads)
    data = ml_100k()

    config = NeuMFConfig(
        embedding_size=SIZE,
        layers=len(LAYERS),
        batch_size=BATCH,
        negatives=NEGATIVES,
        learning_rate=RATE,
    )
    assert config.shape.widths == tuple(LAYERS)
    trainable = NCFTrainable(config, data, data, None)
    training = Training("NeuMF", trainable, config)
    drawing = [0.0]
    draw = trainable.negatives.draw

    def timed(seed: list[int], examples: Any) -> Any:
        started = time.perf_counter()
        negatives = draw(seed, examples)
        drawing[0] += time.perf_counter() - started
        return negatives

    trainable.negatives.draw = timed  # type: ignore[method-assign]

    def ours() -> dict[str, Any]:
        drawing[0] = 0.0
        started, cpu = time.perf_counter(), time.process_time()
        with thread_limit(threads):
            training.run(training.epoch + 1)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        samples = len(data) * trainable.samples
        loss = training.rows[-1]["loss"]
        return {"seconds": seconds, "cpu": cpu, "samples": samples, "loss": loss,
                "drawing": drawing[0] / seconds}  # fmt: skip

    model = Plain(data.n_users, data.n_items)
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    entropy = nn.BCEWithLogitsLoss()
    epoch = [0]

    def plain() -> dict[str, Any]:
        epoch[0] += 1
        items = np.concatenate([data.item_rows[:, None], draw([epoch[0]], np.arange(len(data)))], 1)
        users = torch.from_numpy(np.repeat(data.user_rows, 1 + NEGATIVES).astype(np.int64))
        flat = torch.from_numpy(items.astype(np.int64).ravel())
        labels = torch.zeros(len(flat))
        labels[:: 1 + NEGATIVES] = 1
        losses = []
        started, cpu = time.perf_counter(), time.process_time()
        for chosen in torch.split(torch.randperm(len(flat)), BATCH):
            loss = entropy(model(users[chosen], flat[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        mean = float(torch.stack(losses).mean())
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        return {"seconds": seconds, "cpu": cpu, "samples": len(flat), "loss": mean}

    trainers = {"ours": ours, "plain PyTorch": plain}
    with tempfile.TemporaryDirectory() as scratch:
        recbole = None
        if options.recbole:
            recbole = RecBole(options.recbole, Path(sl.fetch("ml-100k")), scratch, threads)
            trainers["RecBole 1.2.1"] = recbole.epoch
        rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in trainers}
        for turn in range(1 + options.rounds):
            for name, run in trainers.items():
                epoch_figures = run()
                if turn:  # the first round is a warm-up
                    rounds[name].append(epoch_figures)
        if recbole is not None:
            recbole.close()
    speeds = {
        name: [figures["samples"] / figures["seconds"] for figures in epochs]
        for name, epochs in rounds.items()
    }
    print(f"{data}, {NEGATIVES} negatives, batches of {BATCH}, {threads} threads, "
          f"{options.rounds} rounds, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    for name, epochs in rounds.items():
        ratios = [own / other for own, other in zip(speeds["ours"], speeds[name], strict=True)]
        cpu = sum(each["samples"] for each in epochs) / sum(each["cpu"] for each in epochs)
        print(
            f"  {name:<14}{statistics.median(speeds[name]):12,.0f} samples/s "
            f"[{min(speeds[name]):,.0f}, {max(speeds[name]):,.0f}], "
            f"{cpu:,.0f} per CPU second; loss {epochs[-1]['loss']:.4f}; "
            f"ours is {statistics.median(ratios):.1f} times as fast "
            f"[{min(ratios):.1f}, {max(ratios):.1f}]"
        )
    share = statistics.median(each["drawing"] for each in rounds["ours"])
    print(f"  drawing negatives: {100 * share:.1f}% of our epoch")
    if options.json:
        options.json.write_text(json.dumps(rounds, indent=2), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve-recbole"]:
        serve_recbole()
    else:
        main()
