"""Lists, and why an item is on one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from shortlist.serving import asking, replies, schemas
from shortlist.serving.lists import audience_of, list_of_user, lists_of, similar_items
from shortlist.serving.reasons import explanation
from shortlist.serving.routes.wire import (
    ERRORS,
    ItemId,
    StrictRoute,
    UserId,
    json_of,
    json_reply,
)
from shortlist.serving.served import parsed
from shortlist.serving.service import Service


def routes(service: Service) -> APIRouter:
    """Make the routes."""
    router = APIRouter(tags=["lists"], route_class=StrictRoute, responses=ERRORS)
    limits, shelf = service.limits, service.shelf

    @router.post("/recommendations", response_model=replies.Recommendations)
    async def recommendations(body: schemas.RecommendationsIn) -> Response:
        """List the best items for users, histories, features, or a mix of them."""
        return json_reply(await lists_of(service, body))

    @router.get("/users/{user_id}/recommendations", response_model=replies.UserList)
    async def user_recommendations(
        user_id: UserId, asked: Annotated[schemas.ListAsked, Query()]
    ) -> Response:
        """List the best items for a user."""
        return json_reply(await list_of_user(service, user_id, asked))

    @router.get("/items/{item_id}/similar", response_model=replies.SimilarItems)
    async def similar(item_id: ItemId, asked: Annotated[schemas.SimilarAsked, Query()]) -> Response:
        """List the items most like an item."""
        served = shelf.get(asked.model)
        asking.check_k(asked.k, limits)
        item, where = parsed(served.data.items, item_id), asking.where_of(asked.where)
        return json_reply(await service.lane.run(similar_items, served, item, asked.k, where))

    @router.get("/items/{item_id}/audience", response_model=replies.Audience)
    async def audience(
        item_id: ItemId, asked: Annotated[schemas.AudienceAsked, Query()]
    ) -> Response:
        """List the users whom an item suits best, among those the bundle was fitted on."""
        served = shelf.get(asked.model)
        asking.check_k(asked.k, limits)
        item = parsed(served.data.items, item_id)
        found = await service.lane.run(audience_of, served, item, asked.k, asked.exclude_seen)
        return json_reply(found)

    @router.post("/explanations", response_model=replies.Explanation)
    async def explanations(body: schemas.ExplanationIn) -> Response:
        """Say what the score of an item is the sum of."""
        served = shelf.get(body.model)
        query = asking.query_to_explain(body, served, limits)
        (query,) = asking.known_now(served, service.recent, [query])
        asking.check(served, [query], "raise")
        return json_of(await service.lane.run(explanation, served, query, body.item))

    return router
