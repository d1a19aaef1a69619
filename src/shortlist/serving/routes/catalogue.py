"""Items and users to look up, and what is known of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from shortlist.serving import asking, replies, schemas
from shortlist.serving.people import describe_user, find_users
from shortlist.serving.routes.wire import (
    ERRORS,
    ItemId,
    StrictRoute,
    UserId,
    json_of,
    json_reply,
)
from shortlist.serving.served import Served, parsed
from shortlist.serving.service import Service


def routes(service: Service) -> APIRouter:
    """Make the routes."""
    router = APIRouter(tags=["catalogue"], route_class=StrictRoute, responses=ERRORS)
    limits, shelf, lane = service.limits, service.shelf, service.lane

    @router.get("/items", response_model=replies.Items)
    async def items(asked: Annotated[schemas.SearchAsked, Query()]) -> Response:
        """Search items by title; without a text: the most chosen."""
        served = shelf.get(asked.model)
        asking.check_most(asked.limit, limits.search, "hits", "limit")
        return json_reply(await lane.run(_items_json, served, asked.q, asked.limit))

    @router.get("/items/{item_id}", response_model=replies.Item)
    async def item(item_id: ItemId, asked: Annotated[schemas.Asked, Query()]) -> Response:
        """Show an item."""
        served = shelf.get(asked.model)
        row = int(served.data.items.rows([parsed(served.data.items, item_id)])[0])
        return json_reply(served.catalogue.items_json([row])[1:-1])

    @router.get("/users", response_model=replies.Users)
    async def users(asked: Annotated[schemas.SearchAsked, Query()]) -> Response:
        """Search users by id; without a text: those with the most interactions."""
        served = shelf.get(asked.model)
        asking.check_most(asked.limit, limits.search, "hits", "limit")
        found = await lane.run(find_users, served, service.recent, asked.q, asked.limit)
        return json_of({"users": found})

    @router.get("/users/{user_id}", response_model=replies.User)
    async def user(user_id: UserId, asked: Annotated[schemas.Asked, Query()]) -> Response:
        """Show the features and the history of a user."""
        served = shelf.get(asked.model)
        one = served.data.users.parse([user_id])[0]
        return json_of(await lane.run(describe_user, served, service.recent, one))

    @router.get("/schema", response_model=replies.Schema)
    async def schema(asked: Annotated[schemas.Asked, Query()]) -> Response:
        """Describe the features of users and the fields of items."""
        return json_reply(shelf.get(asked.model).schema_json)

    @router.get("/map", response_model=replies.Map)
    async def places(asked: Annotated[schemas.Asked, Query()]) -> Response:
        """Place the most chosen items in two dimensions, alike ones near each other."""
        return json_reply(shelf.get(asked.model).places())

    return router


def _items_json(served: Served, text: str, limit: int) -> bytes:
    rows = served.catalogue.search(text, limit).tolist()
    return b'{"items":%s}' % served.catalogue.items_json(rows)
