"""Where the figures come from: the command, the versions, the machine, the data."""

from __future__ import annotations

import datetime as dt
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from shortlist._version import __version__
from shortlist.kernels.threads import thread_count
from shortlist.machine import memory_bytes

if TYPE_CHECKING:
    from shortlist.evaluation.comparison import Comparison

_PACKAGES = ("numpy", "scipy", "numba", "duckdb", "pyarrow", "scikit-learn")


@dataclass(frozen=True)
class Origin:
    """What is needed to make the page again.

    Attributes
    ----------
    command
        What to type.
    seed
        Of splits that were cut here, intervals, and everything that was drawn.
    fingerprints
        Of both sides of the split.
    settings
        Of each model, as JSON, defaults included.
    versions
        Of this library and of those it computes with.
    machine
        What it ran on.
    made
        When, UTC.
    """

    command: str
    seed: int
    fingerprints: Mapping[str, str]
    settings: Mapping[str, str]
    versions: Mapping[str, str]
    machine: Mapping[str, str]
    made: str


def origin(comparison: Comparison, command: str | None) -> Origin:
    """Ask the comparison, the installation and the machine."""
    report = comparison[comparison.best]
    versions = {"shortlist": __version__, "Python": platform.python_version()}
    memory = memory_bytes()
    return Origin(
        command=_python(comparison) if command is None else command,
        seed=report.seed,
        fingerprints={
            "training": comparison.train.fingerprint,
            "test": comparison.test.fingerprint,
        },
        settings={
            name: json.dumps(model.config.model_dump(mode="json"), ensure_ascii=False)
            for name, model in comparison.models.items()
        },
        versions=versions | {name: version(name) for name in _PACKAGES},
        machine={
            "system": platform.platform(),
            "processor": _processor(),
            "threads": str(thread_count()),
            "memory": "unknown" if memory is None else f"{memory / 2**30:.1f} GiB",
        },
        made=dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _python(comparison: Comparison) -> str:
    report = comparison[comparison.best]
    models = ", ".join(f"sl.{model!r}" for model in comparison.models.values())
    return (
        f"sl.compare([{models}], train, test, k={report.k}, seed={report.seed})"
        '.write_report("report.html")'
    )


def _processor() -> str:
    """Name the processor; where the system does not, its family."""
    told = Path("/proc/cpuinfo")
    if told.is_file():
        for line in told.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
