"""The endpoints: for each HTTP operation the function that answers it.

Their signatures declare what a request contains and what the reply looks like; their docstrings are
the descriptions in the documentation.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field
from starlette.responses import Response

from shortlist._version import __version__
from shortlist.data.moments import as_datetime, moment
from shortlist.data.store.recorded import Recorded
from shortlist.data.vocabulary import UNKNOWN, Id
from shortlist.errors import CapabilityError, InputError
from shortlist.recommend.explain import BY_SIMILAR, CHOSEN, Explanation, explain_items
from shortlist.recommend.notes import notes_on_queries
from shortlist.recommend.query import Query
from shortlist.recommend.recommender import ListOptions
from shortlist.recommend.result import FALLBACK
from shortlist.recommend.rules import Rules
from shortlist.serving import replies, requests
from shortlist.serving.batching import Items, Job
from shortlist.serving.catalogue import describe_user, describe_users, find_users
from shortlist.serving.errors import RequestError, RequestErrorCode, check_count, wrong_value
from shortlist.serving.model_store import ServedModel, known_id
from shortlist.serving.operations import Operation
from shortlist.serving.queries import (
    check_queries,
    rules_of,
    shared_where,
    to_explained_query,
    to_queries,
)
from shortlist.serving.replies import note
from shortlist.serving.service import Service
from shortlist.serving.workers import check_stopped
from shortlist.text import shown

_CLOCK_TOLERANCE = dt.timedelta(days=1)  # of the clocks of clients, and their time zones
_ID_DIGITS = 19  # of the largest 64-bit integer
MAX_REASONS = 5  # of an item in a list; POST /explanations returns all


def operations(service: Service) -> list[Operation]:
    """Return the operations of a service; those with the most requests come first."""
    return [
        Operation(
            service, "GET", "/users/{user_id}/recommendations", "lists", user_recommendations
        ),
        Operation(service, "POST", "/recommendations", "lists", recommendations),
        Operation(service, "GET", "/items/{item_id}/similar", "lists", similar),
        Operation(service, "GET", "/items/{item_id}/audience", "lists", audience),
        Operation(service, "POST", "/explanations", "lists", explanations),
        Operation(service, "GET", "/items", "catalogue", items),
        Operation(service, "GET", "/items/{item_id}", "catalogue", item),
        Operation(service, "GET", "/users", "catalogue", users),
        Operation(service, "GET", "/users/{user_id}", "catalogue", user),
        Operation(service, "GET", "/schema", "catalogue", schema),
        Operation(service, "GET", "/map", "catalogue", item_map),
        Operation(service, "GET", "/models", "state", models),
        Operation(service, "GET", "/overview", "state", overview),
        Operation(service, "POST", "/interactions", "state", interactions),
        Operation(service, "DELETE", "/interactions/{record_id}", "state", remove_interaction),
        Operation(service, "GET", "/health", "state", health),
        Operation(service, "GET", "/ready", "state", ready),
        Operation(service, "GET", "/metrics", "state", metrics),
    ]


async def user_recommendations(
    service: Service,
    served: ServedModel,
    user_id: requests.UserId,
    k: requests.Length = 10,
    exclude_seen: Annotated[bool, note("Leave out the items of the user's history.")] = True,
    where: requests.WhereText = None,
    as_of: Annotated[
        str | None, note("Only items that are live at this time: ISO, or 'now'.", example="now")
    ] = None,
    diversity: Annotated[float, requests.DIVERSITY] = 0.0,
    reasons: Annotated[bool, note("Add the reasons for each item.")] = False,
) -> replies.UserRecommendations:
    """List the best items for a user."""
    if reasons:
        check_count(k, service.limits.reasons, "reasons", "k")
    (user,) = served.data.users.parse([user_id])
    query = service.recent.extended(Query(user=user, where=where), served.data)
    check_queries(served, [query], [query.rules])
    options = ListOptions(k, exclude_seen, Rules(as_of=as_of), "raise", diversity)
    job = Job(served, [query], options)
    (items,) = await _lists(service, job, reasons=reasons)
    return {"model": served.name, "user_id": user, "items": items or []}


async def recommendations(
    service: Service, served: ServedModel, body: requests.RecommendationsIn
) -> replies.Recommendations:
    """List the best items for users, histories, features, or a mix of them."""
    queries = [
        service.recent.extended(query, served.data)
        for query in to_queries(body, served, service.limits)
    ]
    where = shared_where(body)
    check_queries(served, queries, rules_of(body), body.on_unknown)
    rules = Rules(where=where, as_of=body.as_of)
    options = ListOptions(body.k, body.exclude_seen, rules, body.on_unknown, body.diversity)
    job = Job(served, queries, options)
    lists = await _lists(service, job, reasons=body.reasons)
    users: Sequence[Id | None] = body.users or [query.user for query in body.queries or ()]
    reply: replies.Recommendations = {
        "model": served.name,
        "lists": [
            {"user": user, "query": position, "items": items}
            for position, (user, items) in enumerate(zip(users, lists, strict=True))
            if items is not None
        ],
    }
    if any(query.features for query in queries):
        notes = await service.workers.run(_notes, job, lists)
        reply |= {"notes": list(notes)} if notes else {}
    return reply


def similar(
    service: Service,
    served: ServedModel,
    item_id: requests.ItemId,
    k: requests.Length = 10,
    where: requests.WhereText = None,
) -> replies.SimilarItems:
    """List the items most similar to an item."""
    item = known_id(served.data.items, item_id)
    lists = served.model.similar([item], k=k, where=where)
    return {"model": served.name, "item_id": item, "items": served.ranked_items(lists.table)}


def audience(
    service: Service,
    served: ServedModel,
    item_id: requests.ItemId,
    k: Annotated[
        int, requests.AtMost("k"), Field(ge=1, description="The largest number of users.")
    ] = 10,
    exclude_seen: Annotated[
        bool, note("Leave out the users whose history contains the item.")
    ] = True,
) -> replies.Audience:
    """List the users with the highest scores for an item, of those the bundle was fitted on."""
    item = known_id(served.data.items, item_id)
    takers = service.recent.takers(served.data, item) if exclude_seen else set()
    lists = served.model.audience([item], k=k + len(takers), exclude_seen=exclude_seen)
    listed = lists.table.select(["user_id", "score"]).to_pylist()
    users: list[Any] = [user for user in listed if user["user_id"] not in takers][:k]
    described = describe_users(served.data, [user["user_id"] for user in users])
    for rank, (user, features) in enumerate(zip(users, described, strict=True), 1):
        user |= {"rank": rank, "features": features}
    return {"model": served.name, "item_id": item, "users": users}


def explanations(
    service: Service, served: ServedModel, body: requests.ExplanationIn
) -> replies.Explanation:
    """Explain the score of an item: return the terms it is the sum of."""
    query = to_explained_query(body, served, service.limits)
    query = service.recent.extended(query, served.data)
    check_queries(served, [query], [query.rules])
    [explanation] = explain_items(served.model, query, [body.item])
    return {
        "model": served.name,
        "item_id": explanation.item,
        "score": explanation.score,
        "source": explanation.source,
        "parts": _reasons(served, explanation),
    }


def items(
    service: Service, served: ServedModel, q: requests.SearchText = "", limit: requests.Hits = 20
) -> replies.Items:
    """Search items by title or id; without a text, return the most popular items."""
    rows = served.catalogue.search(q, limit).tolist()
    return {"items": [served.catalogue.item(row) for row in rows]}


async def item(service: Service, served: ServedModel, item_id: requests.ItemId) -> replies.Item:
    """Return an item."""
    key = known_id(served.data.items, item_id)
    return served.catalogue.item(int(served.data.items.rows([key])[0]))


def users(
    service: Service, served: ServedModel, q: requests.SearchText = "", limit: requests.Hits = 20
) -> replies.Users:
    """Search users by id or feature; without a text, return those with the most interactions."""
    return {"users": find_users(served.catalogue, service.recent, q, limit)}


def user(service: Service, served: ServedModel, user_id: requests.UserId) -> replies.User:
    """Return the features and the history of a user."""
    (key,) = served.data.users.parse([user_id])
    return describe_user(served.catalogue, service.recent, key)


async def schema(service: Service, served: ServedModel) -> replies.Schema:
    """Describe the features of users and the fields of items."""
    return served.schema


async def item_map(service: Service, served: ServedModel) -> replies.Encoded[replies.Map]:
    """Return the most popular items as points; similar items are close to each other."""
    if served.map is None:
        raise CapabilityError(
            f"{served.model.name} has no vectors to make a map of", where=f"model {served.name!r}"
        )
    return served.map


async def models(service: Service) -> replies.Models:
    """Return the loaded bundles, the default first."""
    store = service.models
    infos = [served.info(store.reload_errors[served.name]) for served in store.all()]
    return {"models": infos, "records": service.records}


async def overview(service: Service) -> replies.Overview:
    """Return requests, times, models and their lists since the service was started."""
    metrics, store = service.metrics, service.models
    models: list[replies.ServedLists] = []
    for served in store.all():
        lists, popular = metrics.lists(served.name)
        models.append(
            {
                "name": served.name,
                "kind": served.model.name,
                "created": served.manifest.created,
                "lists": lists,
                "popular": popular,
                "trouble": store.reload_errors[served.name],
            }
        )
    return {"seconds": metrics.seconds, "routes": metrics.routes(), "models": models}


async def interactions(
    service: Service, served: ServedModel, body: requests.InteractionsIn
) -> replies.Recorded:
    """Record interactions. Once this replies they are on disk, and lists consider them."""
    recorder, given = service.recorder, body.interactions
    served.data.items.require([interaction.item_id for interaction in given])
    ids = await recorder.submit(_to_rows(given))
    return {"recorded": len(given), "ids": ids}


async def remove_interaction(
    service: Service, record_id: Annotated[str, note("An id from the reply of POST /interactions.")]
) -> replies.Removed:
    """Take back a recorded interaction: lists no longer consider it.

    A bundle that was fitted with it uses it until the next fit.
    """
    is_number = record_id.isdecimal() and record_id.isascii() and len(record_id) <= _ID_DIGITS
    if not await service.recorder.remove(int(record_id) if is_number else 0):
        raise RequestError(
            f"there is no recorded interaction {shown(record_id)}",
            code=RequestErrorCode.NOT_FOUND,
            where="record_id",
            remedy="give an id that POST /interactions has returned; it may be removed already",
        )
    return {"removed": 1}


async def health(service: Service) -> replies.Health:
    """Return whether the process works, and whether newer bundles could be loaded."""
    errors = service.models.reload_errors
    return {
        "status": "degraded" if any(errors.values()) else "ok",
        "version": __version__,
        "models": {name: reason or "ok" for name, reason in errors.items()},
    }


async def ready(service: Service) -> replies.Health:
    """Return whether the service accepts requests: 200, or 503 while it stops."""
    if service.stopping or not service.running:
        raise RequestError("the service is stopping", code=RequestErrorCode.STOPPING)
    models = dict.fromkeys(service.models.reload_errors, "ok")
    return {"status": "ok", "version": __version__, "models": models}


async def metrics(service: Service) -> Response:
    """Return metrics for Prometheus."""
    text = service.metrics.exposition()
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _lists(service: Service, job: Job, *, reasons: bool) -> list[Items]:
    """Score the lists of a request, and add reasons if requested."""
    if job.options.rules.as_of is not None:
        moment(job.options.rules.as_of)  # an error unless it is a time
    lists = await service.batcher.submit(job)
    popular = sum(_is_popular(items) for items in lists)
    service.metrics.count_lists(job.served.name, len(lists), popular)
    return await service.workers.run(_with_reasons, job, lists) if reasons else lists


def _is_popular(items: Items) -> bool:
    """Return whether a list is one of popular items, which the model could not score."""
    return items is not None and items[:1] != [] and items[0]["source"] == FALLBACK


def _notes(job: Job, lists: Sequence[Items]) -> tuple[str, ...]:
    """Return what the caller should know about the features of the queries."""
    popular = [_is_popular(items) for items in lists]
    return notes_on_queries(job.served.model, job.queries, popular, job.options.on_unknown)


def _with_reasons(job: Job, lists: Sequence[Items]) -> list[Items]:
    """Add to each item the largest terms of its score."""
    served, options, explained = job.served, job.options, list[Items]()
    for query, items in zip(job.queries, lists, strict=True):
        if items is not None:  # other requests may share the items: make new ones
            ids = [item["item_id"] for item in items]
            reasons: list[list[replies.Reason]] = []
            for explanation in explain_items(
                served.model,
                query,
                ids,
                MAX_REASONS,
                rules=options.rules,
                on_unknown=options.on_unknown,
            ):
                check_stopped()
                reasons.append(_reasons(served, explanation))
            items = [{**item, "reasons": terms} for item, terms in zip(items, reasons, strict=True)]
        explained.append(items)
    return explained


def _reasons(served: ServedModel, explanation: Explanation) -> list[replies.Reason]:
    """Return the terms of an explanation, with titles as the labels of items."""
    reasons: list[replies.Reason] = explanation.parts.to_pylist()
    items = served.data.items
    rows = items.rows(items.parse([reason["name"] for reason in reasons]))
    for reason, row, label in zip(
        reasons, np.asarray(rows).tolist(), explanation.labels, strict=True
    ):
        is_item = reason["kind"] in (CHOSEN, BY_SIMILAR) and row != UNKNOWN
        reason["label"] = served.catalogue.titles[row] if is_item else label
    return reasons


def _to_rows(given: Sequence[requests.InteractionIn]) -> list[Recorded]:
    now = dt.datetime.now(dt.UTC)
    rows = []
    for position, entry in enumerate(given):
        path, time = f"interactions.{position}.time", now
        if entry.time is not None:
            try:
                time = as_datetime(moment(entry.time))
            except (InputError, OverflowError) as error:
                remedy = "write it like 2024-05-31T18:00, or in seconds since 1970"
                raise wrong_value(f"{entry.time!r} is not a time", path, remedy) from error
        if time > now + _CLOCK_TOLERANCE:
            remedy = "give the time of the interaction, or leave it out: then it is now"
            raise wrong_value(f"{entry.time!r} is in the future", path, remedy)
        rows.append(Recorded(entry.user_id, entry.item_id, entry.weight, time))
    return rows
