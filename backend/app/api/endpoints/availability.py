"""Availability: the share of time in which the platform was there, by day, with its outages."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import READ, Db
from app.api.schemas.availability import AvailabilityOut, AvailabilityQuery
from app.core.clock import now
from app.monitoring.availability import TARGET
from app.repositories import availability

router = APIRouter(prefix="/api/availability", tags=["monitoring"])
MOST_OUTAGES = 100


@router.get("", dependencies=[READ])
async def get_availability(query: Annotated[AvailabilityQuery, Query()], db: Db) -> AvailabilityOut:
    """Planned stops count for nothing; a time in which nobody looked was an outage."""
    end = now()
    start = end - timedelta(days=query.days)
    summary = await availability.summary(db, start, end)
    newest = await availability.newest(db)
    is_current = newest is not None and end - newest["until"] <= availability.GAP
    return AvailabilityOut.model_validate(
        {
            "share": summary.share,
            "target": TARGET,
            "is_met": None if summary.share is None else summary.share >= TARGET,
            "state": newest["state"] if newest and is_current else None,
            "seconds": summary.seconds,
            "days": await availability.days(db, start, end),
            "outages": await availability.outages(db, start, end, MOST_OUTAGES),
            "start": start,
            "end": end,
        }
    )
