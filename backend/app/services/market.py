"""What the market showed: bars, quotes, indicators and sessions, in the data set that is meant."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, Protocol

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
from app.marketdata.batch import PRICES, BarBatch
from app.marketdata.calendar import trading_calendar
from app.repositories import (
    account_reports,
    corporate_actions,
    quotes,
    stock_data,
    stock_reports,
    stocks,
)
from app.repositories.paging import Row
from app.repositories.stock_data import StockData
from app.repositories.stocks import Stock

LONGEST_SESSIONS: Final = timedelta(days=732)
_CALENDAR_TO_TRADED: Final = 6
"Minutes of a week for one minute of trading, rounded up."
_SESSION_OF_MINUTES: Final = 400


class Remembered(Protocol):
    """What Redis remembers under a key; None when it is away."""

    async def last(self, key: str) -> str | None: ...


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Which bars: without `start` the newest `limit` before `end`, else the first from `start`."""

    timeframe: Timeframe
    limit: int
    start: datetime | None = None
    end: datetime | None = None
    adjusted: bool = False
    "Prices and volumes before a split as if it had been then."


class IndicatorColumns(msgspec.Struct, frozen=True):
    """An indicator over bars."""

    start: Any
    "int64 nanoseconds."
    parameters: dict[str, Any]
    columns: dict[str, Array]


class Market:
    """Reads market data for charts, tables and programs."""

    def __init__(self, pool: asyncpg.Pool, remembered: Remembered, clock: Clock) -> None:
        self._pool = pool
        self._remembered = remembered
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
        symbols = [row["symbol"] for row in rows]
        found = {
            price.symbol: price for price in await quotes.last_prices(self._pool, dataset, symbols)
        }
        return [{**row, "now": _now(found.get(row["symbol"]), dataset)} for row in rows]

    async def detail(self, symbol: str) -> Row:
        """One stock and its stored series. Raises NotFound with the nearest symbol."""
        stock = await stocks.get(self._pool, symbol)
        found = await stock_reports.get(self._pool, stock.id)
        return {**found, "series": await stock_reports.series(self._pool, stock.id)}

    async def bars(self, symbol: str, dataset: str, span: Span) -> BarBatch:
        """Stored bars, oldest first. Raises NotFound with the nearest symbol."""
        stock = await stocks.get(self._pool, symbol)
        stored = StockData(self._pool, dataset)
        if span.start is None:
            found = await stored.bars(stock.symbol, span.timeframe, None, span.end, span.limit)
        else:
            found = await self._onward(stored, stock, span, span.start)
        if not span.adjusted or not len(found):
            return found
        splits = await corporate_actions.splits(self._pool, dataset, stock.id)
        return split_adjusted(found, splits, stock.exchange)

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
        """The newest known price: a quote from Redis or the table, else the last bar."""
        stock = await stocks.get(self._pool, symbol)
        found = await self._quote(stock.symbol, dataset)
        if found is None:
            prices = await quotes.last_prices(self._pool, dataset, [stock.symbol])
            if not prices:
                raise NotFound(
                    f"No price of {stock.symbol} is known in {dataset}.",
                    remedy="Import bars, or start a feed; GET /api/stocks/{symbol} lists series.",
                )
            found = {"at": prices[0].at, "last": prices[0].last, "source": "bar"}
        age = (self._clock.now() - found["at"]).total_seconds() if dataset == LIVE_DATASET else None
        return {"symbol": stock.symbol, "dataset": dataset, "age_seconds": age, **found}

    async def _quote(self, symbol: str, dataset: str) -> Row | None:
        text = await self._remembered.last(f"quote:{dataset}:{symbol}")
        if text is not None:
            body = orjson.loads(text)
            return _quoted({**body, "at": datetime.fromisoformat(body["at"])})
        stored = await quotes.last_quote(self._pool, dataset, symbol)
        return _quoted(msgspec.structs.asdict(stored)) if stored else None

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


def split_adjusted(
    batch: BarBatch, splits: Sequence[tuple[date, float]], exchange: str
) -> BarBatch:
    """The same bars, comparable over splits: (first session of the new shares, new for one old)."""
    rows = batch.rows.copy()
    days = trading_calendar(exchange).session_days(batch.start)
    for ex_date, ratio in splits:
        before = days < np.datetime64(ex_date)
        for name in (*PRICES, "vwap"):
            rows[name][before] /= ratio
        rows["volume"][before] *= ratio
    return BarBatch(batch.symbol, batch.timeframe, rows)


def _now(price: quotes.PriceNow | None, dataset: str) -> Row | None:
    if price is None:
        return None
    change = None if price.previous_close is None else price.last - price.previous_close
    return {
        "dataset": dataset,
        "last": price.last,
        "at": price.at,
        "previous_close": price.previous_close,
        "change": None if change is None else round(change, 8),
        "change_fraction": change / price.previous_close
        if change and price.previous_close
        else None,
    }


def _quoted(row: Row) -> Row | None:
    """A quote with its middle; a feed without quotes says the last price instead."""
    wanted = {name: row.get(name) for name in ("at", "bid", "bid_size", "ask", "ask_size")}
    bid, ask = row.get("bid"), row.get("ask")
    middle = (bid + ask) / 2 if bid and ask else bid or ask
    last = middle or row.get("last")
    return {**wanted, "last": last, "source": "quote" if middle else "bar"} if last else None


def _number(text: str) -> object:
    """A parameter from the query: an integer or a number where it reads as one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)
