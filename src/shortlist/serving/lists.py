"""The replies that are lists, from a checked request to JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shortlist.data.vocabulary import Id
from shortlist.recommend.query import Query
from shortlist.serving import asking
from shortlist.serving.batching import Job, Listing
from shortlist.serving.plain import json_bytes
from shortlist.serving.reasons import reasons_json
from shortlist.serving.schemas import ListAsked, RecommendationsIn
from shortlist.serving.served import Served
from shortlist.serving.service import Service


async def lists_of(service: Service, body: RecommendationsIn) -> bytes:
    """Give the reply of ``POST /recommendations``."""
    served = service.shelf.get(body.model)
    queries = asking.queries_of(body, served, service.limits)
    queries = asking.known_now(served, service.recent, queries)
    where = asking.rule_for_all(body)
    asking.check(served, queries, body.on_unknown, where)
    asking.check_moment(body.as_of)
    job = Job(served, queries, body.k, body.exclude_seen, body.on_unknown, body.as_of, where)
    lists = await _listed(service, job, body.reasons)
    users: Sequence[Id | None] = body.users or [one.user for one in body.queries or ()]
    written = [
        b'{"user":%s,"query":%d,"items":%s}' % (json_bytes(user), place, items)
        for place, (user, items) in enumerate(zip(users, lists, strict=True))
        if items is not None
    ]
    return b'{"model":%s,"lists":[%s]}' % (json_bytes(served.name), b",".join(written))


async def list_of_user(service: Service, user_id: str, asked: ListAsked) -> bytes:
    """Give the reply of ``GET /users/{id}/recommendations``."""
    served = service.shelf.get(asked.model)
    asking.check_k(asked.k, service.limits)
    if asked.reasons:
        asking.check_most(asked.k, service.limits.reasons, "reasons", "k")
    user = served.data.users.parse([user_id])[0]
    query = Query(user=user, where=asking.where_of(asked.where))
    queries = asking.known_now(served, service.recent, [query])
    asking.check(served, queries, "raise")
    asking.check_moment(asked.as_of)
    job = Job(served, queries, asked.k, asked.exclude_seen, as_of=asked.as_of)
    (items,) = await _listed(service, job, asked.reasons)
    head = json_bytes(served.name), json_bytes(user), items
    return b'{"model":%s,"user_id":%s,"items":%s}' % head


def similar_items(served: Served, item: Id, k: int, where: Mapping[str, Any] | None) -> bytes:
    """Give the reply of ``GET /items/{id}/similar``."""
    found = served.model.similar([item], k=k, where=where).table
    head = json_bytes(served.name), json_bytes(item), _joined(served.listed(found))
    return b'{"model":%s,"item_id":%s,"items":%s}' % head


def audience_of(served: Served, item: Id, k: int, exclude_seen: bool) -> bytes:
    """Give the reply of ``GET /items/{id}/audience``."""
    found = served.model.audience([item], k=k, exclude_seen=exclude_seen).table
    users = found.select(["user_id", "rank", "score"]).to_pylist()
    return json_bytes({"model": served.name, "item_id": item, "users": users})


async def _listed(service: Service, job: Job, reasons: bool) -> list[bytes | None]:
    """Give each list as JSON, or None where it is left out."""
    listings = await service.batcher.submit(job)
    if reasons:
        listings = await service.lane.run(_with_reasons, job, listings)
    return [None if one is None else _joined(one.items) for one in listings]


def _with_reasons(job: Job, listings: Sequence[Listing | None]) -> list[Listing | None]:
    explained: list[Listing | None] = []
    for query, listing in zip(job.queries, listings, strict=True):
        if listing is not None:
            reasons = reasons_json(job.served, query, listing.ids)
            pairs = zip(listing.items, reasons, strict=True)
            items = [b'%s,"reasons":%s' % pair for pair in pairs]
            listing = Listing(listing.ids, items)
        explained.append(listing)
    return explained


def _joined(items: Sequence[bytes]) -> bytes:
    """Close the brace of each item, and make a JSON list of them."""
    return b"[%s}]" % b"},".join(items) if items else b"[]"
