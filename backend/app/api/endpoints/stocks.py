"""Stocks: what is known and stored of each."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from app.api import columns
from app.api.deps import READ, Answer, CurrentCaller, Db, Market, guard
from app.api.fast import fast_json
from app.api.schemas.base import AwareInstant, Page
from app.api.schemas.signals import SignalWantedOut
from app.api.schemas.stocks import (
    BarOut,
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
from app.core.errors import InvalidInput
from app.domain.users import Scope
from app.repositories import stock_reports
from app.repositories.paging import Rows
from app.services.market import Span

router = APIRouter(prefix="/api/stocks", tags=["stocks"])
BARS = guard(Scope.READ, "bars")
Symbol = Annotated[str, Path(max_length=32, examples=["AAPL"])]
_MOST_PARAMETERS = 30


@router.get("", dependencies=[READ])
async def list_stocks(
    query: Annotated[StockQuery, Query()],
    caller: CurrentCaller,
    db: Db,
    market: Market,
    answer: Answer,
) -> Page[StockOut]:
    """Every stock we know, by symbol; with `account_id` or `dataset` also its newest price.

    Then stocks that only other data sets have bars of are left out, unless `symbol` names them.
    """
    if query.account_id is None and query.dataset is None:
        fetch = stock_reports.listing(db, query.q, query.symbol)
        return await answer(StockOut, query, fetch)
    dataset = await market.dataset(caller, query.account_id, query.dataset)
    known = [] if query.symbol else [dataset, *await market.other_datasets(dataset)]
    fetch = stock_reports.listing(db, query.q, query.symbol, known)

    async def priced(limit: int, cursor: str | None) -> Rows:
        rows = await fetch(limit, cursor)
        return Rows(await market.with_prices(rows.items, dataset), rows.next_cursor)

    return await answer(StockOut, query, priced)


@router.get("/{symbol}", dependencies=[READ])
async def get_stock(symbol: Symbol, market: Market) -> StockDetailOut:
    """One stock and what is stored of it."""
    return StockDetailOut.model_validate(await market.detail(symbol))


@router.get("/{symbol}/bars", dependencies=[BARS], response_model=BarsOut)
async def list_bars(
    symbol: Symbol,
    query: Annotated[BarQuery, Query()],
    caller: CurrentCaller,
    market: Market,
    answer: Answer,
) -> Response:
    """Bars in time order. Without `start`: the newest `limit` before `end`."""
    dataset = await market.dataset(caller, query.account_id, query.dataset)
    batch = await market.bars(symbol, dataset, _span(query, query))
    if answer.wants_csv(query.format):
        return answer.file(BarOut, Rows(columns.bars(batch)))
    return fast_json(
        {
            "symbol": batch.symbol,
            "dataset": dataset,
            "timeframe": query.timeframe,
            "adjusted": query.adjusted,
            "items": columns.bars_json(batch),
            "next_cursor": None,
        }
    )


@router.get("/{symbol}/quote", dependencies=[READ])
async def get_quote(
    symbol: Symbol,
    caller: CurrentCaller,
    market: Market,
    account_id: int | None = None,
    dataset: Annotated[str | None, Query(max_length=100)] = None,
) -> QuoteOut:
    """The newest known price."""
    named = await market.dataset(caller, account_id, dataset)
    return QuoteOut.model_validate(await market.quote(symbol, named))


@router.get("/{symbol}/signal", dependencies=[READ])
async def get_last_signal(
    symbol: Symbol, account_id: int, caller: CurrentCaller, market: Market
) -> SignalWantedOut:
    """What was wanted last; what came of it: `GET /api/signals/{signal_id}`."""
    found = await market.last_signal(caller, symbol, account_id)
    return SignalWantedOut.model_validate_json(found)


@router.get("/{symbol}/indicators", dependencies=[BARS], response_model=IndicatorColumnsOut)
async def get_indicator(
    symbol: Symbol,
    query: Annotated[IndicatorQuery, Query()],
    request: Request,
    caller: CurrentCaller,
    market: Market,
) -> Response:
    """An indicator of the catalogue over stored bars, parallel to the same `bars` query."""
    dataset = await market.dataset(caller, query.account_id, query.dataset)
    found = await market.indicator(symbol, dataset, _span(query), query.name, _parameters(request))
    return fast_json(
        {
            "symbol": symbol.upper(),
            "dataset": dataset,
            "timeframe": query.timeframe,
            "name": query.name,
            "parameters": found.parameters,
            "start": columns.instants(found.start),
            "columns": {name: columns.numbers(one) for name, one in found.columns.items()},
        }
    )


@router.get("/{symbol}/sessions", dependencies=[READ])
async def list_market_sessions(
    symbol: Symbol, start: AwareInstant, end: AwareInstant, market: Market
) -> MarketSessionsOut:
    """Trading sessions of the stock's exchange between two instants, at most two years."""
    exchange, items = await market.sessions(symbol, start, end)
    return MarketSessionsOut.model_validate(
        {"symbol": symbol.upper(), "exchange": exchange, "items": items}
    )


def _span(query: BarQuery | IndicatorQuery, shares: BarQuery | None = None) -> Span:
    return Span(
        timeframe=query.timeframe,
        limit=query.limit,
        start=query.start,
        end=query.end,
        adjusted=shares is not None and shares.adjusted,
        as_of=shares.as_of if shares is not None else None,
    )


def _parameters(request: Request) -> dict[str, str]:
    """What stands beside our own query fields: `length=20` or `parameters[length]=20`."""
    found: dict[str, str] = {}
    for key, value in request.query_params.multi_items():
        if key in IndicatorQuery.model_fields:
            continue
        found[key.removeprefix("parameters[").removesuffix("]")] = value
    if len(found) > _MOST_PARAMETERS:
        raise InvalidInput("No indicator has so many parameters.", field="parameters")
    return found
