"""The endpoints: for each HTTP operation the function that answers it.

Their signatures declare what a request contains and what the reply looks like; their docstrings are
the descriptions in the documentation.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field
from starlette.responses import Response

from shortlist._version import __version__
from shortlist.data.moments import moment
from shortlist.data.store.recorded import Recorded
from shortlist.data.vocabulary import UNKNOWN, Id
from shortlist.errors import InputError
from shortlist.recommend.explain import Explanation, explain_items
from shortlist.recommend.query import Query
from shortlist.serving import replies, requests
from shortlist.serving.batching import Items, Job
from shortlist.serving.errors import RequestError, RequestErrorCode
from shortlist.serving.model_store import ServedModel, known_id
from shortlist.serving.operations import Operation
from shortlist.serving.queries import (
    check_count,
    check_k,
    check_moment,
    check_queries,
    parse_where,
    shared_where,
    to_explained_query,
    to_queries,
)
from shortlist.serving.service import Service
from shortlist.serving.stopping import check_stopped
from shortlist.serving.users import describe_user, find_users

_CLOCK_TOLERANCE = dt.timedelta(days=1)  # of the clocks of clients, and their time zones
MAX_REASONS = 5  # of an item in a list; POST /explanations returns all

ItemId: TypeAlias = Annotated[str, Field(description="The id of an item.")]
RecordId: TypeAlias = Annotated[
    str, Field(description="An id from the reply of POST /interactions.")
]
UserId: TypeAlias = Annotated[str, Field(description="The id of a user.")]


def operations(service: Service) -> list[Operation]:
    """Return the operations of a service; those with the most requests come first."""
    groups = (_list_operations, _catalogue_operations, _state_operations)
    return [operation for group in groups for operation in group(service)]


def _list_operations(service: Service) -> list[Operation]:
    limits, models, recent = service.limits, service.models, service.recent

    async def user_recommendations(
        user_id: UserId, parameters: requests.ListParameters
    ) -> replies.UserRecommendations:
        """List the best items for a user."""
        served = models.get(parameters.model)
        check_k(parameters.k, limits)
        if parameters.reasons:
            check_count(parameters.k, limits.reasons, "reasons", "k")
        (user,) = served.data.users.parse([user_id])
        query = Query(user=user, where=parse_where(parameters.where))
        queries = [recent.extended(query, served.data)]
        check_queries(served, queries, "raise")
        check_moment(parameters.as_of)
        job = Job(served, queries, parameters.k, parameters.exclude_seen, as_of=parameters.as_of)
        (items,) = await _lists(service, job, reasons=parameters.reasons)
        return {"model": served.name, "user_id": user, "items": items or []}

    async def recommendations(body: requests.RecommendationsIn) -> replies.Recommendations:
        """List the best items for users, histories, features, or a mix of them."""
        served = models.get(body.model)
        queries = to_queries(body, served, limits)
        queries = [recent.extended(query, served.data) for query in queries]
        where = shared_where(body)
        check_queries(served, queries, body.on_unknown, where)
        check_moment(body.as_of)
        job = Job(served, queries, body.k, body.exclude_seen, body.on_unknown, body.as_of, where)
        lists = await _lists(service, job, reasons=body.reasons)
        users: Sequence[Id | None] = body.users or [query.user for query in body.queries or ()]
        return {
            "model": served.name,
            "lists": [
                {"user": user, "query": position, "items": items}
                for position, (user, items) in enumerate(zip(users, lists, strict=True))
                if items is not None
            ],
        }

    async def similar(
        item_id: ItemId, parameters: requests.SimilarParameters
    ) -> replies.SimilarItems:
        """List the items most similar to an item."""
        served = models.get(parameters.model)
        check_k(parameters.k, limits)
        item, where = known_id(served.data.items, item_id), parse_where(parameters.where)
        return await service.workers.run(similar_items, served, item, parameters.k, where)

    async def audience(
        item_id: ItemId, parameters: requests.AudienceParameters
    ) -> replies.Audience:
        """List the users with the highest scores for an item, of those the bundle was fitted on."""
        served = models.get(parameters.model)
        check_k(parameters.k, limits)
        item = known_id(served.data.items, item_id)
        return await service.workers.run(
            audience_of, served, item, parameters.k, parameters.exclude_seen
        )

    async def explanations(body: requests.ExplanationIn) -> replies.Explanation:
        """Explain the score of an item: return the terms it is the sum of."""
        served = models.get(body.model)
        query = recent.extended(to_explained_query(body, served, limits), served.data)
        check_queries(served, [query], "raise")
        return await service.workers.run(explanation_of, served, query, body.item)

    return [
        Operation("GET", "/users/{user_id}/recommendations", user_recommendations, "lists"),
        Operation("POST", "/recommendations", recommendations, "lists"),
        Operation("GET", "/items/{item_id}/similar", similar, "lists"),
        Operation("GET", "/items/{item_id}/audience", audience, "lists"),
        Operation("POST", "/explanations", explanations, "lists"),
    ]


def _catalogue_operations(service: Service) -> list[Operation]:
    limits, models, recent = service.limits, service.models, service.recent

    async def items(parameters: requests.SearchParameters) -> replies.Items:
        """Search items by title or id; without a text, return the most popular items."""
        served = models.get(parameters.model)
        check_count(parameters.limit, limits.search, "hits", "limit")
        return await service.searchers.run(find_items, served, parameters.q, parameters.limit)

    async def item(item_id: ItemId, parameters: requests.Parameters) -> replies.Item:
        """Return an item."""
        served = models.get(parameters.model)
        key = known_id(served.data.items, item_id)
        return served.catalogue.item(int(served.data.items.rows([key])[0]))

    async def users(parameters: requests.SearchParameters) -> replies.Users:
        """Search users by id; without a text, return the users with the most interactions."""
        served = models.get(parameters.model)
        check_count(parameters.limit, limits.search, "hits", "limit")
        return await service.searchers.run(
            find_users, served, recent, parameters.q, parameters.limit
        )

    async def user(user_id: UserId, parameters: requests.Parameters) -> replies.User:
        """Return the features and the history of a user."""
        served = models.get(parameters.model)
        (key,) = served.data.users.parse([user_id])
        return await service.searchers.run(describe_user, served, recent, key)

    async def schema(parameters: requests.Parameters) -> replies.Schema:
        """Describe the features of users and the fields of items."""
        return models.get(parameters.model).schema

    async def item_map(parameters: requests.Parameters) -> replies.Encoded[replies.Map]:
        """Return the most popular items as points; similar items are close to each other."""
        return models.get(parameters.model).require_map()

    return [
        Operation("GET", "/items", items, "catalogue"),
        Operation("GET", "/items/{item_id}", item, "catalogue"),
        Operation("GET", "/users", users, "catalogue"),
        Operation("GET", "/users/{user_id}", user, "catalogue"),
        Operation("GET", "/schema", schema, "catalogue"),
        Operation("GET", "/map", item_map, "catalogue"),
    ]


def _state_operations(service: Service) -> list[Operation]:
    store = service.models

    async def models() -> replies.Models:
        """Return the loaded bundles, the default first."""
        infos: list[replies.ModelInfo] = [
            {
                "name": served.name,
                "kind": served.model.name,
                "users": served.data.n_users,
                "items": served.data.n_items,
                "interactions": served.data.n_interactions,
                "created": served.manifest.created,
                "metrics": served.manifest.metrics,
                "ratings": served.ratings,
                "can": served.capabilities,
                "trouble": store.reload_errors[served.name],
            }
            for served in store.all()
        ]
        return {"models": infos, "records": service.records}

    async def interactions(body: requests.InteractionsIn) -> replies.Recorded:
        """Record interactions. Once this replies they are on disk, and lists consider them."""
        recorder, given = service.recorder, body.interactions
        check_count(len(given), service.limits.interactions, "interactions", "interactions")
        store.get(None).data.items.require([interaction.item_id for interaction in given])
        ids = await recorder.submit(_to_rows(given))
        return {"recorded": len(given), "ids": ids}

    async def remove_interaction(record_id: RecordId) -> replies.Removed:
        """Take back a recorded interaction: lists no longer consider it.

        A bundle that was fitted with it knows it until it is fitted again.
        """
        recorder = service.recorder
        number = int(record_id) if record_id.isdecimal() and record_id.isascii() else 0
        if not await recorder.remove(number if number < 2**63 else 0):
            raise RequestError(
                RequestErrorCode.NOT_FOUND,
                f"there is no recorded interaction {record_id!r}",
                where="record_id",
                remedy="give an id that POST /interactions has returned; it may be removed already",
            )
        return {"removed": 1}

    async def health() -> replies.Health:
        """Return whether the process works, and whether newer bundles could be loaded."""
        errors = {name: reason or "ok" for name, reason in store.reload_errors.items()}
        degraded = any(reason != "ok" for reason in errors.values())
        status: Literal["ok", "degraded"] = "degraded" if degraded else "ok"
        return {"status": status, "version": __version__, "models": errors}

    async def ready() -> replies.Health:
        """Return whether the service accepts requests: 200, or 503 while it stops."""
        if service.stopping or not service.running:
            raise RequestError(
                RequestErrorCode.STOPPING,
                "the service is stopping",
                remedy="send requests to another instance",
            )
        models = dict.fromkeys(store.reload_errors, "ok")
        return {"status": "ok", "version": __version__, "models": models}

    async def metrics() -> Response:
        """Return metrics for Prometheus."""
        text = service.metrics.exposition()
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [
        Operation("GET", "/models", models, "state"),
        Operation("POST", "/interactions", interactions, "state"),
        Operation("DELETE", "/interactions/{record_id}", remove_interaction, "state"),
        Operation("GET", "/health", health, "state"),
        Operation("GET", "/ready", ready, "state"),
        Operation("GET", "/metrics", metrics, "state"),
    ]


async def _lists(service: Service, job: Job, *, reasons: bool) -> list[Items]:
    """Score the lists of a request, and add reasons if requested."""
    lists = await service.batcher.submit(job)
    return await service.workers.run(_with_reasons, job, lists) if reasons else lists


def _with_reasons(job: Job, lists: Sequence[Items]) -> list[Items]:
    """Add to each item the largest terms of its score."""
    served, explained = job.served, list[Items]()
    for query, items in zip(job.queries, lists, strict=True):
        if items is not None:  # other requests may share the items: make new ones
            ids = [item["item_id"] for item in items]
            reasons: list[list[replies.Reason]] = []
            for explanation in explain_items(served.model, query, ids, MAX_REASONS):
                check_stopped()
                reasons.append(_reasons(served, explanation))
            items = [{**item, "reasons": terms} for item, terms in zip(items, reasons, strict=True)]
        explained.append(items)
    return explained


def similar_items(
    served: ServedModel, item: Id, k: int, where: Mapping[str, Any] | None
) -> replies.SimilarItems:
    """Return the items most similar to an item."""
    items = served.ranked_items(served.model.similar([item], k=k, where=where).table)
    return {"model": served.name, "item_id": item, "items": items}


def audience_of(served: ServedModel, item: Id, k: int, exclude_seen: bool) -> replies.Audience:
    """Return the users with the highest scores for an item."""
    table = served.model.audience([item], k=k, exclude_seen=exclude_seen).table
    users: list[Any] = table.select(["user_id", "rank", "score"]).to_pylist()
    return {"model": served.name, "item_id": item, "users": users}


def explanation_of(served: ServedModel, query: Query, item: Id) -> replies.Explanation:
    """Return the terms of a score."""
    explanation = served.model.explain(None, item, query=query)
    return {
        "model": served.name,
        "item_id": explanation.item,
        "score": explanation.score,
        "source": explanation.source,
        "parts": _reasons(served, explanation),
    }


def find_items(served: ServedModel, text: str, limit: int) -> replies.Items:
    """Return the items that match a search."""
    rows = served.catalogue.search(text, limit).tolist()
    return {"items": [served.catalogue.item(row) for row in rows]}


def _reasons(served: ServedModel, explanation: Explanation) -> list[replies.Reason]:
    """Return the terms of an explanation, with titles as the labels of items."""
    reasons: list[replies.Reason] = explanation.parts.to_pylist()
    items = served.data.items
    rows = items.rows(items.parse([reason["name"] for reason in reasons]))
    for reason, row in zip(reasons, np.asarray(rows).tolist(), strict=True):
        is_item = reason["kind"].endswith("item") and row != UNKNOWN
        reason["label"] = served.catalogue.titles[row] if is_item else reason["name"]
    return reasons


def _to_rows(given: Sequence[requests.InteractionIn]) -> list[Recorded]:
    now = dt.datetime.now(dt.UTC)
    rows = []
    for position, interaction in enumerate(given):
        time = now
        if interaction.time is not None:
            try:
                seconds = moment(interaction.time) / 1e6
                time = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
            except (InputError, OverflowError) as error:
                path = f"interactions.{position}.time"
                raise RequestError(
                    RequestErrorCode.INVALID_VALUE,
                    f"{interaction.time!r} is no time",
                    where=path,
                    remedy="write it like 2024-05-31T18:00, or in seconds since 1970",
                    parameter=path,
                ) from error
        if time > now + _CLOCK_TOLERANCE:
            path = f"interactions.{position}.time"
            raise RequestError(
                RequestErrorCode.INVALID_VALUE,
                f"{interaction.time!r} is in the future",
                where=path,
                remedy="give the time of the interaction, or leave it out: then it is now",
                parameter=path,
            )
        row = Recorded(interaction.user_id, interaction.item_id, interaction.weight, time)
        rows.append(row)
    return rows
