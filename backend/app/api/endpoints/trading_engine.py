"""The trading engine at a glance, and its controls: the names that were asked for."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from app.api.deps import (
    ADMIN,
    FRESH_PERSON,
    PUBLIC,
    READ,
    TRADE,
    Alerts,
    Answer,
    Config,
    CurrentCaller,
    Db,
    Health,
    Trading,
    guard,
    parts_of,
)
from app.api.facts import gathered
from app.api.schemas.alerts import AlertNoteIn, AlertOut, AlertQuery
from app.api.schemas.base import Page
from app.api.schemas.config import ConfigChangeIn, ConfigEntryOut, ConfigListOut
from app.api.schemas.events import EventOut, EventQuery
from app.api.schemas.trading_engine import (
    ControlIn,
    ControlOut,
    EmergencyStopIn,
    EngineHealthOut,
    MetricListOut,
    TradingStateOut,
)
from app.domain.users import Scope
from app.monitoring.metrics import described
from app.repositories import alerts as alert_rows
from app.repositories import events
from app.services.trading import Control

router = APIRouter(prefix="/api/trading-engine", tags=["trading-engine"])
AlertId = Annotated[int, Path(ge=1, le=2**53, examples=[5])]
CONTROL = guard(Scope.TRADE, "controls")
EMERGENCY = guard(Scope.TRADE, "emergency")
UNCONFIRMED: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": ControlOut, "description": "Latched; some account has not confirmed yet."}
}


@router.get("/health", dependencies=[PUBLIC])
async def get_engine_health(health: Health, trading: Trading) -> EngineHealthOut:
    """Status only, without signing in."""
    found = await health.get_system_health()
    statuses = {name: one["status"] for name, one in found["components"].items()}
    is_away = found["status"] == "unhealthy"
    state = "halted" if is_away else (await trading.state())["state"]
    return EngineHealthOut.model_validate({**found, "components": statuses, "trading_state": state})


@router.get("/state", dependencies=[READ])
async def get_trading_state(caller: CurrentCaller, trading: Trading) -> TradingStateOut:
    """What may be sent now, and who decided it."""
    return TradingStateOut.model_validate(await trading.state(caller))


@router.get("/metrics", dependencies=[READ])
async def list_engine_metrics(request: Request) -> MetricListOut:
    """Orders, executions, positions, events, failures, latencies, CPU, memory, disk."""
    parts = parts_of(request)
    items = described(await gathered(parts))
    return MetricListOut.model_validate({"items": items, "at": parts.clock.now()})


@router.get("/alerts", dependencies=[READ])
async def list_engine_alerts(
    query: Annotated[AlertQuery, Query()], caller: CurrentCaller, db: Db, answer: Answer
) -> Page[AlertOut]:
    """Newest first."""
    fetch = alert_rows.listing(db, accounts=caller.visible, **query.narrowed())
    return await answer(AlertOut, query, fetch)


@router.post("/alerts/{alert_id}/acknowledge", dependencies=[TRADE])
async def acknowledge_engine_alert(
    alert_id: AlertId, caller: CurrentCaller, alerts: Alerts, body: AlertNoteIn | None = None
) -> AlertOut:
    """Somebody is on it."""
    note = body.note if body else None
    return AlertOut.model_validate(await alerts.acknowledge(caller, alert_id, note))


@router.post("/alerts/{alert_id}/resolve", dependencies=[TRADE])
async def resolve_engine_alert(
    alert_id: AlertId, caller: CurrentCaller, alerts: Alerts, body: AlertNoteIn | None = None
) -> AlertOut:
    """It is over."""
    note = body.note if body else None
    return AlertOut.model_validate(await alerts.resolve(caller, alert_id, note))


@router.get("/config", dependencies=[READ])
async def list_engine_config(config: Config) -> ConfigListOut:
    """Every limit with value, default and bounds."""
    return ConfigListOut.model_validate({"items": await config.entries("limits")})


@router.post("/config", dependencies=[ADMIN])
async def change_engine_config(
    body: ConfigChangeIn, caller: CurrentCaller, config: Config
) -> ConfigEntryOut:
    """Check and store a value; running engines take it at once."""
    return ConfigEntryOut.model_validate(
        await config.change(caller, body.key, body.value, body.reason, body.scope)
    )


@router.get("/event-history", dependencies=[READ])
async def list_event_history(
    query: Annotated[EventQuery, Query()], caller: CurrentCaller, db: Db, answer: Answer
) -> Page[EventOut]:
    """The journal, newest first."""
    wanted = events.EventFilter(accounts=caller.visible, **query.narrowed())
    return await answer(EventOut, query, events.listing(db, wanted))


@router.post("/emergency-stop", dependencies=[EMERGENCY], responses=UNCONFIRMED)
async def emergency_stop(
    caller: CurrentCaller,
    response: Response,
    trading: Trading,
    body: EmergencyStopIn | None = None,
) -> ControlOut:
    """Halt, now, until resumed. Protective orders stay unless `flatten`."""
    wish = body or EmergencyStopIn()
    control = await trading.emergency_stop(
        caller, wish.reason, wish.account_id, flatten=wish.flatten
    )
    return _controlled(response, control)


@router.post("/reduce", dependencies=[CONTROL], responses=UNCONFIRMED)
async def reduce_trading(
    body: ControlIn, caller: CurrentCaller, response: Response, trading: Trading
) -> ControlOut:
    """Only orders that move a position toward zero."""
    return _controlled(response, await trading.reduce(caller, body.reason, body.account_id))


@router.post("/resume", dependencies=[CONTROL, FRESH_PERSON], responses=UNCONFIRMED)
async def resume_trading(
    body: ControlIn, caller: CurrentCaller, response: Response, trading: Trading
) -> ControlOut:
    """Lift the latch: a separate, audited act.

    A person needs a fresh check, a key may have no cap.
    """
    return _controlled(response, await trading.resume(caller, body.reason, body.account_id))


def _controlled(response: Response, control: Control) -> ControlOut:
    response.status_code = 202 if control.unconfirmed else 200
    return ControlOut.model_validate(msgspec.structs.asdict(control))
