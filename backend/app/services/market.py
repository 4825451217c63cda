"""What the market showed: bars, quotes, indicators and sessions, in the data set that is meant."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec
import numpy as np
import orjson

from app.core.clock import Clock, from_ns, to_ns
from app.core.errors import InvalidInput, NotFound
from app.domain.deployments import LIVE_DATASET
from app.domain.market import Timeframe
from app.domain.users import Caller
from app.indicators import catalog
from app.indicators.rows import Array
from app.marketdata.batch import BarBatch
from app.marketdata.cache import Kind, LoadPrices, MarketCache
from app.marketdata.calendar import trading_calendar
from app.repositories import (
    account_reports,
    bar_series,
    quotes,
    signals,
    stock_data,
    stock_reports,
    stocks,
)
from app.repositories.adjusted_bars import adjusted_bars
from app.repositories.paging import Row
from app.repositories.stock_data import StockData
from app.repositories.stocks import Stock

LONGEST_SESSIONS: Final = timedelta(days=732)
_CALENDAR_TO_TRADED: Final = 6
"Minutes of a week for one minute of trading, rounded up."
_SESSION_OF_MINUTES: Final = 400
_OUTCOME: Final = frozenset({"executed", "outcome", "created_at", "timeframe"})
"What of a signal changes after it was raised, or is not its own."
_SIDES: Final = ("bid", "bid_size", "ask", "ask_size")


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Which bars: without `start` the newest `limit` before `end`, else the first from `start`."""

    timeframe: Timeframe
    limit: int
    start: datetime | None = None
    end: datetime | None = None
    adjusted: bool = False
    "In the shares of `as_of`: by the splits and dividends that had taken effect."
    as_of: datetime | None = None
    "None: now."


class IndicatorColumns(msgspec.Struct, frozen=True):
    """An indicator over bars."""

    start: Any
    "int64 nanoseconds."
    parameters: dict[str, Any]
    columns: dict[str, Array]


