"""Twelve Data: bars, profiles and actions by REST, live prices by WebSocket."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI, WebSocketException

from app.adapters.clients.twelve_data import (
    TwelveDataHttp,
    TwelveDataOptions,
    failure_in,
    revealed,
    said_nothing,
)
from app.core.clock import Clock, to_ns
from app.core.errors import APIError, FeedLost, NotFound, TransientError
from app.core.tasks import end
from app.domain.market import Timeframe
from app.marketdata.batch import TICK, VALUES, BarBatch, Nanos, TickBatch
from app.marketdata.calendar import TradingCalendar, trading_calendar
from app.marketdata.ports import (
    Action,
    Channel,
    Heartbeat,
    LiveItem,
    Profile,
    ProviderSetup,
    Subscription,
)

PAGE: Final = 5_000
"Bars that one answer holds at most; the newest of those asked for."
BEAT_SECONDS: Final = 10.0
"How often the WebSocket wants to hear from us."
CONNECT_SECONDS: Final = 10.0
PROFILE_CREDITS: Final = 10
ACTION_CREDITS: Final = 20
_INTERVALS: Final = {
    Timeframe.M1: "1min",
    Timeframe.M5: "5min",
    Timeframe.M15: "15min",
    Timeframe.H1: "1h",
    Timeframe.D1: "1day",
}
_PATH: Final = "/time_series"
_AMERICAN: Final = ("XNYS", "XNAS")
_WAITING: Final = 10_000


class Value(msgspec.Struct, frozen=True):
    """One bar as the API gives it: numbers are strings."""

    datetime: str
    open: str
    high: str
    low: str
    close: str
    volume: str = "0"


class Values(msgspec.Struct, frozen=True):
    values: list[Value] = []


class Company(msgspec.Struct, frozen=True):
    name: str = ""
    mic_code: str | None = None
    sector: str | None = None


class Split(msgspec.Struct, frozen=True):
    """`from_factor` new shares for `to_factor` old ones."""

    date: date
    from_factor: Decimal
    to_factor: Decimal


class Splits(msgspec.Struct, frozen=True):
    splits: list[Split] = []


class Dividend(msgspec.Struct, frozen=True):
    ex_date: date
    amount: Decimal


class Dividends(msgspec.Struct, frozen=True):
    dividends: list[Dividend] = []


class Adapter:
    """Symbols are the same here as with us. Prices are raw: `adjust=none`."""

    name = "twelve_data"

    def __init__(self, setup: ProviderSetup) -> None:
        """Raises FeedRefused when the key is missing."""
        self._options = TwelveDataOptions()
        self._http = TwelveDataHttp(self._options)
        self._http.vendor.require()
        self._calendar = trading_calendar(setup.exchange)
        self._clock = setup.clock
        self._country = "United States" if setup.exchange in _AMERICAN else None
        is_streamed = self._options.live == "socket"
        self.channels = frozenset({Channel.TRADES}) if is_streamed else frozenset[Channel]()

    async def close(self) -> None:
        """Give back the connections."""
        await self._http.close()

    # -------------------------------------------------------------------------------- bars

    async def history(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> BarBatch:
        """Raw bars with start <= bar.start < end, in pages of 5000, the newest page first."""
        interval = _INTERVALS.get(timeframe)
        if interval is None:
            raise NotFound(
                f"Twelve Data has no bars of {timeframe}.",
                remedy=f"It has: {', '.join(_INTERVALS)}.",
            )
        found: list[Value] = []
        before = end
        while before > start:
            page = await self._page(symbol, interval, start, before)
            found += page
            if len(page) < PAGE:
                break
            before = min(_time(value) for value in page)
        bars = _batch(symbol, timeframe, found, self._calendar)
        keep = (bars.start >= to_ns(start)) & (bars.start < to_ns(end))
        return bars[keep]

    async def _page(
        self, symbol: str, interval: str, start: datetime, end: datetime
    ) -> list[Value]:
        try:
            answer = await self._http.get(
                _PATH,
                Values,
                {
                    "symbol": symbol,
                    "interval": interval,
                    "start_date": _stamp(start),
                    "end_date": _stamp(end - timedelta(seconds=1)),
                    "timezone": "UTC",
                    "outputsize": PAGE,
                    "adjust": "none",
                    "country": self._country,
                },
            )
        except NotFound as error:
            raise NotFound(error.message, symbol=symbol, api_name=self.name) from None
        except APIError as error:
            if error.upstream_status == 400 and said_nothing(error):
                return []
            raise
        return answer.values

    # ------------------------------------------------------------------ profiles and actions

    async def profile(self, symbol: str) -> Profile:
        """Name, listing and sector; ten credits, and a plan that has them."""
        self._afford(PROFILE_CREDITS, "A profile")
        said = await self._http.get(
            "/profile", Company, {"symbol": symbol, "country": self._country}, cost=PROFILE_CREDITS
        )
        return Profile(
            symbol=symbol, name=said.name, exchange=said.mic_code, sector=said.sector or None
        )

    async def actions(self, symbol: str, start: date, end: date) -> list[Action]:
        """Splits and dividends with start <= ex_date < end; twenty credits each."""
        self._afford(ACTION_CREDITS, "A list of splits or dividends")
        span = {
            "symbol": symbol,
            "country": self._country,
            "start_date": start.isoformat(),
            "end_date": end.isoformat(),
        }
        splits = await self._http.get("/splits", Splits, span, cost=ACTION_CREDITS)
        dividends = await self._http.get("/dividends", Dividends, span, cost=ACTION_CREDITS)
        found = [
            *(
                Action(
                    symbol=symbol,
                    kind="split",
                    ex_date=one.date,
                    ratio=one.from_factor / one.to_factor,
                )
                for one in splits.splits
            ),
            *(
                Action(symbol=symbol, kind="dividend", ex_date=one.ex_date, amount=one.amount)
                for one in dividends.dividends
            ),
        ]
        found.sort(key=lambda action: action.ex_date)
        return [action for action in found if start <= action.ex_date < end]

    def _afford(self, credits_needed: int, what: str) -> None:
        allowed = self._options.credits_per_minute
        if credits_needed > allowed:
            raise self._http.vendor.refusal(
                f"{what} costs {credits_needed} credits of Twelve Data, and"
                f" TWELVE_DATA_CREDITS_PER_MINUTE allows {allowed}: the plan does not include it."
            )

    # -------------------------------------------------------------------------------- live

    async def live(self, subscription: Subscription) -> AsyncGenerator[LiveItem]:
        """Price events as prints, a batch of what had arrived; heartbeats as they are answered."""
        socket = await self._connected()
        beating = asyncio.create_task(_beat(socket), name="twelve_data heartbeat")
        try:
            await _send(socket, "subscribe", ",".join(subscription.symbols))
            prints = Prints(subscription.symbols, self._clock)
            while True:
                heard = self._understood(await _event(socket), prints)
                batch = prints.taken()
                if heard is not None or len(batch):
                    yield heard or batch
        finally:
            await end([beating])
            with suppress(OSError, WebSocketException):
                await socket.close()

    async def _connected(self) -> ClientConnection:
        address = f"{self._options.socket_url}?apikey={revealed(self._options.api_key)}"
        try:
            return await connect(
                address, open_timeout=CONNECT_SECONDS, close_timeout=1, max_queue=_WAITING
            )
        except InvalidStatus as error:
            status = error.response.status_code
            raise self._http.failure(status, "the WebSocket was refused") from None
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
            # an address that is none would be quoted with the key in it
            raise self._lost(f"cannot be reached ({type(error).__name__})") from None

    def _understood(self, event: dict[str, Any], prints: "Prints") -> Heartbeat | None:
        """What one message means; prices are kept in `prints`."""
        kind = event.get("event")
        if kind == "price":
            prints.add(event)
            return None
        if kind == "subscribe-status":
            self._refused_symbols(event)
        elif event.get("status") == "error":
            raise failure_in(self._http, event)
        return Heartbeat(self._clock.now())

    def _refused_symbols(self, event: dict[str, Any]) -> None:
        failed = event.get("fails") or []
        if failed:
            symbol = str(failed[0].get("symbol"))
            said = failed[0].get("msg") or "it is unknown, or the plan does not stream it"
            raise NotFound(
                f"Twelve Data does not stream {symbol}: {said}.",
                symbol=symbol,
                api_name=self.name,
            )

    def _lost(self, what: str) -> FeedLost:
        return FeedLost(f"twelve_data {what}.", api_name=self.name)


class Prints:
    """Price events on their way into a batch.

    An event says the day's volume so far: the difference is the size, and the sum tells events of
    one second apart, so that one that is sent twice is one print.
    """

    def __init__(self, symbols: Iterable[str], clock: Clock) -> None:
        self._symbols = tuple(symbols)
        self._place = {symbol: index for index, symbol in enumerate(self._symbols)}
        self._volume: dict[str, float] = {}
        self._count = 0
        self._clock = clock
        self._rows: list[tuple[int, int, int, float, float, int]] = []

    def add(self, event: dict[str, Any]) -> None:
        """Raises FeedLost for an event that cannot be understood."""
        place = self._place.get(str(event.get("symbol")))
        if place is None:
            return
        try:
            at = int(event["timestamp"]) * 1_000_000_000
            price = float(event["price"])
            total = None if event.get("day_volume") is None else float(event["day_volume"])
        except (KeyError, TypeError, ValueError) as error:
            raise FeedLost(
                f"twelve_data sent a price that cannot be read ({error!r}).", api_name="twelve_data"
            ) from None
        self._count += 1
        size = self._size(self._symbols[place], total)
        sequence = self._count if total is None else int(total) + 1
        self._rows.append((at, place, sequence, price, size, 0))

    def _size(self, symbol: str, total: float | None) -> float:
        """Shares since the event before; 0 where nobody says, or a new day began."""
        if total is None:
            return 0.0
        before = self._volume.get(symbol)
        self._volume[symbol] = total
        return max(0.0, total - before) if before is not None else 0.0

    def taken(self) -> TickBatch:
        """The prints since the last call."""
        rows, self._rows = self._rows, []
        return TickBatch(self._symbols, np.array(rows, dtype=TICK))


async def _event(socket: ClientConnection) -> dict[str, Any]:
    """The next message, decoded. Raises FeedLost when the connection is gone, or for garbage."""
    try:
        event = msgspec.json.decode(await socket.recv())
    except (OSError, WebSocketException) as error:
        raise FeedLost(
            f"twelve_data closed the connection ({type(error).__name__}).", api_name="twelve_data"
        ) from None
    except msgspec.DecodeError as error:
        raise FeedLost(
            f"twelve_data sent what cannot be read ({error}).", api_name="twelve_data"
        ) from None
    if not isinstance(event, dict):
        raise FeedLost("twelve_data sent something that is no event.", api_name="twelve_data")
    return event


async def _send(socket: ClientConnection, action: str, symbols: str | None = None) -> None:
    message = {"action": action} | ({"params": {"symbols": symbols}} if symbols else {})
    with suppress(OSError, WebSocketException):  # who reads next hears of it
        await socket.send(msgspec.json.encode(message).decode())


async def _beat(socket: ClientConnection) -> None:
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        await _send(socket, "heartbeat")


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _time(value: Value) -> datetime:
    """The bar's instant in UTC; days have none, so that is their midnight."""
    return datetime.fromisoformat(value.datetime).replace(tzinfo=UTC)


