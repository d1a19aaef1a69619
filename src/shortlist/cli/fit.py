"""fit: a bundle of a model that is named, tuned, or chosen automatically."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from shortlist.cli.compare import named_model, parameters
from shortlist.cli.output import Engine, remark, say, say_memory, working
from shortlist.cli.table_options import Source, read, read_new, with_table_options
from shortlist.cli.tune import Minutes, time_limit_of
from shortlist.errors import ConfigError

if TYPE_CHECKING:
    from shortlist.models.base import Model

AUTO = "auto"


def require_target(path: Path) -> Path:
    """Refuse a folder that no bundle can be written to, before anything is fitted."""
    from shortlist import bundle

    bundle.require_target(path)
    return path


@with_table_options
def fit(
    data: Source,
    out: Annotated[
        Path,
        Option(metavar="BUNDLE", callback=require_target, help="The folder to write."),
    ],
    model: Annotated[
        str | None, Option(help="The name of a model; auto: the best on a validation fold.")
    ] = None,
    config: Annotated[
        Path | None,
        Option(metavar="FILE", help="A file that shortlist tune wrote, instead of --model."),
    ] = None,
    settings: Annotated[
        list[str] | None, Option("--set", metavar="KEY=VALUE", help="A hyper-parameter.")
    ] = None,
    seconds: Annotated[
        float | None,
        Option(help="With --model auto: about how long it may take. Default: no limit."),
    ] = None,
    minutes: Minutes = None,
    by: Annotated[
        str | None,
        Option(
            metavar="COLUMN",
            help="A column of --interactions that only grows; the bundle records the last value.",
        ),
    ] = None,
    since: Annotated[
        Path | None,
        Option(metavar="BUNDLE", help="With --by: read only the rows added since this bundle."),
    ] = None,
    engine: Engine = "local",
    *,
    tables: dict[str, Any],
) -> None:
    """Fit a model on all interactions of files or a database, and save it as a bundle."""
    if model == AUTO and settings:
        raise ConfigError(
            "--model auto chooses the settings itself", where="--set", remedy="leave --set out"
        )
    time_limit = time_limit_of(seconds, minutes)
    if model != AUTO and time_limit is not None:
        given = "--seconds" if minutes is None else "--minutes"
        raise ConfigError(f"{given} limits only --model auto", remedy=f"leave {given} out")
    if by is None and since is not None:
        raise ConfigError("--since needs a column to follow", remedy="add --by COLUMN")
    automatic = model == AUTO and config is None
    requested = None if automatic else _requested(model, config, settings or [])
    left = f"{out} is as it was" if out.exists() else "no bundle was written"
    with working(left):
        mark = None
        if by is None:
            interactions, _ = read(data, tables)
        else:
            interactions, mark = read_new(data, tables, by, since)
        started = time.perf_counter()
        if requested is None:
            from shortlist.tuning import auto

            choice = auto(interactions, seconds=time_limit, engine=engine)
            say(*choice.content())
            fitted, metrics = choice.model, choice.to_dict()
        else:
            say_memory(f"fitting {requested[0].name}", requested[0].memory_to_fit(interactions))
            fitted, metrics = requested[0].fit(interactions, engine=engine), requested[1]
    fitted.save(out, metrics=metrics, mark=mark)
    elapsed = time.perf_counter() - started
    ignored = f"; not: {', '.join(fitted.ignores)}" if fitted.ignores else ""
    remark(f"{fitted.name} uses {', '.join(fitted.uses)}{ignored}")
    remark(
        f"fitted {fitted!r} on {interactions} in {elapsed:.1f} s; next: shortlist recommend {out}"
    )


def _requested(
    model: str | None, config: Path | None, settings: list[str]
) -> tuple[Model[Any, Any], dict[str, Any]]:
    """Return the model that was named or that a file holds, and the notes on its tuning."""
    from shortlist.tuning.settings_file import SettingsFile

    changed = parameters(settings)
    if config is None:
        if model is None:
            raise ConfigError(
                "no model is named", remedy="add --model NAME, --model auto, or --config FILE"
            )
        return named_model(model, changed), {}
    file = SettingsFile.read(config)
    if model is not None and model != file.model:
        raise ConfigError(
            f"--model {model} is not the model of the file, {file.model}",
            where=f"{config}",
            remedy="leave --model out",
        )
    noted = {"tuning": file.tuning} if file.tuning and not changed else {}
    return file.make(changed), noted