class Market:
    """Reads market data for charts, tables and programs."""

    def __init__(self, pool: asyncpg.Pool, cache: MarketCache, clock: Clock) -> None:
        self._pool = pool
        self._cache = cache
        self._clock = clock

    async def dataset(
        self, caller: Caller, account_id: int | None = None, dataset: str | None = None
    ) -> str:
        """The data set that is meant: named, an account's, or the only account's."""
        if dataset is not None:
            return dataset
        if account_id is None:
            rows = (await account_reports.listing(self._pool, caller.visible)(2, None)).items
            if len(rows) == 1 or len({row["dataset"] for row in rows}) == 1:
                return str(rows[0]["dataset"])
            many = "There are several data sets." if rows else "There is no account yet."
            raise InvalidInput(
                many, field="dataset", remedy="Name one with dataset= or account_id=."
            )
        found = await stock_reports.dataset_of(self._pool, account_id)
        if found is None or not caller.may_see(account_id):
            raise InvalidInput(f"There is no account {account_id}.", field="account_id")
        return found

    async def other_datasets(self, dataset: str) -> list[str]:
        """Every data set that has bars, but this one."""
        return [name for name in await stock_data.datasets(self._pool) if name != dataset]

    async def with_prices(self, rows: list[Row], dataset: str) -> list[Row]:
        """Stocks with their newest price in a data set."""
        known = await self._newest(dataset, [row["symbol"] for row in rows])
        at = {symbol: price["at"] for symbol, price in known.items()}
        before = await quotes.previous_closes(self._pool, dataset, at) if at else {}
        return [
            {**row, "now": _now(known.get(symbol), dataset, before.get(symbol))}
            for row in rows
            for symbol in (row["symbol"],)
        ]

    async def detail(self, symbol: str) -> Row:
        """One stock and its stored series. Raises NotFound with the nearest symbol."""
        stock = await stocks.get(self._pool, symbol)
        found = await stock_reports.get(self._pool, stock.id)
        return {**found, "series": await bar_series.of_stock(self._pool, stock.id)}

    async def bars(self, symbol: str, dataset: str, span: Span) -> BarBatch:
        """Stored bars, oldest first. Raises NotFound with the nearest symbol."""
        stock = await stocks.get(self._pool, symbol)
        stored = StockData(self._pool, dataset)
        if span.start is not None:
            found = await self._onward(stored, stock, span, span.start)
        elif span.end is not None:
            found = await stored.bars(stock.symbol, span.timeframe, None, span.end, span.limit)
        else:
            found = await self._recent(stored, stock, span)
        if not span.adjusted or not len(found):
            return found
        return await adjusted_bars(self._pool, stored, found, span.as_of)

    async def _recent(self, stored: StockData, stock: Stock, span: Span) -> BarBatch:
        async def load(count: int) -> BarBatch:
            return await stored.bars(stock.symbol, span.timeframe, limit=count)

        return await self._cache.bars(
            stored.dataset, stock.symbol, span.timeframe, span.limit, load
        )

    async def _onward(
        self, stored: StockData, stock: Stock, span: Span, start: datetime
    ) -> BarBatch:
        """The first `limit` bars from `start`: read in pieces that grow until there are enough."""
        length = max(span.timeframe.duration, timedelta(minutes=1)) * span.limit
        length = length * _CALENDAR_TO_TRADED + timedelta(days=7)
        last = span.end or self._clock.now() + timedelta(days=366)
        until = start
        while True:
            until = min(until + length, last)
            found = await stored.bars(stock.symbol, span.timeframe, start, until)
            if len(found) >= span.limit or until >= last:
                return found[: span.limit]
            length *= 4

    async def indicator(
        self, symbol: str, dataset: str, span: Span, name: str, given: Mapping[str, str]
    ) -> IndicatorColumns:
        """An indicator over the bars of `span`. Raises NotFound or InvalidInput with the remedy."""
        found = catalog.find(name)
        parameters = {key: _number(value) for key, value in given.items()}
        lookback = catalog.lookback(name, **parameters)
        bars = await self.bars(symbol, dataset, span)
        stock = await stocks.get(self._pool, symbol)
        if not len(bars):
            return IndicatorColumns(bars.start, dict(found.accepted(parameters)), {})
        before = await StockData(self._pool, dataset).bars(
            stock.symbol,
            span.timeframe,
            None,
            from_ns(int(bars.start[0])),
            lookback + _SESSION_OF_MINUTES,
        )
        rows = np.concatenate([before.rows, bars.rows])
        whole = BarBatch(stock.symbol, span.timeframe, rows)
        session = trading_calendar(stock.exchange).ordinals(whole.start)
        columns = catalog.compute(name, {**whole.columns(), "session": session}, **parameters)
        return IndicatorColumns(
            bars.start,
            dict(found.accepted(parameters)),
            {key: column[len(before) :] for key, column in columns.items()},
        )

    async def quote(self, symbol: str, dataset: str) -> Row:
        """The newest known price: a quote, a print or the last bar."""
        name = symbol.strip().upper()
        found = (await self._newest(dataset, [name])).get(name)
        if found is None:
            name = (await stocks.get(self._pool, symbol)).symbol
            raise NotFound(
                f"No price of {name} is known in {dataset}.",
                remedy="Import bars, or start a feed; GET /api/stocks/{symbol} lists series.",
            )
        age = (self._clock.now() - found["at"]).total_seconds() if dataset == LIVE_DATASET else None
        return {"symbol": name, "dataset": dataset, "age_seconds": age, **found}

    async def last_signal(self, caller: Caller, symbol: str, account_id: int) -> bytes:
        """What was wanted last of a symbol on an account, as JSON; what came of it has its own way.

        Raises InvalidInput for an account that the caller cannot see, NotFound without a signal.
        """
        if not caller.may_see(account_id):
            raise InvalidInput(f"There is no account {account_id}.", field="account_id")
        name = symbol.strip().upper()

        async def load() -> bytes | None:
            wanted = signals.SignalFilter(account_id=account_id, symbol=name)
            rows = (await signals.listing(self._pool, wanted)(1, None)).items
            if not rows:
                return None
            row = {key: value for key, value in rows[0].items() if key not in _OUTCOME}
            return orjson.dumps(row, default=str, option=orjson.OPT_UTC_Z)

        names = f"account:{account_id}", name
        found = await self._cache.document(Kind.SIGNAL, names, load)
        if found is None:
            raise NotFound(
                f"No signal of {name} was raised on account {account_id}.",
                remedy="GET /api/signals lists all there are.",
            )
        return found

    async def newest(self, symbol: str, dataset: str) -> str | None:
        """The newest known price as the cache and the feed of prices say it; None without one."""
        found = await self._cache.quotes(dataset, [symbol], self._loader(dataset))
        return found[symbol].decode() if symbol in found else None

    async def _newest(self, dataset: str, symbols: Sequence[str]) -> dict[str, Row]:
        found = await self._cache.quotes(dataset, symbols, self._loader(dataset))
        prices = {symbol: _quoted(orjson.loads(body)) for symbol, body in found.items()}
        return {symbol: price for symbol, price in prices.items() if price is not None}

    def _loader(self, dataset: str) -> LoadPrices:
        async def load(symbols: list[str]) -> dict[str, bytes]:
            found = {
                price.symbol: _body(price.symbol, dataset, price.at, last=price.last)
                for price in await quotes.last_prices(self._pool, dataset, symbols)
            }
            for quote in await quotes.last_quotes(self._pool, dataset, symbols):
                sides = {side: getattr(quote, side) for side in _SIDES}
                found[quote.symbol] = _body(quote.symbol, dataset, quote.at, **sides)
            return found

        return load

    async def sessions(self, symbol: str, start: datetime, end: datetime) -> tuple[str, list[Row]]:
        """(exchange, sessions that open in [start, end)). Raises InvalidInput over two years."""
        if not start < end <= start + LONGEST_SESSIONS:
            raise InvalidInput(
                "end must lie after start, and not more than two years after.", field="end"
            )
        stock = await stocks.get(self._pool, symbol)
        found = trading_calendar(stock.exchange).sessions(to_ns(start), to_ns(end))
        return stock.exchange, [
            {"session": one.day, "open": from_ns(one.open), "close": from_ns(one.close)}
            for one in found
        ]


