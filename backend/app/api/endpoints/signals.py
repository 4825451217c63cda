"""Signals: what strategies and people wanted to hold."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.deps import READ, Explain, Reader, Tables
from app.api.schemas.base import Page
from app.api.schemas.orders import TimelineOut
from app.api.schemas.signals import SignalOut, SignalQuery

router = APIRouter(prefix="/api/signals", tags=["signals"], dependencies=[READ])
SignalId = Annotated[str, Path(max_length=200)]


@router.get("")
async def list_signals(
    query: Annotated[SignalQuery, Query()], read: Reader, tables: Tables
) -> Page[SignalOut]:
    """Newest first."""


@router.get("/{signal_id}")
async def get_signal(signal_id: SignalId, read: Reader) -> SignalOut:
    """One signal."""


@router.get("/{signal_id}/timeline")
async def get_signal_timeline(signal_id: SignalId, explain: Explain) -> TimelineOut:
    """Why a signal became an order, or was denied: bar, columns, checks, outcome."""
