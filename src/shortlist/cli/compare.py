"""compare: which model is best."""

from __future__ import annotations

import json as json_format
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Option

from shortlist.cli.output import Engine, Json, finish, remark, say_memory, working
from shortlist.cli.table_options import Source, as_options, read, with_table_options
from shortlist.errors import ConfigError, ShortlistError, suggestion

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset
    from shortlist.data.split import Order, Split
    from shortlist.models.base import Model

SPLITS = ("leave-last-out", "random", "by-time", "cold-users", "cold-items")
_OPTIONS = {"leave-last-out": "order", "by-time": "at"}  # of these splits; others: fraction


@with_table_options
def compare(
    data: Source,
    models: Annotated[
        str | None, Option(help="Names of models, separated by commas. Default: all.")
    ] = None,
    split: Annotated[str, Option(help=f"One of: {', '.join(SPLITS)}.")] = "leave-last-out",
    order: Annotated[
        Literal["time", "row", "random"] | None,
        Option(help="What the last interaction is. Default: by time, or random without times."),
    ] = None,
    fraction: Annotated[
        float, Option(help="The share that random and cold splits hold out.")
    ] = 0.1,
    at: Annotated[
        str | None, Option(help="The moment that by-time splits at, like 2024-05-31.")
    ] = None,
    k: Annotated[str, Option("-k", "--k", help="List lengths, separated by commas.")] = "5,10,20",
    seed: Annotated[int, Option(help="Seeds the split and the intervals.")] = 0,
    engine: Engine = "local",
    report: Annotated[
        Path | None,
        Option(metavar="FILE", help="Write an HTML report with tables, charts and explanations."),
    ] = None,
    json: Json = None,
    *,
    tables: dict[str, Any],
) -> None:
    """Fit models on the same split and measure them on the same users."""
    from shortlist.reporting import compare as compare_models
    from shortlist.reporting.page import require_report

    if report is not None:
        require_report(report)  # before the fits, which take long
    left = "nothing was measured" if report is None else f"{report} was not written"
    with working(left):
        named = None if models is None else [named_model(name) for name in models.split(",")]
        lengths = [_number(length) for length in k.split(",")]
        interactions, source = read(data, tables)
        compared = default_models(interactions) if named is None else named
        order = order or ("random" if interactions.times is None else "time")
        train, test = cut(interactions, split, order=order, fraction=fraction, at=at, seed=seed)
        remark(f"{interactions}; {split}: {len(train)} to train on, {len(test)} to test on")
        for model in compared:
            say_memory(f"fitting {model.name}", model.memory_to_fit(train))
        comparison = compare_models(compared, train, test, k=lengths, seed=seed, engine=engine)
        if report is not None:
            words = ["shortlist", "compare", source, *as_options(tables)]
            words += ["--models", ",".join(model.name for model in compared)]
            option = _OPTIONS.get(split, "fraction")
            value = {"order": order, "at": at, "fraction": f"{fraction:g}"}[option]
            words += ["--split", split, f"--{option}", str(value)]
            words += ["-k", k, "--seed", str(seed), "--report", str(report)]
            title = f"{_called(source)}: which model is best?"
            comparison.write_report(report, title=title, command=shlex.join(words))
            remark(f"wrote {report}")
    finish(comparison.to_dict(), json, *comparison.content(), beside_file=True)
    remark(f"used of the data: {comparison.uses}")


def _called(source: str) -> str:
    """Return what to call the data of a file, a folder, a pattern or a database.

    >>> [_called(source) for source in ("in/my_films.csv.gz", "logs/2024-*.csv", "postgresql://me@db/shop")]
    ['my films', 'logs', 'shop']
    """
    parts = [part for part in source.partition("?")[0].split("/") if part and "*" not in part]
    name = parts[-1].partition(".")[0] if parts else ""
    return name.replace("_", " ") or source


def default_models(data: Dataset) -> list[Model[Any, Any]]:
    """Return every model that can be fitted here on this data, with its defaults."""
    from shortlist.models.registry import MODULES

    models = []
    for model in map(named_model, MODULES):
        try:
            model.require_fittable(data)
        except ShortlistError as error:
            remark(f"{model.name} is left out: {error.what}; {error.remedy}")
        else:
            models.append(model)
    return models


def cut(
    data: Dataset, name: str, *, order: Order, fraction: float, at: str | None, seed: int
) -> Split:
    """Split the data as the options say."""
    from shortlist.data import split

    match name:
        case "leave-last-out":
            return split.leave_last_out(data, order=order, seed=seed)
        case "random":
            return split.random(data, fraction, seed=seed)
        case "by-time" if at is not None:
            return split.by_time(data, at)
        case "by-time":
            raise ConfigError("--split by-time needs a moment", remedy="add --at 2024-05-31")
        case "cold-users":
            return split.cold_users(data, fraction, seed=seed)
        case "cold-items":
            return split.cold_items(data, fraction, seed=seed)
        case _:
            raise ConfigError(f"there is no split {name!r}", remedy=suggestion(name, SPLITS))


def parameters(settings: list[str]) -> dict[str, Any]:
    """Parse KEY=VALUE; a value is a number, true, false, none, or text."""
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set {setting} has no '='", remedy="write --set name=value")
        try:
            values[name.strip()] = None if text.lower() == "none" else json_format.loads(text)
        except json_format.JSONDecodeError:
            values[name.strip()] = text
    return values


def named_model(name: str, settings: dict[str, Any] | None = None) -> Model[Any, Any]:
    """Return a model by its name."""
    from shortlist.models.registry import model_class

    return model_class(name.strip())(**(settings or {}))


def _number(text: str) -> int:
    if not text.strip().isdecimal():
        raise ConfigError(f"-k {text!r} is not a number", remedy="write it like -k 5,10,20")
    return int(text)
