"""The protocol of He et al. (WWW 2017): each test item among published negatives, a row a model.

    python benchmarks/ncf_protocol.py PREFIX [--models GMF,MLP,NeuMF,MF] [--seed 0] [--json OUT]
    python benchmarks/ncf_protocol.py --ml-100k [--seeds 3] [--json OUT]

PREFIX names three files: PREFIX.train.rating, PREFIX.test.rating and PREFIX.test.negative, as the
authors released them for ML-1M and Pinterest. The second form makes such files of ML-100K: the last
choice of each user by time, 99 drawn negatives, and measures against the full catalogue as well.

Nothing is chosen by the test. Of every user one interaction of the training file, drawn at random,
is held out, as in the paper; it chooses the number of epochs (training stops after ``patience``
epochs without a better NDCG@10, and the best epoch is kept), and for GMF the penalty out of three.
``MF`` is the dot product with biases of Rendle et al. (RecSys 2020), with their settings and all of
the training file. A figure among 99 sampled items says little about one against the full catalogue.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from course_data import ml_100k
from numpy.typing import NDArray
from published_split import NEGATIVE, TEST, TRAIN, PublishedSplit, read_split

import shortlist as sl
from shortlist.models.registry import model_class
from shortlist.text import text_table

DOT_PRODUCT: dict[str, Any] = {  # Rendle et al., their settings for ML-1M, 0.002 per sample
    "embedding_size": 192,
    "weighted": False,
    "biases": True,
    "rejection": False,
    "init_std": 0.1,
    "negatives": 8,
    "regularization": 0.005,
    "optimizer": "sgd",
    "batch_size": 900,
    "learning_rate": 0.002 * 900,
    "epochs": 256,
}
PRETRAINED: dict[str, Any] = {  # the paper's recipe; GMF is the better half, and weighs more
    "pretraining": 60,
    "epochs": 10,
    "alpha": 0.7,
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "regularization": 0.005,
}
STOPPED: dict[str, Any] = {"embedding_size": 64, "epochs": 60, "validation": 1.0, "patience": 4}
SETTINGS: dict[str, tuple[str, list[dict[str, Any]]]] = {  # of several, the validation fold chooses
    "GMF": ("GMF", [STOPPED | {"regularization": penalty} for penalty in (0.003, 0.005, 0.01)]),
    "MLP": ("MLP", [STOPPED]),
    "NeuMF": ("NeuMF", [STOPPED | PRETRAINED]),
    "MF": ("GMF", [DOT_PRODUCT]),
    "Popularity": ("Popularity", [{}]),
    "UserCosine": ("UserCosine", [{}]),
    "ItemCosine": ("ItemCosine", [{}]),
    "EASE": ("EASE", [{}]),
    "IALS": ("IALS", [{}]),
}
DEFAULT = "GMF,MLP,NeuMF,MF"


def write_split(prefix: Path, train: sl.Dataset, test: sl.Dataset, count: int, seed: int) -> None:
    """Write a split with drawn negatives in the released format; ids are rows."""
    rng = np.random.default_rng(seed)
    for data, ending in ((train, TRAIN), (test, TEST)):
        assert data.times is not None
        columns: list[NDArray[Any]] = [data.user_rows, data.item_rows, data.weights]
        lines = zip(*(one.tolist() for one in (*columns, data.times // 10**6)), strict=True)
        text = "".join(f"{u}\t{i}\t{w:g}\t{at}\n" for u, i, w, at in lines)
        Path(f"{prefix}{ending}").write_text(text, encoding="utf-8")
    known = train.matrix + test.matrix
    with Path(f"{prefix}{NEGATIVE}").open("w", encoding="utf-8") as file:
        for user, item in zip(test.user_rows.tolist(), test.item_rows.tolist(), strict=True):
            free = np.setdiff1d(np.arange(train.n_items), known[[user]].indices)
            drawn = rng.choice(free, min(count, len(free)), replace=False).tolist()
            file.write("\t".join([f"({user},{item})", *map(str, drawn)]) + "\n")


def measured(name: str, given: PublishedSplit, seed: int, *, full: bool) -> dict[str, Any]:
    """Fit a model and rank each test item among its negatives, or also among all items."""
    kind, candidates = SETTINGS[name]
    model_type = model_class(kind)
    if "seed" in model_type.Config.model_fields:
        candidates = [settings | {"seed": seed} for settings in candidates]
    started = time.perf_counter()
    models = [model_type(**settings).fit(given.train) for settings in candidates]
    model = models[0] if len(models) == 1 else min(models, key=held_out_loss)
    seconds = time.perf_counter() - started
    report = sl.evaluate_sampled(model, given.train, given.test, given.negatives, k=10)
    row = {
        "model": name,
        "hr": report[f"hit_rate@10 ({report.label})"],
        "ndcg": report[f"ndcg@10 ({report.label})"],
        "seconds": seconds,
        "epochs": model.history.num_rows,
        "seed": seed,
        "protocol": report.protocol,
        "settings": candidates[models.index(model)],
    }
    if full:
        whole = sl.evaluate(model, given.train, given.test, k=10)
        row |= {"hr_full": whole["hit_rate@10"], "ndcg_full": whole["ndcg@10"]}
    return row


def held_out_loss(model: Any) -> float:
    """Give 1 - NDCG@10 on the validation fold, of the epoch that was kept."""
    return float(min(model.history["validation_loss"].to_pylist()))


def of_ml_100k(names: list[str], seeds: int) -> list[dict[str, Any]]:
    """Measure on files made of ML-100K; every seed draws another split, negatives and model."""
    data, rows = ml_100k(), []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            prefix = Path(folder) / f"ml-100k-{seed}"
            write_split(prefix, *sl.split.leave_last_out(data, seed=seed), 99, seed)
            given = read_split(prefix)
            rows += [told(measured(name, given, seed, full=True)) for name in names]
    return rows


def told(row: dict[str, Any]) -> dict[str, Any]:
    """Print a row as soon as it is there."""
    text = f"{row['model']:<12}HR@10 {row['hr']:.4f}   NDCG@10 {row['ndcg']:.4f}"
    if "hr_full" in row:
        text += f"   full ranking {row['hr_full']:.4f} {row['ndcg_full']:.4f}"
    print(
        f"{text}   {row['seconds']:.0f} s, {row['epochs']} epochs, seed {row['seed']}", flush=True
    )
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prefix", nargs="?", help="what comes before .train.rating")
    parser.add_argument("--ml-100k", action="store_true", help="make the files of ML-100K")
    parser.add_argument("--models", default=DEFAULT, help=f"some of {', '.join(SETTINGS)}")
    parser.add_argument("--seed", type=int, default=0, help="of the models")
    parser.add_argument("--seeds", type=int, default=3, help="how many, with --ml-100k")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    names = options.models.split(",")
    unknown = [name for name in names if name not in SETTINGS]
    if unknown or options.ml_100k == (options.prefix is not None):
        parser.error(f"no model {unknown[0]!r}" if unknown else "give PREFIX, or --ml-100k")
    try:
        if options.ml_100k:
            rows = of_ml_100k(names, options.seeds)
        else:
            given = read_split(options.prefix)
            print(f"{given.train}, {given.test.n_interactions:,} test interactions", flush=True)
            rows = [told(measured(name, given, options.seed, full=False)) for name in names]
    except sl.errors.ShortlistError as error:
        parser.exit(2, f"{error}\n")
    figures = [name for name in ("hr", "ndcg", "hr_full", "ndcg_full") if name in rows[0]]
    cells = []
    for name in names:
        mine = [row for row in rows if row["model"] == name]
        values = [[row[figure] for row in mine] for figure in figures]
        spread = len(mine) > 1
        cells.append(
            [name]
            + [f"{np.mean(v):.4f}" + (f" [{min(v):.4f}, {max(v):.4f}]" if spread else "")
               for v in values]
            + [f"{np.mean([row['seconds'] for row in mine]):.0f}"]
        )  # fmt: skip
    print("\nHR@10 and NDCG@10 among the given negatives", end="")
    print("; _full: against the full catalogue" if "hr_full" in figures else "")
    print(text_table(["model", *figures, "seconds"], cells))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
