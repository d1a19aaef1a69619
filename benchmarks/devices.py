"""Training on the CPU and on a GPU, side by side: seconds of an epoch, and the quality.

    python benchmarks/devices.py [--data ml-1m] [--models MatrixFactorization,NeuMF]
        [--devices cpu,cuda] [--epochs 5] [--items 1000000]

The data sets are those of ``python -m benchmarks.boards``, in the folder that SHORTLIST_DATA names.
Models have their defaults but for the number of epochs. A first fit of one epoch loads libraries
and compiles; the seconds of an epoch are those by which a fit of more epochs takes longer than a
second fit of one. ``--items`` adds SASRec on a synthetic catalogue of that size, which
``large_catalogue.py`` draws: twenty choices of a user for each item.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from boards.data_sets import READERS
from large_catalogue import PER_USER, power_law

import shortlist as sl
from shortlist.models.registry import model_class
from shortlist.text import text_table

MODELS = "MatrixFactorization,GMF,MLP,NeuMF,Retrieval,Ranking,MultiTask,SASRec"
HEADER = ("data", "model", "device", "s an epoch", "NDCG@10")


def seconds_of_fit(name: str, data: sl.Dataset, **settings: Any) -> tuple[float, Any]:
    """Return the seconds of a fit, and the model."""
    model = model_class(name)(**settings)
    started = time.perf_counter()
    model.fit(data)
    if settings["device"] != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - started, model


def measured(name: str, train: sl.Dataset, device: str, epochs: int) -> tuple[float, Any]:
    """Return the seconds of an epoch, and the model after all of them."""
    validation = {"validation": 0.0} if name == "SASRec" else {}  # else it holds out a fold
    first, second = (
        seconds_of_fit(name, train, device=device, epochs=1, **validation)[0] for _ in range(2)
    )
    whole, model = seconds_of_fit(name, train, device=device, epochs=1 + epochs, **validation)
    return (whole - min(first, second)) / epochs, model


def rows(options: argparse.Namespace) -> Iterator[list[str]]:
    """Measure every model on every device."""
    root = Path(os.environ.get("SHORTLIST_DATA", "."))
    for data_set in filter(None, options.data.split(",")):
        board = READERS[data_set](root)
        for name in options.models.split(","):
            for device in options.devices.split(","):
                seconds, model = measured(name, board.train, device, options.epochs)
                quality = sl.evaluate(model, board.train, board.test, k=(10,))["ndcg@10"]
                yield [data_set, name, device, f"{seconds:.2f}", f"{quality:.4f}"]
    if options.items:
        catalogue = power_law(options.items, PER_USER * options.items)
        for device in options.devices.split(","):
            if device != "cpu":  # hours
                seconds, _ = measured("SASRec", catalogue, device, 1)
                yield [f"{options.items:,} items", "SASRec", device, f"{seconds:.0f}", ""]


def main() -> None:
    """Print each row as it is measured, then the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--devices", default="cpu,cuda")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--items", type=int, default=0)
    done = []
    for row in rows(parser.parse_args()):
        print("  ".join(row), flush=True)
        done.append(row)
    print(text_table(HEADER, done))


if __name__ == "__main__":
    main()
