"""The event bus: how its handlers stand."""

from fastapi import APIRouter, Request

from app.api.deps import READ, Db, parts_of
from app.api.schemas.event_bus import EventBusOut
from app.monitoring import event_bus
from app.repositories import handler_deliveries, heartbeats

router = APIRouter(prefix="/api/event-bus", tags=["events"])


@router.get("", dependencies=[READ])
async def get_event_bus(request: Request, db: Db) -> EventBusOut:
    """Published, handled, failed, retried, lag, times by type and lane, dead letters."""
    stored = await handler_deliveries.overview(db)
    told = await heartbeats.listed(db, f"{event_bus.HEARTBEAT}:%")
    copied = await heartbeats.listed(db, f"{event_bus.FAN_OUT}:%")
    found = event_bus.overview(stored, told, copied, parts_of(request).clock.now())
    return EventBusOut.model_validate(found)
