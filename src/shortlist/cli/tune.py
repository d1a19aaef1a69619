"""tune: search for the best settings of a model, and write them for fit."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from shortlist.cli.output import Engine, Json, finish, remark, require_output, say_memory, working
from shortlist.cli.table_options import Source, as_options, read, with_table_options
from shortlist.errors import ConfigError

Minutes = Annotated[float | None, Option(help="The same limit in minutes.")]


@with_table_options
def tune(
    data: Source,
    model: Annotated[str, Option(help="The name of a model.")],
    trials: Annotated[
        int | None, Option(help="Number of trials, including those in --study. Default: 50.")
    ] = None,
    seconds: Annotated[float | None, Option(help="Start no trial after this many seconds.")] = None,
    minutes: Minutes = None,
    metric: Annotated[
        str, Option(help="The metric to maximise, as a report names it.")
    ] = "ndcg@10",
    folds: Annotated[int, Option(help="Number of validation folds.")] = 1,
    settings: Annotated[
        list[str] | None,
        Option("--set", metavar="KEY=VALUE", help="Fix a setting, which is then not tuned."),
    ] = None,
    study: Annotated[
        Path | None,
        Option(help="A file that keeps the trials; a stopped search continues from it."),
    ] = None,
    seed: Annotated[int, Option(help="Seeds the folds and the search.")] = 0,
    engine: Engine = "local",
    out: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            callback=require_output,
            help="Write the best settings, for fit --config.",
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            callback=require_output,
            help="Draw the search as a .png, .svg or .pdf.",
        ),
    ] = None,
    json: Json = None,
    *,
    tables: dict[str, Any],
) -> None:
    """Search for a model's settings on a validation fold."""
    from shortlist.cli.compare import parameters
    from shortlist.models.registry import model_class
    from shortlist.tuning import tune as search
    from shortlist.tuning.plot import require_plottable, save_figure

    if picture is not None:
        require_plottable(picture)
    base = model_class(model)(**parameters(settings or []))
    time_limit = time_limit_of(seconds, minutes)
    n_trials = 50 if trials is None and time_limit is None else trials
    left = "the trials are lost: with --study FILE the same command could continue"
    if study is not None:
        left = f"the trials so far are in {study}: the same command continues from there"
    with working(left):
        interactions, source = read(data, tables)
        remark(f"{interactions}; one interaction of each user is held out to measure {metric}")
        say_memory(f"fitting {base.name}", base.memory_to_fit(interactions))
        if study is not None and study.is_file():
            remark(f"continuing with the trials in {study}")
        tuning = search(
            base,
            interactions,
            n_trials,
            time_limit,
            metric,
            folds=folds,
            study=study,
            seed=seed,
            engine=engine,
        )
    if len(tuning.trials) == 1 and time_limit is not None:
        remark("measuring the defaults took all of the time: nothing was searched; allow more time")
    finish(tuning.to_dict(), json, *tuning.content(), beside_file=True)
    if out is not None:
        tuning.save(out)
        words = ["shortlist", "fit", source, *as_options(tables), "--config", str(out)]
        remark(f"wrote {out}; next: {shlex.join(words)} --out BUNDLE")
    if picture is not None:
        remark(f"drew {save_figure(tuning.picture(), picture)}")


def time_limit_of(seconds: float | None, minutes: float | None) -> float | None:
    """Return the time limit in seconds."""
    if seconds is not None and minutes is not None:
        raise ConfigError("both --seconds and --minutes", remedy="leave one of the two out")
    return seconds if minutes is None else 60 * minutes
