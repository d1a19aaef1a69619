"""Mutated bundles end no process, and a load during a replacement never mixes two bundles."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from shortlist.models.registry import MODULES, load, model_class
from shortlist.testing import small_world

MUTATIONS = int(os.environ.get("SHORTLIST_MUTATIONS", "320"))
LOADS = int(os.environ.get("SHORTLIST_LOADS", "200"))
WORKERS = 2
HERE = Path(__file__).parent

SMALL: dict[str, list[dict[str, Any]]] = {
    "IALS": [{"embedding_size": 4, "epochs": 2}],
    "MatrixFactorization": [
        {"embedding_size": 4, "epochs": 2, "biases": True},
        {"embedding_size": 4, "epochs": 2, "loss": "softmax"},
    ],
    **{name: [{"embedding_size": 4, "epochs": 1}] for name in ("GMF", "MLP", "NeuMF", "SASRec")},
    "Retrieval": [{"embedding_size": 4, "epochs": 1, "layers": (4,), "user_ids": True}],
    "Ranking": [{"embedding_size": 4, "epochs": 1, "head_layers": (4,), "cross_layers": 1}],
    "MultiTask": [{"embedding_size": 4, "epochs": 1, "head_layers": (4,)}],
    "Cascade": [
        {
            "stages": ["ItemCosine", "EASE"],
            "ranker": "trees",
            "rounds": 2,
            "trees": 3,
            "least": 5,
            "features": True,
        },
        {"stages": ["ItemCosine"], "ranker": {"model": "EASE"}},
    ],
    "Indexed": [{"model": {"model": "IALS", "config": {"embedding_size": 4, "epochs": 1}}}],
}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of every model."""
    folder = tmp_path_factory.mktemp("bundles")
    for name in MODULES:
        for position, settings in enumerate(SMALL.get(name, [{}])):
            model = model_class(name)(**settings).fit(small_world().data)
            model.save(folder / f"{name}-{position}")
    return folder


def outcomes(bundles: Path, first: int, last: int) -> list[str]:
    """Run a worker over some seeds, and a new one where it dies; return ``seed ... outcome``."""
    results: list[str] = []
    while first < last:
        command = [sys.executable, str(HERE / "bundle_mutations.py"), str(bundles)]
        worker = subprocess.run(
            [*command, str(first), str(last)], capture_output=True, text=True, check=False
        )
        lines = worker.stdout.splitlines()
        begun = {line.split(" ")[1]: line for line in lines if line.startswith("begin ")}
        ended = {line.split(" ")[1]: line for line in lines if line.startswith("end ")}
        results += [f"{begun[seed]} -> {ended[seed]}" for seed in ended]
        died = begun.keys() - ended.keys()
        results += [f"{begun[seed]} -> end {seed} DIED {worker.returncode}" for seed in died]
        if not begun:
            pytest.fail(f"the worker did not start: {worker.stderr[-2000:]}")
        first += len(begun)
    return results


@pytest.mark.slow
def test_a_mutated_bundle_is_refused_or_served(bundles: Path) -> None:
    shares = [MUTATIONS * part // WORKERS for part in range(WORKERS + 1)]
    with ThreadPoolExecutor(WORKERS) as pool:
        parts = pool.map(lambda at: outcomes(bundles, shares[at], shares[at + 1]), range(WORKERS))
    results = [result for part in parts for result in part]
    assert len(results) == MUTATIONS
    counts = Counter(result.split(" -> ")[1].split(" ")[2].rstrip(":") for result in results)
    sys.stdout.write(f"{dict(counts)}\n")
    wrong = [
        result for result in results if any(word in result for word in ("DIED", "TRACE", "NOT F"))
    ]
    assert not wrong, "\n".join([str(dict(counts)), *wrong])


WRITER = """
import sys
from shortlist.models.ease import EASE
from shortlist.models.popularity import Popularity
from shortlist.testing import checkerboard, small_world

models = [EASE(regularization=7).fit(small_world().data), EASE().fit(checkerboard().data),
          Popularity().fit(checkerboard().data)]
print("ready", flush=True)
while True:
    for model in models:
        model.save(sys.argv[1])
"""


@pytest.mark.slow
def test_loading_while_a_bundle_is_replaced(tmp_path: Path) -> None:
    """Each load gives the settings, the arrays and the data of one and the same bundle."""
    folder = tmp_path / "bundle"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE
    ) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            while not folder.exists():
                assert writer.poll() is None
            seen: Counter[str] = Counter()
            for _ in range(LOADS):
                model = load(folder)
                seen[f"{model!r} {model.data.n_users} {_learned(model)}"] += 1
        finally:
            writer.kill()
    sys.stdout.write(f"{dict(seen)}\n")
    assert len(seen) == 3, seen


def _learned(model: Any) -> str:
    """Return a number that tells the learned arrays apart."""
    array = model.learned.weights if model.name == "EASE" else model.learned.counts
    return f"{array.shape} {float(abs(array).sum()):.6g}"
