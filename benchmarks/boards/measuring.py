"""Measuring one model on one board, in a process of its own, so that its peak memory is its own."""

from __future__ import annotations

import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import shortlist as sl
from shortlist.evaluation import Report
from shortlist.models.registry import model_class

from .data_sets import READERS, Board


def measured(root: Path, board: str, model: str, trials: int) -> dict[str, Any]:
    """Measure a model in a new process; ``trials`` tunes it first, 0 keeps its defaults."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure, root, board, model, trials).result()


def _measure(root: Path, name: str, model_name: str, trials: int) -> dict[str, Any]:
    board = READERS[name](root)
    model = model_class(model_name)()
    started, busy = time.perf_counter(), time.process_time()
    if trials:
        model = sl.tune(
            model, board.train, trials, metric=board.metrics[0], check=False
        ).best_model()
    model.fit(board.train)
    seconds, processor = time.perf_counter() - started, time.process_time() - busy
    report, label = _report(model, board)
    row: dict[str, Any] = {"board": board.name, "model": model_name, "tuned": bool(trials)}
    for metric in board.metrics:
        row[metric] = report[f"{metric}{label}"]
        row[f"{metric}, interval"] = list(report.interval(f"{metric}{label}"))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    costs = {"processor": processor, "seconds": seconds, "megabytes": memory}
    return row | costs | {"settings": repr(model)}


def _report(model: Any, board: Board) -> tuple[Report, str]:
    """Measure on the test side; also return what follows the names of the metrics."""
    cuts = {int(metric.partition("@")[2]) for metric in board.metrics}
    if board.negatives is None:
        return sl.evaluate(model, board.train, board.test, k=cuts), ""
    report = sl.evaluate_sampled(model, board.train, board.test, board.negatives, k=cuts)
    return report, f" ({report.label})"