def _batch(
    symbol: str, timeframe: Timeframe, values: Iterable[Value], calendar: TradingCalendar
) -> BarBatch:
    """Bars as columns, sorted, each once. Raises TransientError for what is no number."""
    by_time = {value.datetime: value for value in values}
    ordered = [by_time[key] for key in sorted(by_time)]
    if not ordered:
        return BarBatch.empty(symbol, timeframe)
    starts, ends = _bounds(timeframe, ordered, calendar)
    try:
        columns = {
            name: np.array([float(getattr(value, name)) for value in ordered]) for name in VALUES
        }
    except ValueError as error:
        raise TransientError(
            f"twelve_data sent bars that cannot be read ({error}).", api_name="twelve_data"
        ) from None
    batch = BarBatch.of(symbol, timeframe, starts, ends, **columns)
    return batch[starts >= 0]


def _bounds(
    timeframe: Timeframe, values: list[Value], calendar: TradingCalendar
) -> tuple[Nanos, Nanos]:
    """Start and end of each bar; -1 for a day without a session."""
    if timeframe is Timeframe.D1:
        sessions = [calendar.session_on(_time(value).date()) for value in values]
        return (
            np.array([s.open if s else -1 for s in sessions], dtype=np.int64),
            np.array([s.close if s else -1 for s in sessions], dtype=np.int64),
        )
    starts = np.array([to_ns(_time(value)) for value in values], dtype=np.int64)
    _, ends = calendar.bounds(timeframe, starts)
    return starts, ends
