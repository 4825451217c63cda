"""Alerts: what a person should see, acknowledge and resolve."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.deps import READ, TRADE, Alerts, Answer, CurrentCaller, Db
from app.api.schemas.alerts import AlertDeliveryOut, AlertNoteIn, AlertOut, AlertQuery
from app.api.schemas.base import Page, PageQuery
from app.repositories import alert_deliveries
from app.repositories import alerts as rows

router = APIRouter(prefix="/api/alerts", tags=["alerts"])
AlertId = Annotated[int, Path(ge=1, le=2**53, examples=[5])]


@router.get("", dependencies=[READ])
async def list_alerts(
    query: Annotated[AlertQuery, Query()], caller: CurrentCaller, db: Db, answer: Answer
) -> Page[AlertOut]:
    """Newest first."""
    fetch = rows.listing(db, accounts=caller.visible, **query.narrowed())
    return await answer(AlertOut, query, fetch)


@router.get("/{alert_id}", dependencies=[READ])
async def get_alert(alert_id: AlertId, caller: CurrentCaller, db: Db) -> AlertOut:
    """One alert."""
    return AlertOut.model_validate(await rows.get(db, alert_id, caller.visible))


@router.get("/{alert_id}/deliveries", dependencies=[READ])
async def list_alert_deliveries(
    alert_id: AlertId,
    query: Annotated[PageQuery, Query()],
    caller: CurrentCaller,
    db: Db,
    answer: Answer,
) -> Page[AlertDeliveryOut]:
    """Who was told of it, when, and why not; newest first."""
    await rows.get(db, alert_id, caller.visible)
    return await answer(AlertDeliveryOut, query, alert_deliveries.listing(db, alert_id))


@router.post("/{alert_id}/acknowledge", dependencies=[TRADE])
async def acknowledge_alert(
    alert_id: AlertId, caller: CurrentCaller, alerts: Alerts, body: AlertNoteIn | None = None
) -> AlertOut:
    """Somebody is on it."""
    note = body.note if body else None
    return AlertOut.model_validate(await alerts.acknowledge(caller, alert_id, note))


@router.post("/{alert_id}/resolve", dependencies=[TRADE])
async def resolve_alert(
    alert_id: AlertId, caller: CurrentCaller, alerts: Alerts, body: AlertNoteIn | None = None
) -> AlertOut:
    """It is over."""
    note = body.note if body else None
    return AlertOut.model_validate(await alerts.resolve(caller, alert_id, note))
