"""Trades: a filterable list."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import READ, Answer, CurrentCaller, Db
from app.api.schemas.base import Page
from app.api.schemas.trades import TradeOut, TradeQuery
from app.repositories import trades

router = APIRouter(prefix="/api/trades", tags=["trades"], dependencies=[READ])


@router.get("")
async def list_trades(
    query: Annotated[TradeQuery, Query()], caller: CurrentCaller, db: Db, answer: Answer
) -> Page[TradeOut]:
    """Round trips, newest exit first."""
    wanted = trades.TradeFilter(accounts=caller.visible, **query.narrowed())
    return await answer(TradeOut, query, trades.listing(db, wanted))
