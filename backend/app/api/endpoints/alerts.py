"""Alerts: what a person should see, acknowledge and resolve."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.deps import READ, TRADE, Alerts, CurrentCaller, Reader, Tables
from app.api.schemas.alerts import AlertNoteIn, AlertOut, AlertQuery
from app.api.schemas.base import Page

router = APIRouter(prefix="/api/alerts", tags=["alerts"])
AlertId = Annotated[int, Path(examples=[5])]


@router.get("", dependencies=[READ])
async def list_alerts(
    query: Annotated[AlertQuery, Query()], read: Reader, tables: Tables
) -> Page[AlertOut]:
    """Newest first."""


@router.post("/{alert_id}/acknowledge", dependencies=[TRADE])
async def acknowledge_alert(
    alert_id: AlertId, caller: CurrentCaller, alerts: Alerts, body: AlertNoteIn | None = None
) -> AlertOut:
    """Somebody is on it."""


@router.post("/{alert_id}/resolve", dependencies=[TRADE])
async def resolve_alert(
    alert_id: AlertId, caller: CurrentCaller, alerts: Alerts, body: AlertNoteIn | None = None
) -> AlertOut:
    """It is over."""
