"""Yahoo Finance: bars, actions, sectors and option chains without a key, by the yfinance library.

Yahoo divides prices of the past by every later split, also those it calls unadjusted. What is given
here is raw again: multiplied by the splits that Yahoo itself reports (volumes are divided).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from app.adapters.clients.yahoo import Yahoo, YfinanceOptions, library
from app.core.errors import NotFound
from app.domain.market import Timeframe
from app.marketdata.batch import PRICES, BarBatch, Floats, to_datetime, to_ns
from app.marketdata.calendar import Days, trading_calendar
from app.marketdata.ports import (
    Action,
    OptionSnapshot,
    Profile,
    ProviderSetup,
)

EXCHANGES: Final = {
    "NMS": "XNAS",
    "NGM": "XNAS",
    "NCM": "XNAS",
    "NYQ": "XNYS",
    "ASE": "XASE",
    "PCX": "ARCX",
    "BTS": "BATS",
    "PNK": "OTCM",
    "OQB": "OTCM",
    "OQX": "OTCM",
}
"MIC by Yahoo's code of an exchange."
SPLITS_KEPT: Final = timedelta(minutes=15)
"How long what Yahoo said of a symbol's splits is believed."
SETTLING: Final = timedelta(seconds=20)
"An intraday bar is given this long after its end: Yahoo writes it in the meantime."
SMALLEST_VOLATILITY: Final = 0.001
"Yahoo shows 0.00001 where it knows no implied volatility."
_LARGEST_DENOMINATOR: Final = 10_000


@dataclass(frozen=True, slots=True)
class Limit:
    """What Yahoo gives of one interval."""

    interval: str
    days_a_request: int | None = None
    days_back: int | None = None


LIMITS: Final = {
    Timeframe.M1: Limit("1m", 7, 29),
    Timeframe.M5: Limit("5m", 59, 59),
    Timeframe.M15: Limit("15m", 59, 59),
    Timeframe.H1: Limit("1h", 729, 729),
    Timeframe.D1: Limit("1d"),
}
"A day less than Yahoo allows, so that no request fails for a second."


@dataclass(frozen=True, slots=True)
class _Events:
    """Splits and cash of a symbol since a day, as Yahoo said them at `told`."""

    told: datetime
    since: date
    days: Days
    ratios: Floats
    cash: Floats
    "By session; a ratio of 0 is no split."

    def factors(self, days: Days) -> Floats:
        """How many shares of now one share of each day has become."""
        split = self.ratios > 0
        later = self.days[split][None, :] > days[:, None]
        factors: Floats = np.where(later, self.ratios[split][None, :], 1.0).prod(axis=1)
        return factors


class Adapter:
    """Yahoo's public pages; `LiveFeed` polls their minutes. See docs/data/yahoo.md."""

    name = "yfinance"

    def __init__(
        self,
        setup: ProviderSetup,
        options: YfinanceOptions | None = None,
        yahoo: Yahoo | None = None,
    ) -> None:
        """Raises ConfigurationError with the command when yfinance is not installed."""
        self._clock = setup.clock
        self._calendar = trading_calendar(setup.exchange)
        self._yahoo = yahoo or Yahoo(options)
        self._options = self._yahoo.options
        self._events: dict[str, _Events] = {}

    async def close(self) -> None:
        self._yahoo.close()

    # -------------------------------------------------------------------------- history

    async def history(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> BarBatch:
        """Bars of regular hours that are over and settled; nothing that Yahoo no longer keeps."""
        if timeframe not in LIMITS:
            raise NotFound(f"Yahoo has no bars of {timeframe}.", remedy="Ask for 1m or longer.")
        now = self._clock.now()
        parts = [
            await self._chart(symbol, timeframe, first, last)
            for first, last in _spans(LIMITS[timeframe], start, end, now)
        ]
        batch = self._batch(symbol, timeframe, parts)
        over = now if timeframe is Timeframe.D1 else now - SETTLING
        batch = batch[batch.end <= to_ns(over)].between(to_ns(start), to_ns(end))
        return await self._raw(batch) if len(batch) else batch

    async def _chart(
        self,
        symbol: str,
        timeframe: Timeframe,
        start: datetime,
        end: datetime,
    ) -> pd.DataFrame:
        """What the library gives; empty where nothing traded."""
        work = partial(
            _charted,
            interval=LIMITS[timeframe].interval,
            start=start,
            end=end,
            timeout=self._options.timeout_seconds,
        )
        frame: pd.DataFrame = await self._yahoo.ask(symbol, work)
        return frame

    def _batch(self, symbol: str, timeframe: Timeframe, parts: list[pd.DataFrame]) -> BarBatch:
        """On our grid; rows without prices, and the price of now between two bars, are left out."""
        filled = [part for part in parts if len(part)]
        if not filled:
            return BarBatch.empty(symbol, timeframe)
        frame = pd.concat(filled)
        frame = frame[~frame.index.duplicated(keep="last")].dropna(subset=list(_COLUMNS))
        said = _ns(frame.index)
        starts, ends = self._calendar.bounds(timeframe, said)
        values = {name.lower(): frame[name].to_numpy(np.float64) for name in (*_COLUMNS, "Volume")}
        batch = BarBatch.of(symbol, timeframe, starts, ends, **values)
        return (batch if timeframe is Timeframe.D1 else batch[said == starts]).sorted()

    async def _raw(self, batch: BarBatch) -> BarBatch:
        """Prices as they were, before later splits."""
        days = self._calendar.session_days(batch.start)
        events = await self._events_since(batch.symbol, days[0].item())
        factors = events.factors(days)
        rows = batch.rows.copy()
        for name in PRICES:
            rows[name] *= factors
        rows["volume"] /= factors
        return BarBatch(batch.symbol, batch.timeframe, rows)

    # --------------------------------------------------------- actions, names and chains

    async def _events_since(self, symbol: str, since: date) -> _Events:
        now = self._clock.now()
        known = self._events.get(symbol)
        if known and known.since <= since and now - known.told < SPLITS_KEPT:
            return known
        begin = datetime(since.year, since.month, since.day, tzinfo=UTC)
        frame = await self._chart(symbol, Timeframe.D1, begin, now + timedelta(days=1))
        days = np.array([day.date() for day in frame.index], dtype="datetime64[D]")
        cash = sum(
            (frame[name].to_numpy(np.float64) for name in _CASH if name in frame),
            np.zeros(len(frame)),
        )
        ratios = frame["Stock Splits"].to_numpy(np.float64) if len(frame) else np.zeros(0)
        self._events[symbol] = _Events(now, since, days, ratios, cash)
        return self._events[symbol]

    async def actions(self, symbol: str, start: date, end: date) -> list[Action]:
        """Splits and cash; Yahoo divides cash by later splits, which is undone."""
        events = await self._events_since(symbol, start)
        factors = events.factors(events.days)
        found: list[Action] = []
        for day, ratio, cash, factor in zip(
            events.days.tolist(), events.ratios, events.cash, factors, strict=True
        ):
            if not start <= day < end:
                continue
            if cash > 0:
                amount = Decimal(str(round(float(cash * factor), 6)))
                found.append(Action(symbol=symbol, kind="dividend", ex_date=day, amount=amount))
            if ratio > 0:
                found.append(Action(symbol=symbol, kind="split", ex_date=day, ratio=_exact(ratio)))
        return found

    async def profile(self, symbol: str) -> Profile:
        """Name, exchange and sector."""
        said: dict[str, Any] = await self._yahoo.ask(symbol, _information, cost=4.0)
        if not said.get("quoteType"):
            raise NotFound(f"Yahoo knows no {symbol!r}.", symbol=symbol)
        name = said.get("longName") or said.get("shortName") or ""
        return Profile(symbol, name, EXCHANGES.get(said.get("exchange", "")), said.get("sector"))

    async def chain(self, underlying: str, expiry: date | None = None) -> list[OptionSnapshot]:
        """A call an expiry. Yahoo's implied volatilities are its own and rough."""
        listed = await self._yahoo.ask(underlying, lambda ticker: tuple(ticker.options))
        wanted = [day for day in listed if expiry is None or day == str(expiry)]
        if not wanted:
            raise NotFound(
                f"Yahoo shows no options of {underlying}" + (f" for {expiry}." if expiry else "."),
                remedy=f"There are: {', '.join(listed)}." if listed else None,
                underlying=underlying,
            )
        found: list[OptionSnapshot] = []
        for day in wanted:
            work = partial(_contracts, day=day)
            rows, quote = await self._yahoo.ask(underlying, work, cost=2.0)
            found += [_snapshot(row, quote, self._clock.now()) for row in rows]
        return found


_COLUMNS: Final = ("Open", "High", "Low", "Close")
_CASH: Final = ("Dividends", "Capital Gains")


def _charted(ticker: Any, **asked: Any) -> pd.DataFrame:  # noqa: ANN401 - the library has no types
    """A chart without any adjustment of the library's own; empty where Yahoo says so."""
    try:
        frame: pd.DataFrame = ticker.history(auto_adjust=False, actions=True, **asked)
    except library().exceptions.YFPricesMissingError as error:
        if "delisted" in (error.yahoo_reason or ""):
            raise NotFound(f"Yahoo knows no {ticker.ticker!r}.", symbol=ticker.ticker) from error
        # A chart without prices still describes the stock; anything else is no chart.
        if error.yahoo_reason or ticker._lazy_load_price_history()._history_metadata:
            return pd.DataFrame()
        raise
    return frame


def _information(ticker: Any) -> dict[str, Any]:  # noqa: ANN401
    return dict(ticker.info)


def _spans(
    limit: Limit, start: datetime, end: datetime, now: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The parts in which Yahoo will answer, of what it still keeps."""
    if limit.days_back is None:  # days are stamped with their midnight: look around the span
        yield start - timedelta(days=1), end + timedelta(days=1)
        return
    first = max(start, now - timedelta(days=limit.days_back))
    last = min(end, now)
    while first < last:
        until = min(last, first + timedelta(days=limit.days_a_request or limit.days_back))
        yield first, until
        first = until


def _ns(index: "pd.Index[Any]") -> np.ndarray[Any, np.dtype[np.int64]]:
    """Instants of an index with a time zone."""
    stamps = pd.DatetimeIndex(index).tz_convert("UTC").tz_localize(None)
    return stamps.to_numpy().astype("datetime64[ns]").astype(np.int64)


def _exact(ratio: float) -> Decimal:
    """1/3 again, where a float says 0.3333333333333333."""
    fraction = Fraction(float(ratio)).limit_denominator(_LARGEST_DENOMINATOR)
    return Decimal(fraction.numerator) / Decimal(fraction.denominator)


def _contracts(ticker: Any, day: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:  # noqa: ANN401
    """Rows of one expiry, and the quote of what is under them."""
    both = ticker.option_chain(day)
    sides = [side for side in (both.calls, both.puts) if side is not None]
    return [row for side in sides for row in side.to_dict("records")], dict(both.underlying or {})


def _snapshot(row: dict[str, Any], quote: dict[str, Any], now: datetime) -> OptionSnapshot:
    seconds = quote.get("regularMarketTime")
    volatility = _number(row.get("impliedVolatility"))
    return OptionSnapshot(
        symbol=str(row["contractSymbol"]),
        at=to_datetime(int(seconds) * 1_000_000_000) if seconds else now,
        bid=_number(row.get("bid")) or None,
        ask=_number(row.get("ask")) or None,
        last=_number(row.get("lastPrice")),
        volume=_number(row.get("volume")),
        open_interest=_number(row.get("openInterest")),
        implied_volatility=volatility if (volatility or 0) >= SMALLEST_VOLATILITY else None,
        underlying_price=_number(quote.get("regularMarketPrice")),
    )


def _number(value: object) -> float | None:
    """None where Yahoo says nothing or pandas made NaN of it."""
    if not isinstance(value, int | float) or value != value:
        return None
    return float(value)
