"""Time and memory of each model on the job data and on ten times as much of it.

Each run is a process of its own, so that its peak of memory is its own:

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
from shortlist.models.hybrid.config import FORMS
from shortlist.progress import track

from .bench import JOBS, Bench, load, read, say
from .document import Section, Table

NOTHING = "the data alone"
TIMES = (1, 10)
LISTS = 1000  # users who are asked for, drawn
NEAREST = dict.fromkeys(("user_neighbors", "item_neighbors", "cold_neighbors"), 50)
MODELS: dict[str, Callable[[], Model[Any, Any]]] = {
    NOTHING: sl.Popularity,  # not fitted
    "Popularity": sl.Popularity,
    "ContentBased": sl.ContentBased,
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
    found: dict[int, dict[str, Run]] = {}
    sizes: dict[int, sl.Dataset] = {}
    for times in TIMES:
        database = load(bench.folder, JOBS, quick=bench.quick, times=times)
        sizes[times] = read(database)
        found[times] = {}
        for name in track(MODELS, f"fitting on {times} x the job data"):
            found[times][name] = run(name, database)
            say(f"         {times:2} x  {name}: {found[times][name]}")
    one, ten = found.values()
    header = ["model"]
    for times in TIMES:
        header += [f"{times} x: fit s", "ms a list", "peak MB"]
    rows = [[name, *one[name].cells(), *ten[name].cells()] for name in MODELS]
    refusals = [run.refused for run in ten.values() if run.refused is not None]
    everything = 8 * sizes[TIMES[1]].n_items ** 2 / 2**30
    return Section(
        title="Time and memory at ten times the data",
        short="everything but EASE fits.",
        tried=f"The synthetic job data ({_size(sizes[TIMES[0]])}) and ten times as much of it "
        f"({_size(sizes[TIMES[1]])}). Each model in a process of its own: reading the data, "
        f"`fit`, then `recommend` for {LISTS:,} drawn users. The peak is that of the process; "
        f"Python, the library and the data alone come to {one[NOTHING].peak:,.0f} and "
        f"{ten[NOTHING].peak:,.0f} MB. The forms are run over the 50 nearest: with all "
        "neighbours, as the notes have them, the similarities of the items alone would take "
        f"{everything:.0f} GB at ten times the data.",
        found=[Table(header, [row for row in rows if row[0] != NOTHING])],
        answer=_sentence(bench, one, ten, refusals),
    )


def _sentence(
    bench: Bench, one: Mapping[str, Run], ten: Mapping[str, Run], refusals: Sequence[str]
) -> str:
    fitted = [name for name in MODELS if name != NOTHING and ten[name].refused is None]
    most = max(fitted, key=lambda name: ten[name].peak)
    slowest = max(fitted, key=lambda name: ten[name].fit)
    memory = bench.claim(
        ten[most].peak < 16 * one[most].peak,
        f"Every model but EASE fits ten times the data: the largest peak is {ten[most].peak:,.0f} "
        f"MB ({most}), the longest fit {ten[slowest].fit:,.0f} s ({slowest}).",
    )
    refused = bench.claim(
        ten["EASE"].refused is not None or bench.quick,
        f'EASE says beforehand what it would need, and stops: "{"; ".join(refusals)}".',
    )
    return f"{memory} {refused}"


def _size(data: sl.Dataset) -> str:
    return f"{data.n_users:,} résumés, {data.n_items:,} postings, {data.n_interactions:,} choices"


@dataclass(frozen=True)
class Run:
    """What a process took: seconds to fit, seconds a list, MB at the peak; or why it did not."""

    fit: float = 0.0
    a_list: float = 0.0
    peak: float = 0.0
    refused: str | None = None

    def __str__(self) -> str:
        if self.refused is not None:
            return self.refused
        return f"fit {self.fit:.1f} s, {1000 * self.a_list:.2f} ms a list, {self.peak:.0f} MB"

    def cells(self) -> tuple[str, str, str]:
        """Give the cells of the table."""
        if self.refused is not None:
            return "refused", "", ""
        return f"{self.fit:.1f}", f"{1000 * self.a_list:.2f}", f"{self.peak:,.0f}"


def run(name: str, database: Path) -> Run:
    """Fit in a process of its own."""
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
    """Give the peak of this process; ``ru_maxrss`` would count what the parent had before it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    print(json.dumps(asdict(measured(sys.argv[1], Path(sys.argv[2])))))
