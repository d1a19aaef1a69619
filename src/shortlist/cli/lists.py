"""recommend, similar, audience, explain: lists from a bundle, and explanations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, Option

from shortlist.cli.input import read_features, read_ids
from shortlist.cli.output import Engine, Json, finish, is_folder, remark, say_memory, show, working
from shortlist.cli.table_options import with_mark
from shortlist.errors import InputError
from shortlist.text import counted, first_few

if TYPE_CHECKING:
    from shortlist.data.vocabulary import Id
    from shortlist.models.base import Model
    from shortlist.recommend.folder import ListFolder

Bundle = Annotated[Path, Argument(metavar="BUNDLE", help="A folder that shortlist fit wrote.")]
Length = Annotated[int, Option("-k", "--k", help="The length of a list.")]


def _require_target(target: str | None) -> str | None:
    if target is not None and not is_folder(target):
        from shortlist.recommend.targets import require_target

        require_target(target)
    return target


Out = Annotated[
    str | None,
    Option(
        metavar="TARGET",
        callback=_require_target,
        help="Write a .parquet or .csv file, a run into a store, or a folder/ of Parquet files, "
        "which may be an address such as s3://bucket/folder/.",
    ),
]
Where = Annotated[str | None, Option(help="A rule over item features, like: year >= 1990.")]
AsOf = Annotated[str | None, Option(help="List only items that are live at this date; or: now.")]


def recommend(
    bundle: Bundle,
    user: Annotated[
        list[str] | None, Option(metavar="ID", help="A user id; may be given several times.")
    ] = None,
    users: Annotated[
        Path | None,
        Option(metavar="FILE", help="A file with one user id per line, or a table; - is stdin."),
    ] = None,
    history: Annotated[
        str | None,
        Option(help="Item ids that a new user chose, separated by commas; instead of --users."),
    ] = None,
    features: Annotated[
        str | None,
        Option(
            metavar="JSON|FILE",
            help="Features of new users: a JSON object, or a list of these; or a file of them, or "
            "a table; - is stdin.",
        ),
    ] = None,
    k: Length = 10,
    where: Where = None,
    allow: Annotated[
        Path | None,
        Option(
            metavar="FILE", help="List only these items: a file with an id per line, or a table."
        ),
    ] = None,
    deny: Annotated[
        Path | None,
        Option(metavar="FILE", help="List none of these items: a file as for --allow."),
    ] = None,
    as_of: AsOf = None,
    include_seen: Annotated[
        bool, Option(help="Also list items that the user has chosen already.")
    ] = False,
    on_unknown: Annotated[
        Literal["raise", "skip", "fallback"], Option(help="How to treat unknown ids.")
    ] = "raise",
    diversity: Annotated[
        float, Option(help="Trade score for variety: 0, the order of the scores, to 1.")
    ] = 0.0,
    engine: Engine = "local",
    out: Out = None,
    json: Json = None,
) -> None:
    """List the best items for all users, some users, or new users with a history or features."""
    from shortlist.models.registry import load
    from shortlist.recommend.query import Query
    from shortlist.recommend.recommender import memory_of_lists

    to_folder = out is not None and is_folder(out)
    if to_folder and any(given is not None for given in (history, features, json)):
        raise InputError(
            f"the folder {out} is for lists of users of the training data",
            remedy="leave --history, --features and --json out, or name a .parquet file",
        )
    left = "nothing was listed" if out is None else f"{out} was not written"
    if to_folder:
        left = f"the same command continues in {out}"
    with working(left):
        model = load(bundle)
        known = model.data.users.parse(user or ())
        if users is not None:
            known += read_ids(users, model.data.users)
        choice: dict[str, Any] = {
            "k": k,
            "exclude_seen": not include_seen,
            "allow": _known_items(model, "--allow", allow),
            "deny": _known_items(model, "--deny", deny),
            "where": where,
            "as_of": as_of,
            "on_unknown": on_unknown,
            "diversity": diversity,
            "engine": engine,
        }
        if out is not None and to_folder:
            remark(_written(model.recommend_to(out, known or None, **choice)))
            return
        given = None if history is None else model.data.items.parse(history.split(","))
        if history is None and features is None:
            count = len(known) or model.data.n_users
            say_memory(f"lists of {k}", memory_of_lists(model.data, count, k))
        people = [None] if features is None else read_features(features, model.data.user_features)
        lists = model.recommend(
            known or None,
            queries=None
            if history is None and features is None
            else [Query(history=given, features=person) for person in people],
            **choice,
        )
    show(lists, json, printed=out is None)
    if not len(lists) and not lists.notes:
        remark("the lists are empty: no item is left that is allowed and was not chosen before")
    if out is not None:
        written = with_mark(lists, bundle, out).write(out)
        remark(f"wrote {len(lists):,} rows to {written}")


def _written(folder: ListFolder) -> str:
    """Say what was written into a folder."""
    files = counted(folder.files, "file")
    earlier = f"; {folder.found:,} were there already" if folder.found else ""
    return f"wrote {folder.rows:,} rows in {files} to {folder.place}{earlier}"


def _known_items(model: Model[Any, Any], option: str, file: Path | None) -> list[Id] | None:
    """Read item ids from a file; a stock list may hold items that the model has never seen."""
    if file is None:
        return None
    ids = read_ids(file, model.data.items)
    known = [item for item in ids if item in model.data.items]
    if len(known) < len(ids):
        unknown = [str(item) for item in ids if item not in model.data.items]
        left_out = f"left out {len(unknown):,} of {len(ids):,} ids"
        remark(f"{option}: {left_out}, unknown: {first_few(unknown)}")
    if option == "--allow" and not known:
        raise InputError(
            "no allowed item is known to the model", where=str(file), remedy="correct the ids"
        )
    return known


def similar(
    bundle: Bundle,
    item: Annotated[list[str], Argument(metavar="ITEM...", help="Item ids.")],
    k: Length = 10,
    where: Where = None,
    as_of: AsOf = None,
    json: Json = None,
) -> None:
    """List the items most similar to an item."""
    from shortlist.models.registry import load

    with working():
        model = load(bundle)
        lists = model.similar(model.data.items.parse(item), k=k, where=where, as_of=as_of)
    show(lists, json)


def audience(
    bundle: Bundle,
    item: Annotated[list[str], Argument(metavar="ITEM...", help="Item ids.")],
    k: Length = 10,
    where: Annotated[
        str | None, Option(help="A rule over user features, like: country = France.")
    ] = None,
    include_seen: Annotated[
        bool, Option(help="Also list users who have chosen it already.")
    ] = False,
    json: Json = None,
) -> None:
    """List the users whom an item suits best."""
    from shortlist.models.registry import load

    with working():
        model = load(bundle)
        items = model.data.items.parse(item)
        lists = model.audience(items, k=k, where=where, exclude_seen=not include_seen)
    show(lists, json)


def explain(
    bundle: Bundle,
    user: Annotated[str, Argument(metavar="USER", help="A user id.")],
    item: Annotated[str, Argument(metavar="ITEM", help="An item id.")],
    json: Json = None,
) -> None:
    """Split the score of an item for a user into its terms."""
    from shortlist.models.registry import load

    with working():
        model = load(bundle)
        user_id, item_id = model.data.users.parse([user])[0], model.data.items.parse([item])[0]
        explanation = model.explain(user_id, item_id)
    content = {"item_id": explanation.item, "score": explanation.score}
    content |= {"source": explanation.source, "parts": explanation.parts.to_pylist()}
    finish(content, json, *explanation.content())
    if json is None and not content["parts"]:
        remark("nothing in the data speaks for this item")
