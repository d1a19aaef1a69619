"""recommend, similar, audience, explain: lists from a bundle, and the reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from shortlist.cli.output import Json, compiling_told, read_ids, remark, show, write_json
from shortlist.cli.own import with_mark

Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A folder made by shortlist fit.")]
Length = Annotated[int, typer.Option("-k", "--k", help="How many to list.")]
Out = Annotated[
    str | None, typer.Option(help="Write a .parquet or .csv file, or a run into a store.")
]
Where = Annotated[str | None, typer.Option(help="A rule over item features, like: year >= 1990.")]
AsOf = Annotated[str | None, typer.Option(help="Only items live then: a date, or now.")]


def recommend(
    bundle: Bundle,
    users: Annotated[
        Path | None, typer.Option(metavar="FILE", help="One user id a line; - is stdin.")
    ] = None,
    history: Annotated[
        str | None, typer.Option(help="Instead of users: item ids somebody chose, commas between.")
    ] = None,
    k: Length = 10,
    where: Where = None,
    allow: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Only these items: one id a line.")
    ] = None,
    deny: Annotated[
        Path | None, typer.Option(metavar="FILE", help="None of these items: one id a line.")
    ] = None,
    as_of: AsOf = None,
    include_seen: Annotated[
        bool, typer.Option(help="List what a user has chosen already.")
    ] = False,
    on_unknown: Annotated[
        Literal["raise", "skip", "fallback"], typer.Option(help="What to do with unknown ids.")
    ] = "raise",
    out: Out = None,
    json: Json = None,
) -> None:
    """List the best items for users: for everyone, for some, or for a history."""
    from shortlist.models.registry import load
    from shortlist.recommend.query import Query

    with compiling_told():
        model = load(bundle)
        ids = model.data.users.parse
        items = model.data.items.parse
        lists = model.recommend(
            ids(read_ids(users)) if users is not None else None,
            queries=None if history is None else [Query(history=items(history.split(",")))],
            k=k,
            exclude_seen=not include_seen,
            allow=None if allow is None else items(read_ids(allow)),
            deny=None if deny is None else items(read_ids(deny)),
            where=where,
            as_of=as_of,
            on_unknown=on_unknown,
        )
    if out is None or json is not None:
        show(lists, model, json)
    if out is not None:
        written = with_mark(lists, bundle, out).write(out)
        remark(f"wrote {len(lists):,} rows to {written}")


def similar(
    bundle: Bundle,
    item: Annotated[list[str], typer.Argument(metavar="ITEM...", help="Item ids.")],
    k: Length = 10,
    where: Where = None,
    as_of: AsOf = None,
    json: Json = None,
) -> None:
    """List the items most like an item."""
    from shortlist.models.registry import load

    with compiling_told():
        model = load(bundle)
        lists = model.similar(model.data.items.parse(item), k=k, where=where, as_of=as_of)
    show(lists, model, json)


def audience(
    bundle: Bundle,
    item: Annotated[list[str], typer.Argument(metavar="ITEM...", help="Item ids.")],
    k: Length = 10,
    include_seen: Annotated[bool, typer.Option(help="List who has chosen it already.")] = False,
    json: Json = None,
) -> None:
    """List the users an item suits best."""
    from shortlist.models.registry import load

    with compiling_told():
        model = load(bundle)
        items = model.data.items.parse(item)
        lists = model.audience(items, k=k, exclude_seen=not include_seen)
    show(lists, model, json)


def explain(
    bundle: Bundle,
    user: Annotated[str, typer.Argument(metavar="USER", help="A user id.")],
    item: Annotated[str, typer.Argument(metavar="ITEM", help="An item id.")],
    json: Json = None,
) -> None:
    """Say what the score of an item for a user is made of."""
    from shortlist.models.registry import load

    with compiling_told():
        model = load(bundle)
        asked = model.data.users.parse([user])[0], model.data.items.parse([item])[0]
        explanation = model.explain(*asked)
    if json is not None:
        write_json(
            {
                "item_id": explanation.item,
                "score": explanation.score,
                "source": explanation.source,
                "parts": explanation.parts.to_pylist(),
            },
            json,
        )
    else:
        typer.echo(str(explanation))
