"""tune: search for a model's settings, and write them where fit finds them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from shortlist.cli.output import Json, compiling_told, remark, write_json
from shortlist.cli.own import names_tables, options_of
from shortlist.cli.tables import Database
from shortlist.errors import ConfigError, InputError

Metric = Annotated[str, typer.Option(help="What to make best, as a report names it.")]
Minutes = Annotated[float | None, typer.Option(help="The same in minutes.")]


@names_tables
def tune(
    db: Database,
    model: Annotated[str, typer.Option(help="The name of a model.")],
    trials: Annotated[
        int | None, typer.Option(help="How many; those in --study count. Default: 50.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="No trial starts after so many seconds.")
    ] = None,
    minutes: Minutes = None,
    metric: Metric = "ndcg@10",
    folds: Annotated[int, typer.Option(help="Validation folds each trial is measured on.")] = 1,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting that is not tuned."),
    ] = None,
    study: Annotated[
        Path | None, typer.Option(help="A file that keeps the trials: goes on after a kill.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seeds the folds and the search.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the best settings, for fit --config.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the search: a .png, .svg or .pdf.")
    ] = None,
    json: Json = None,
    *,
    tables: dict[str, Any],
) -> None:
    """Search for a model's settings on a validation fold of a database."""
    from shortlist.cli.compare import parameters
    from shortlist.data.store.store import Store
    from shortlist.models.registry import model_class
    from shortlist.tuning import tune as search
    from shortlist.tuning.pictures import draw, drawable

    for path in (out, picture):  # before the search, which may take a night
        require_folder(path)
    if picture is not None:
        drawable(picture)
    given = model_class(model)(**parameters(settings or []))
    longest = bound_of(seconds, minutes)
    most = 50 if trials is None and longest is None else trials
    with compiling_told():
        with Store(db, read_only=True) as store:
            data, place = store.dataset(**tables), store.place
        remark(f"{data}; one choice of each user is held out to measure {metric} on")
        if study is not None and study.is_file():
            remark(f"going on with the trials in {study}")
        try:
            tuning = search(given, data, most, longest, metric, folds=folds, study=study, seed=seed)
        except KeyboardInterrupt:
            kept = study is not None and study.is_file()
            remark(
                f"the trials so far are in {study}: the same command goes on from there"
                if kept
                else "nothing is kept: with --study FILE the same command could go on"
            )
            raise
    if len(tuning.trials) == 1 and longest is not None:
        remark("the defaults took all of the time: nothing was searched; give more of it")
    if json is not None:
        write_json(tuning.to_dict(), json)
    if str(json) != "-":
        typer.echo(str(tuning))
    if out is not None:
        tuning.save(out)
        words = ["shortlist", "fit", place, *options_of(tables), "--config", str(out)]
        remark(f"wrote {out}; next: {shlex.join(words)} --out BUNDLE")
    if picture is not None:
        remark(f"drew {draw(tuning, picture)}")


def require_folder(path: Path | None) -> None:
    """Refuse a place that nothing can be written to, before the work and not after it."""
    if path is not None and not path.absolute().parent.is_dir():
        raise InputError(
            f"the folder {path.parent} does not exist", remedy="create it, or name another place"
        )


def bound_of(seconds: float | None, minutes: float | None) -> float | None:
    """Give the time there is in seconds."""
    if seconds is not None and minutes is not None:
        raise ConfigError("both --seconds and --minutes", remedy="leave one of the two out")
    return seconds if minutes is None else 60 * minutes
