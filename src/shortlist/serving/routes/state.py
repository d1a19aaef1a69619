"""How the service is, what it serves, and what it records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from shortlist.data.moments import moment
from shortlist.data.store.library_tables import Recorded
from shortlist.errors import InputError
from shortlist.serving import asking, replies, schemas
from shortlist.serving.routes.wire import ERRORS, StrictRoute, json_of
from shortlist.serving.service import Service
from shortlist.serving.troubles import RefusedError


def routes(service: Service) -> APIRouter:
    """Make the routes."""
    router = APIRouter(tags=["state"], route_class=StrictRoute, responses=ERRORS)
    shelf = service.shelf

    @router.get("/models", response_model=replies.Models)
    async def models() -> Response:
        """Say which bundles are loaded, the default first."""
        return json_of(
            {
                "models": [
                    {
                        "name": one.name,
                        "kind": one.model.name,
                        "users": one.data.n_users,
                        "items": one.data.n_items,
                        "interactions": one.data.n_interactions,
                        "created": one.manifest.created,
                        "metrics": one.manifest.metrics,
                        "can": one.can,
                        "trouble": shelf.trouble[one.name],
                    }
                    for one in shelf.all()
                ],
                "records": service.records,
            }
        )

    @router.post("/interactions", response_model=replies.Recorded)
    async def interactions(body: schemas.InteractionsIn) -> Response:
        """Record choices; they are on disk, and the next list knows them, when this replies."""
        recorder, given = service.recorder, body.interactions
        asking.check_most(len(given), service.limits.interactions, "interactions", "interactions")
        shelf.get(None).data.items.require([one.item_id for one in given])
        await recorder.submit(_recorded(given))
        return json_of({"recorded": len(given)})

    @router.get("/health", response_model=replies.Health)
    async def health() -> Response:
        """Say whether the process works; a bundle that could not be taken over is told here."""
        troubles = {name: why or "ok" for name, why in shelf.trouble.items()}
        degraded = any(why != "ok" for why in troubles.values())
        return json_of({"status": "degraded" if degraded else "ok", "models": troubles})

    @router.get("/ready", response_model=replies.Health)
    async def ready() -> Response:
        """Say whether requests may be sent here: 200, or 503 while the service stops."""
        if not service.running:
            raise RefusedError(503, "the service is stopping", remedy="ask another one")
        return json_of({"status": "ok", "models": dict.fromkeys(shelf.trouble, "ok")})

    @router.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Count, for Prometheus."""
        return Response(service.metrics.page(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router


def _recorded(given: Sequence[schemas.InteractionIn]) -> list[Recorded]:
    now = dt.datetime.now(dt.UTC)
    rows = []
    for place, one in enumerate(given):
        time = now
        if one.time is not None:
            try:
                seconds = moment(one.time) / 1e6
                time = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
            except (InputError, OverflowError) as error:
                raise RefusedError(
                    422,
                    f"{one.time!r} is no time",
                    where=f"interactions.{place}.time",
                    remedy="write it like 2024-05-31T18:00, or in seconds since 1970",
                ) from error
        rows.append(Recorded(one.user_id, one.item_id, one.weight, time))
    return rows
