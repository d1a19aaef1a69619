"""doctor: the machine, the installed libraries, and whether shortlist works here."""

from __future__ import annotations

import platform
import time
from typing import Any

import typer

from shortlist.cli.output import Json, finish, working
from shortlist.machine import memory_bytes

CORE = ("duckdb", "numba", "numpy", "pyarrow", "pydantic", "safetensors", "scipy", "typer")
OPTIONAL = ("torch", "pandas", "polars")


def doctor(json: Json = None) -> None:
    """Check the installation: versions, threads, memory, and one small fit."""
    from shortlist._version import __version__
    from shortlist.kernels.threads import thread_count

    with working():
        failure, seconds = _try_models()
    report: dict[str, Any] = {
        "shortlist": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        **{name: _installed(name) for name in (*CORE, *OPTIONAL)},
        "threads for kernels": thread_count(),
        "memory": f"{memory / 2**30:.1f} GB" if (memory := memory_bytes()) else "unknown",
        "fit, save, load, recommend": failure or f"work ({seconds:.1f} s)",
    }
    width = max(map(len, report))
    finish(report, json, *(f"{name:<{width}}  {value}" for name, value in report.items()))
    if failure:
        raise typer.Exit(1)


def _installed(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _try_models() -> tuple[str, float]:
    """Fit, save, load and ask every model on a world of two tastes; return a failure and seconds.

    User 0 likes even items. Models trained by gradient learn little from 31 interactions: of them
    any new item is accepted.
    """
    import tempfile
    from pathlib import Path

    import pyarrow as pa

    from shortlist.cli.compare import default_models
    from shortlist.data.dataset import Dataset
    from shortlist.models.registry import load
    from shortlist.models.training.model import TrainedModel

    pairs = [(user, item) for user in range(8) for item in range(8) if (user + item) % 2 == 0]
    missing = (0, 0)
    users, items = zip(*(pair for pair in pairs if pair != missing), strict=True)
    started = time.perf_counter()
    tastes = pa.table({"item_id": range(8), "taste": ["even", "odd"] * 4})
    data = Dataset.from_tables(pa.table({"user_id": users, "item_id": items}), items=tastes)
    with tempfile.TemporaryDirectory() as folder:
        for model in default_models(data):
            path = model.fit(data).save(Path(folder) / model.name)
            listed = load(path).recommend([missing[0]], k=1).column("item_id")
            learns_little = isinstance(model, TrainedModel) or not model.needs_history
            expected = [0, 1, 3, 5, 7] if learns_little else [0]  # not among the choices of user 0
            if len(listed) != 1 or listed[0] not in expected:
                return f"{model.name} lists item {listed}, and not one of {expected}", 0.0
    return "", time.perf_counter() - started
