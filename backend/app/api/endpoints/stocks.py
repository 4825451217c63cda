"""Stocks: what is known and stored of each."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.deps import READ, Market, Tables, guard
from app.api.schemas.base import AwareInstant, Page
from app.api.schemas.stocks import (
    BarQuery,
    BarsOut,
    IndicatorColumnsOut,
    IndicatorQuery,
    MarketSessionsOut,
    QuoteOut,
    StockDetailOut,
    StockOut,
    StockQuery,
)

router = APIRouter(prefix="/api/stocks", tags=["stocks"])
BARS = guard("read", "bars")
Symbol = Annotated[str, Path(max_length=32, examples=["AAPL"])]


@router.get("", dependencies=[READ])
async def list_stocks(
    query: Annotated[StockQuery, Query()], market: Market, tables: Tables
) -> Page[StockOut]:
    """Every stock we know, by symbol; with `account_id` or `dataset` also its newest price."""


@router.get("/{symbol}", dependencies=[READ])
async def get_stock(symbol: Symbol, market: Market) -> StockDetailOut:
    """One stock and what is stored of it."""


@router.get("/{symbol}/bars", dependencies=[BARS], response_model=BarsOut)
async def list_bars(
    symbol: Symbol, query: Annotated[BarQuery, Query()], request: Request, market: Market
) -> Response:
    """Bars in time order. Without `start`: the newest `limit` before `end`."""


@router.get("/{symbol}/quote", dependencies=[READ])
async def get_quote(
    symbol: Symbol,
    market: Market,
    account_id: int | None = None,
    dataset: Annotated[str | None, Query(max_length=100)] = None,
) -> QuoteOut:
    """The newest known price."""


@router.get("/{symbol}/indicators", dependencies=[BARS], response_model=IndicatorColumnsOut)
async def get_indicator(
    symbol: Symbol, query: Annotated[IndicatorQuery, Query()], request: Request, market: Market
) -> Response:
    """An indicator of the catalogue over stored bars, parallel to the same `bars` query."""


@router.get("/{symbol}/sessions", dependencies=[READ])
async def list_market_sessions(
    symbol: Symbol, start: AwareInstant, end: AwareInstant, market: Market
) -> MarketSessionsOut:
    """Trading sessions of the stock's exchange between two instants, at most two years."""
