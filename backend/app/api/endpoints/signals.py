"""Signals: what strategies and people wanted to hold."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.deps import READ, Answer, CurrentCaller, Db, Timeline
from app.api.schemas.base import Page
from app.api.schemas.orders import TimelineOut
from app.api.schemas.signals import SignalOut, SignalQuery
from app.api.timelines import timeline_out
from app.repositories import signals

router = APIRouter(prefix="/api/signals", tags=["signals"], dependencies=[READ])
SignalId = Annotated[str, Path(max_length=200, examples=["d3:SPY:2026-11-20T14:30:00Z"])]
AccountId = Annotated[
    int | None, Query(description="Needed only where several accounts have one of this name.")
]


@router.get("")
async def list_signals(
    query: Annotated[SignalQuery, Query()], caller: CurrentCaller, db: Db, answer: Answer
) -> Page[SignalOut]:
    """Newest first."""
    wanted = signals.SignalFilter(accounts=caller.visible, **query.narrowed())
    return await answer(SignalOut, query, signals.listing(db, wanted))


@router.get("/{signal_id}")
async def get_signal(
    signal_id: SignalId, caller: CurrentCaller, db: Db, account_id: AccountId = None
) -> SignalOut:
    """One signal."""
    return SignalOut.model_validate(await signals.get(db, signal_id, account_id, caller.visible))


@router.get("/{signal_id}/timeline")
async def get_signal_timeline(
    signal_id: SignalId, caller: CurrentCaller, timeline: Timeline, account_id: AccountId = None
) -> TimelineOut:
    """Why a signal became an order, or was denied: bar, columns, checks, outcome."""
    return timeline_out(await timeline.of_signal(caller, signal_id, account_id))
