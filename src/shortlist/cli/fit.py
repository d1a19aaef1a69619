"""fit: the bundle of a model that was named, tuned, or chosen here."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shortlist.cli.compare import named_model, parameters
from shortlist.cli.output import compiling_told, remark
from shortlist.cli.own import names_tables, read
from shortlist.cli.tables import Database
from shortlist.cli.tune import Minutes, bound_of, require_folder
from shortlist.errors import ConfigError

if TYPE_CHECKING:
    from shortlist.models.base import Model

AUTO = "auto"


@names_tables
def fit(
    db: Database,
    out: Annotated[Path, typer.Option(metavar="BUNDLE", help="The folder to write.")],
    model: Annotated[
        str | None, typer.Option(help="The name of a model; auto: the best one here.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Instead: what shortlist tune wrote.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A hyper-parameter.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="With --model auto: how long it may take, about.")
    ] = None,
    minutes: Minutes = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="A column of --interactions that only grows: note how far it was read.",
        ),
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE", help="With --by: read only rows after those of this bundle."
        ),
    ] = None,
    *,
    tables: dict[str, Any],
) -> None:
    """Fit a model on everything in a database and save it as a bundle."""
    from shortlist.data.store.store import Store

    if model == AUTO and settings:
        raise ConfigError(
            "--model auto chooses the settings itself", where="--set", remedy="leave --set out"
        )
    bound = bound_of(seconds, minutes)
    if model != AUTO and bound is not None:
        given = "--seconds" if minutes is None else "--minutes"
        raise ConfigError(f"{given} bounds --model auto", remedy=f"leave {given} out")
    require_folder(out)
    asked = None if model == AUTO and config is None else _asked(model, config, settings or [])
    with compiling_told():
        with Store(db, read_only=True) as store:
            data, noted = read(store, tables, by, since)
        started = time.perf_counter()
        if asked is None:
            from shortlist.tuning import auto

            choice = auto(data, seconds=bound)
            typer.echo(str(choice))
            fitted, metrics = choice.model, choice.to_dict()
        else:
            fitted, metrics = asked[0].fit(data), asked[1]
    fitted.save(out, metrics={**metrics, **noted})
    taken = time.perf_counter() - started
    remark(f"fitted {fitted!r} on {data} in {taken:.1f} s; next: shortlist recommend {out}")


def _asked(
    model: str | None, config: Path | None, settings: list[str]
) -> tuple[Model[Any, Any], dict[str, Any]]:
    """Make the model that was named or that a file holds; say what is known of it."""
    from shortlist.tuning.chosen import Chosen

    changed = parameters(settings)
    if config is None:
        if model is None:
            raise ConfigError(
                "no model is named", remedy="add --model NAME, --model auto, or --config FILE"
            )
        return named_model(model, changed), {}
    chosen = Chosen.read(config)
    if model is not None and model != chosen.model:
        raise ConfigError(
            f"--model {model} is not the model of the file, {chosen.model}",
            where=f"{config}",
            remedy="leave --model out",
        )
    noted = {"tuning": chosen.tuning} if chosen.tuning and not changed else {}
    return chosen.make(changed), noted
