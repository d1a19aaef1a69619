"""Time and memory of each model on the job data and on ten times as much of it.

Each model runs in its own process, so that its peak memory can be measured:

    python -m studies.notes.scale MODEL DATABASE
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import shortlist as sl
from shortlist.errors import ShortlistError
from shortlist.models.base import Model
from shortlist.models.hybrid.terms import FORMS
from shortlist.progress import track

from .bench import JOBS, Bench, content_by_mean, load, log, read
from .document import Section, Table

NOTHING = "the data alone"
TIMES = (1, 10)
LISTS = 1000  # random users to recommend for
NEAREST = dict.fromkeys(("user_neighbors", "item_neighbors", "cold_neighbors"), 50)
MODELS: dict[str, Callable[[], Model[Any, Any]]] = {
    NOTHING: sl.Popularity,  # not fitted
    "Popularity": sl.Popularity,
    "ContentBased": content_by_mean,
    "UserCosine": sl.UserCosine,
    "ItemCosine": sl.ItemCosine,
    "EASE": sl.EASE,
    "IALS": sl.IALS,
    "MatrixFactorization": sl.MatrixFactorization,
    **{
        f"Hybrid: {name}, 50 nearest": partial(sl.Hybrid, **settings | NEAREST)
        for name, settings in FORMS.items()
        if name != "additive"
    },
    "Hybrid: additive, tuned": sl.Hybrid,
}


def answer(bench: Bench) -> Section:
    """Run every model at both sizes."""
    results: dict[int, dict[str, Run]] = {}
    sizes: dict[int, sl.Dataset] = {}
    for times in TIMES:
        database = load(bench.folder, JOBS, quick=bench.quick, times=times)
        sizes[times] = read(database)
        results[times] = {}
        for name in track(MODELS, f"fitting on {times} x the job data"):
            results[times][name] = run(name, database)
            log(f"         {times:2} x  {name}: {results[times][name]}")
    single, tenfold = results.values()
    header = ["model"]
    for times in TIMES:
        header += [f"{times} x: fit s", "ms per list", "peak MB"]
    rows = [[name, *single[name].cells(), *tenfold[name].cells()] for name in MODELS]
    refusals = [run.refused for run in tenfold.values() if run.refused is not None]
    everything = 8 * sizes[TIMES[1]].n_items ** 2 / 2**30
    return Section(
        title="Time and memory at ten times the data",
        summary="every model except EASE fits.",
        setup=f"The synthetic job data ({_size(sizes[TIMES[0]])}) and ten times as much of it "
        f"({_size(sizes[TIMES[1]])}). Each model runs in its own process: reading the data, "
        f"`fit`, then `recommend` for {LISTS:,} random users. The peak is that of the process; "
        f"Python, the library and the data alone take {single[NOTHING].peak:,.0f} and "
        f"{tenfold[NOTHING].peak:,.0f} MB. The forms use the 50 nearest neighbours: with all "
        "neighbours, as in the notes, the item similarities alone would take "
        f"{everything:.0f} GB at ten times the data.",
        results=[Table(header, [row for row in rows if row[0] != NOTHING])],
        answer=_sentence(bench, single, tenfold, refusals),
    )


def _sentence(
    bench: Bench, single: Mapping[str, Run], tenfold: Mapping[str, Run], refusals: Sequence[str]
) -> str:
    fitted = [name for name in MODELS if name != NOTHING and tenfold[name].refused is None]
    most = max(fitted, key=lambda name: tenfold[name].peak)
    slowest = max(fitted, key=lambda name: tenfold[name].fit)
    memory = bench.claim(
        tenfold[most].peak < 16 * single[most].peak,
        "Every model except EASE fits ten times the data: the largest peak is "
        f"{tenfold[most].peak:,.0f} "
        f"MB ({most}), the longest fit {tenfold[slowest].fit:,.0f} s ({slowest}).",
    )
    refused = bench.claim(
        tenfold["EASE"].refused is not None or bench.quick,
        f'EASE checks the memory it needs before it starts, and refuses: "{"; ".join(refusals)}".',
    )
    return f"{memory} {refused}"


def _size(data: sl.Dataset) -> str:
    return (
        f"{data.n_users:,} résumés, {data.n_items:,} postings, {data.n_interactions:,} interactions"
    )


@dataclass(frozen=True)
class Run:
    """Seconds to fit, seconds per list, and peak MB of a process; or why the model refused."""

    fit: float = 0.0
    per_list: float = 0.0
    peak: float = 0.0
    refused: str | None = None

    def __str__(self) -> str:
        if self.refused is not None:
            return self.refused
        return f"fit {self.fit:.1f} s, {1000 * self.per_list:.2f} ms per list, {self.peak:.0f} MB"

    def cells(self) -> tuple[str, str, str]:
        """Return the cells of the table."""
        if self.refused is not None:
            return "refused", "", ""
        return f"{self.fit:.1f}", f"{1000 * self.per_list:.2f}", f"{self.peak:,.0f}"


def run(name: str, database: Path) -> Run:
    """Run a model in its own process."""
    command = [sys.executable, "-m", "studies.notes.scale", name, str(database)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Run(**json.loads(done.stdout))


def measured(name: str, database: Path) -> Run:
    """Fit and recommend in this process."""
    data = read(database)
    users = data.users.take(np.random.default_rng(0).permutation(data.n_users)[:LISTS])
    if name != NOTHING:
        model = MODELS[name]()
        started = time.perf_counter()
        try:
            model.fit(data)
        except ShortlistError as error:
            return Run(refused=str(error).partition("\n")[0])
        fit = time.perf_counter() - started
        model.recommend(users[:1], k=10)  # loads compiled code
        started = time.perf_counter()
        model.recommend(users, k=10)
        seconds = time.perf_counter() - started
    else:
        fit = seconds = 0.0
    return Run(fit, seconds / len(users), peak_mb())


def peak_mb() -> float:
    """Return the peak memory of this process; ``ru_maxrss`` would include its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    print(json.dumps(asdict(measured(sys.argv[1], Path(sys.argv[2])))))
