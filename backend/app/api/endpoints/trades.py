"""Trades: a filterable list."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import READ, Reader, Tables
from app.api.schemas.base import Page
from app.api.schemas.trades import TradeOut, TradeQuery

router = APIRouter(prefix="/api/trades", tags=["trades"], dependencies=[READ])


@router.get("")
async def list_trades(
    query: Annotated[TradeQuery, Query()], read: Reader, tables: Tables
) -> Page[TradeOut]:
    """Round trips, newest exit first."""
