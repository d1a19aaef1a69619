"""Write the page of answers."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import shortlist as sl
from shortlist.files import atomic_file
from shortlist.machine import memory_bytes

from . import (
    cold,
    forms,
    q01_dividing,
    q02_shares,
    q03_several,
    q04_twice,
    q05_blending,
    q06_sampling,
    q07_product,
    q08_order,
    q09_few,
    q10_port,
    scale,
)
from .bench import FILMS, JOBS, Bench, World, load, log, read
from .document import Section, wrapped

PAGE = Path("docs/notes.md")
SECTIONS: dict[str, Callable[[Bench], Section]] = {
    "forms": forms.answer,
    "q1": q01_dividing.answer,
    "q2": q02_shares.answer,
    "q3": q03_several.answer,
    "q4": q04_twice.answer,
    "q5": q05_blending.answer,
    "q6": q06_sampling.answer,
    "q7": q07_product.answer,
    "q8": q08_order.answer,
    "q9": q09_few.answer,
    "q10": q10_port.answer,
    "cold": cold.answer,
    "scale": scale.answer,
}
LIBRARIES = ("duckdb", "numba", "numpy", "scipy", "torch")

INTRODUCTION = """\
This library grew out of the study notes of a student of recommender systems. The notes leave
questions open; here they are answered by measurements. The page is written by `{command}`: every
figure comes from that one run, which also checked every statement that something is better or
equal. Only timings differ from run to run.
"""

READING = """\
**How to read it.** {films} is real (Harper and Konstan 2015, <https://doi.org/10.1145/2827872>):
{films_data}, every rating counts as one interaction (only `MatrixFactorization` uses the stars).
The job data is synthetic, made by `generate_jobs()` in the form of a job board's tables:
{jobs_data}; its structure is artificial, so it shows what a method can find, not how applicants
behave. One interaction of each user is held out (films: the last, equal times in random order;
jobs: a random one, since there are no times) and ranked among the whole catalogue except the
user's training items; ties get their mid-rank. Recall@5 and HR@10 are then the shares of users
whose held-out item is among their first 5 or 10. Figures are means over {seeds}; brackets are 95%
bootstrap intervals over users. "Not significantly different" means that the interval of the
paired difference contains 0. The reference is a set of figures from quick runs made before this
library was started, on {films}, with one to three seeds and settings selected on the test
interaction itself.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m studies.notes", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small job data, one seed")
    parser.add_argument("--seeds", type=int, help="splits to average over (default 3; quick: 1)")
    parser.add_argument("--scale", action="store_true", help="also ten times the job data")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="write these sections only")
    parser.add_argument("--out", type=Path, default=PAGE, help=f"the page (default {PAGE})")
    options = parser.parse_args(arguments)
    seeds = options.seeds or (1 if options.quick else 3)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: load(Path(folder), name, quick=options.quick) for name in (FILMS, JOBS)}
        data = {name: read(path) for name, path in paths.items()}
        worlds = {
            FILMS: World(FILMS, data[FILMS], "time", seeds),
            JOBS: World(JOBS, data[JOBS], "random", seeds),
        }
        bench = Bench(worlds, options.quick, Path(folder))
        sections = []
        names = options.only or [name for name in SECTIONS if options.scale or name != "scale"]
        for name in names:
            log(f"{time.perf_counter() - started:6.0f} s  {name}")
            sections.append(SECTIONS[name](bench))
    for sentence in bench.claim.failed:
        log(f"NOT CONFIRMED: {sentence}")
    out = options.out
    if bench.claim.failed and not options.quick:
        out = out.with_name(
            f"{out.stem}.failed{out.suffix}"
        )  # the page itself stays; the results are kept
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(out) as partial:
        partial.write_text(page(bench, sections, started), encoding="utf-8")
    log(f"{time.perf_counter() - started:6.0f} s  wrote {out}")
    return 0 if out == options.out else 1


def page(bench: Bench, sections: Sequence[Section], started: float) -> str:
    """Compose the page."""
    words = " ".join(["python -m studies.notes", *sys.argv[1:]])
    command = words.partition(" --out")[0]
    seeds = bench.worlds[FILMS].seeds
    reading = READING.format(
        films=FILMS,
        films_data=_sizes(bench.worlds[FILMS].data, "users", "films"),
        jobs_data=_sizes(bench.worlds[JOBS].data, "résumés", "postings"),
        seeds="one split" if seeds == 1 else f"{seeds} splits",
    )
    quick = ["**A quick run, to try the script out: one split and small job data.**"]
    contents = [f"- {section.link}: {section.summary}" for section in sections]
    parts = [
        "# The questions of the notes, answered",
        INTRODUCTION.format(command=command),
        *(quick if bench.quick else []),
        reading,
        "\n".join(contents),
        *map(str, sections),
        "## How this page was made",
        f"{_versions()} {_machine()} {_minutes(time.perf_counter() - started)}",
    ]
    return "\n\n".join(wrapped(part) if part[0] not in "#-|" else part for part in parts) + "\n"


def _sizes(data: sl.Dataset, users: str, items: str) -> str:
    return (
        f"{data.n_users:,} {users}, {data.n_items:,} {items}, {data.n_interactions:,} interactions "
        f"(fingerprint `{data.fingerprint[:12]}`)"
    )


def _versions() -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"shortlist {sl.__version__}, Python {platform.python_version()}, {libraries}."


def _machine() -> str:
    memory = memory_bytes()
    size = "" if memory is None else f", {memory / 2**30:.0f} GB of memory"
    load_then = os.getloadavg()[2]
    return f"{os.cpu_count()} cores{size}; load {load_then:.1f} over the last 15 minutes."


def _minutes(seconds: float) -> str:
    return f"The run took {seconds / 60:.0f} min {seconds % 60:.0f} s."


if __name__ == "__main__":
    sys.exit(main())