def _now(price: Row | None, dataset: str, before: float | None) -> Row | None:
    """The newest price against the session before."""
    if price is None:
        return None
    change = None if before is None else price["last"] - before
    return {
        "dataset": dataset,
        "last": price["last"],
        "at": price["at"],
        "previous_close": before,
        "change": None if change is None else round(change, 8),
        "change_fraction": change / before if change and before else None,
    }


def _body(symbol: str, dataset: str, at: datetime, **known: float) -> bytes:
    """A price as publishers say it."""
    sides = {side: known.get(side) for side in _SIDES}
    source = "quote" if known.get("last") is None else "bar"
    body = {"symbol": symbol, "dataset": dataset, "at": at, **sides, "last": known.get("last")}
    return orjson.dumps({**body, "source": source}, option=orjson.OPT_UTC_Z)


def _quoted(body: Row) -> Row | None:
    """A price with the middle of its quote; without sides the last print or bar is said instead."""
    wanted = {name: body.get(name) for name in _SIDES}
    bid, ask = body.get("bid"), body.get("ask")
    middle = (bid + ask) / 2 if bid and ask else bid or ask
    last = middle or body.get("last")
    if not last:
        return None
    source = "quote" if middle else body.get("source", "bar")
    return {"at": datetime.fromisoformat(body["at"]), **wanted, "last": last, "source": source}


def _number(text: str) -> object:
    """A parameter from the query: an integer or a number where it reads as one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)
