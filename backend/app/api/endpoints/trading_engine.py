"""The trading engine at a glance, and its controls: the names that were asked for."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app.api.deps import (
    ADMIN,
    PUBLIC,
    READ,
    TRADE,
    Alerts,
    Config,
    CurrentCaller,
    Health,
    Metrics,
    Reader,
    Tables,
    Trading,
    guard,
)
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

router = APIRouter(prefix="/api/trading-engine", tags=["trading-engine"])
AlertId = Annotated[int, Path(examples=[5])]
CONTROL = guard("trade", "controls")
UNCONFIRMED = {
    202: {"model": ControlOut, "description": "Latched; some account has not confirmed yet."}
}


@router.get("/health", dependencies=[PUBLIC])
async def get_engine_health(health: Health, trading: Trading) -> EngineHealthOut:
    """Status only, without signing in."""


@router.get("/state", dependencies=[READ])
async def get_trading_state(trading: Trading) -> TradingStateOut:
    """What may be sent now, and who decided it."""


@router.get("/metrics", dependencies=[READ])
async def list_engine_metrics(metrics: Metrics) -> MetricListOut:
    """Orders, executions, positions, events, failures, latencies, CPU, memory, disk."""


@router.get("/alerts", dependencies=[READ])
async def list_engine_alerts(
    query: Annotated[AlertQuery, Query()], read: Reader, tables: Tables
) -> Page[AlertOut]:
    """Newest first."""


@router.post("/alerts/{alert_id}/acknowledge", dependencies=[TRADE])
async def acknowledge_engine_alert(
    alert_id: AlertId, caller: CurrentCaller, alerts: Alerts, body: AlertNoteIn | None = None
) -> AlertOut:
    """Somebody is on it."""


@router.post("/alerts/{alert_id}/resolve", dependencies=[TRADE])
async def resolve_engine_alert(
    alert_id: AlertId, caller: CurrentCaller, alerts: Alerts, body: AlertNoteIn | None = None
) -> AlertOut:
    """It is over."""


@router.get("/config", dependencies=[READ])
async def list_engine_config(config: Config) -> ConfigListOut:
    """Every setting with value, default and bounds."""


@router.post("/config", dependencies=[ADMIN])
async def change_engine_config(
    body: ConfigChangeIn, caller: CurrentCaller, config: Config
) -> ConfigEntryOut:
    """Check and store a value; running engines take it at once."""


@router.get("/event-history", dependencies=[READ])
async def list_event_history(
    query: Annotated[EventQuery, Query()], read: Reader, tables: Tables
) -> Page[EventOut]:
    """The journal, newest first."""


@router.post("/emergency-stop", dependencies=[CONTROL], responses=UNCONFIRMED)
async def emergency_stop(
    caller: CurrentCaller,
    response: Response,
    trading: Trading,
    body: EmergencyStopIn | None = None,
) -> ControlOut:
    """Halt, now, until resumed. Protective orders stay unless `flatten`."""


@router.post("/reduce", dependencies=[CONTROL], responses=UNCONFIRMED)
async def reduce_trading(
    body: ControlIn, caller: CurrentCaller, response: Response, trading: Trading
) -> ControlOut:
    """Only orders that move a position toward zero."""


@router.post("/resume", dependencies=[CONTROL], responses=UNCONFIRMED)
async def resume_trading(
    body: ControlIn, caller: CurrentCaller, response: Response, trading: Trading
) -> ControlOut:
    """Lift the latch: a separate, audited act."""
