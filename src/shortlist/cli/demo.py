"""demo: the whole job on real films, or on synthetic job postings, in a minute or two."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, Option

from shortlist.cli.output import Json, finish, first_rows, remark, working, write_json
from shortlist.errors import InputError

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset
    from shortlist.models.base import Model
    from shortlist.reporting import ComparisonWithReport

Kind = Literal["movies", "jobs"]
LISTED = 10  # items listed for every user
COMPARED = ("Popularity", "UserCosine", "ItemCosine", "EASE", "IALS", "Hybrid")


def demo(
    kind: Annotated[Kind, Argument(help="Films (real) or job postings (synthetic).")] = "movies",
    out: Annotated[
        Path | None, Option(help="The folder to write. Default: shortlist-demo-KIND.")
    ] = None,
    seed: Annotated[int, Option(help="Seeds the data, the splits and the intervals.")] = 0,
    json: Json = None,
) -> None:
    """Load a sample, compare models, and write everyone's list and an HTML report."""
    folder = _folder(out or Path(f"shortlist-demo-{kind}"))
    started = time.perf_counter()
    with working(f"{folder} is not complete"):
        data = _load(kind, folder, seed)
        model, comparison = _choose(data, seed)
        metrics = comparison.to_dict()
        reported = _report(comparison, kind, folder, seed)
        model.fit(data).save(folder / "bundle", metrics=metrics)
        lists = model.recommend(k=LISTED)
        lists.write(folder / "recommendations.parquet")
    write_json(metrics, folder / "metrics.json")
    user = model.data.users.ids[0].as_py()
    listed = first_rows(model.recommend([user], k=5))
    words = "", f"{model.name} for user {user!r}:", ""
    finish(metrics, json, "", *comparison.content(), *words, listed, beside_file=True)
    written = {
        "report.html": "the table with charts and explanations: open it in a browser",
        "recommendations.parquet": f"everyone's {LISTED} best",
        "metrics.json": "the table above, with all metrics and tests",
        "bundle": f"{model.name}, the best on a validation fold, which the report may rank behind "
        f"another; try: shortlist recommend {folder / 'bundle'}",
        f"{kind}.duckdb": f"the tables; try: shortlist compare {folder / kind}.duckdb",
    }
    if not reported:
        del written["report.html"]
    seconds = time.perf_counter() - started
    remark(f"\n{len(lists):,} rows for {data.n_users:,} users in {seconds:.0f} s; in {folder}:")
    remark("\n".join(f"  {name:<24} {content}" for name, content in written.items()))


def _folder(path: Path) -> Path:
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file", remedy="name a folder: --out FOLDER")
    path.mkdir(parents=True, exist_ok=True)
    return path


def _load(kind: Kind, folder: Path, seed: int) -> Dataset:
    """Create the database and load the sample; the database of an earlier demo is replaced."""
    from shortlist.data.samples import generate_jobs, sample_paths
    from shortlist.data.store.store import Store

    if kind == "movies":
        remark("films: 100,004 ratings from MovieLens (GroupLens), in the R package dslabs")
        inputs = list(sample_paths())
    else:
        remark("job postings: SYNTHETIC data in the form of the DACON 236170 competition")
        inputs = [generate_jobs(folder / "tables", seed=seed)]
    database = folder / f"{kind}.duckdb"
    database.unlink(missing_ok=True)
    with Store.create(database, kind) as store:
        store.load(inputs)
        return store.dataset()


def _choose(data: Dataset, seed: int) -> tuple[Model[Any, Any], ComparisonWithReport]:
    """Choose a model on a validation fold; compare all models on a test fold."""
    from shortlist.data import split
    from shortlist.reporting import compare

    order: Literal["random", "time"] = "random" if data.times is None else "time"
    train, test = split.leave_last_out(data, order=order, seed=seed)
    inner, validation = split.leave_last_out(train, order=order, seed=seed)
    name = compare(_models(), inner, validation, seed=seed).best
    remark(f"{data}: each user's last choice is held out; {name} is best on a validation fold")
    best = next(model for model in _models() if model.name == name)
    return best, compare(_models(), train, test, seed=seed)


def _report(comparison: ComparisonWithReport, kind: Kind, folder: Path, seed: int) -> bool:
    """Write the report if its libraries are installed; otherwise name them. Return whether."""
    from shortlist.extras import install_command, installed

    if not installed("report"):
        remark(f"the report is left out: {install_command('report')}")
        return False
    about = "Films" if kind == "movies" else "Job postings (synthetic)"
    words = ["shortlist", "demo", kind, "--out", str(folder), "--seed", str(seed)]
    comparison.write_report(
        folder / "report.html", title=f"{about}: which model is best?", command=shlex.join(words)
    )
    return True


def _models() -> list[Model[Any, Any]]:
    from shortlist.models.registry import model_class

    return [model_class(name)() for name in COMPARED]
