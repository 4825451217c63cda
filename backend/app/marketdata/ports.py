"""Where market data comes from, as the inside sees it: what files in adapters/data implement."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import msgspec

from app.core.clock import Clock, system
from app.domain.market import SliceOpened, Timeframe
from app.marketdata.batch import BarBatch, QuoteBatch, TickBatch

Feed = AsyncGenerator[BarBatch | SliceOpened]
"""Bars in the order of their end, and the first prints of those that are about to come.

`SliceOpened(at)` promises that every bar that ended at or before `at` was given. Close the feed
with `aclose()`; it also ends when cancelled.
"""


class BarReader(Protocol):
    """Bars that are stored, for a provider that replays them. Adapters never see the database."""

    async def bars(
        self, symbol: str, timeframe: Timeframe, start: datetime | None, end: datetime | None
    ) -> BarBatch:
        """Bars with start <= bar.start < end, sorted; None leaves a side open."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSetup:
    """What the composition root hands to every `Adapter`; each takes what it needs."""

    exchange: str = "XNYS"
    speed: float | None = None
    "Market seconds a second; None or 0 is as fast as possible. Closed hours take no time."
    path: Path | None = None
    "A file or folder of bars, for those that read files."
    tz: str | None = None
    "Time zone of times in files that do not say it."
    reader: BarReader | None = None
    clock: Clock = system


class DataProvider(Protocol):
    """History of bars: what every adapter in adapters/data has.

    Symbols and timeframes are ours (Yahoo's BRK-B is BRK.B here); the adapter translates. What else
    a vendor offers it says by the protocols below, which are checked with `isinstance`.
    """

    name: str

    async def history(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> BarBatch:
        """Raw bars with start <= bar.start < end, sorted, in pages as large as the vendor allows.

        Raises NotFound for an unknown symbol or a timeframe that the vendor lacks, FeedRefused for
        a key or plan that does not allow it, TransientError once retries within the budget failed.
        """
        ...

    async def close(self) -> None:
        """Give back files, sockets and sessions."""
        ...


@runtime_checkable
class BarStream(Protocol):
    """A provider that shows bars by itself, in order: files, replay, simulator, `LiveFeed`."""

    name: str

    def stream(
        self, symbols: Sequence[str], timeframe: Timeframe, after: datetime | None = None
    ) -> Feed:
        """Bars of `symbols` whose end lies beyond `after`, paced by the provider.

        None starts where the provider likes to start (a file: its first bar).
        """
        ...

    async def close(self) -> None:
        """Give back files, sockets and sessions."""
        ...


class Channel(StrEnum):
    """What a live connection can carry."""

    TRADES = "trades"
    QUOTES = "quotes"
    BARS = "bars"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What one live connection is asked for."""

    symbols: tuple[str, ...]
    "Ours: stocks, or options by OCC symbol without blanks, e.g. AAPL261218C00250000."
    channels: frozenset[Channel]
    after: datetime | None = None
    "Where the vendor can replay: begin here instead of now."


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The connection lives although nothing trades."""

    at: datetime


@dataclass(frozen=True, slots=True)
class ContractsDefined:
    """Options that the vendor defined while the connection stood: new strikes, a new expiry."""

    symbols: tuple[str, ...]
    "OCC symbols without blanks."


LiveItem = TickBatch | QuoteBatch | BarBatch | Heartbeat | ContractsDefined
"Batches as large as what had arrived; minute bars (`Timeframe.M1`) where the vendor makes them."


@runtime_checkable
class LiveSource(Protocol):
    """A vendor's live feed. Reconnecting, silence and fail-over are the business of `LiveFeed`."""

    name: str
    channels: frozenset[Channel]

    def live(self, subscription: Subscription) -> AsyncGenerator[LiveItem]:
        """One connection: sign in, subscribe, yield what comes until `aclose()`.

        Raises FeedLost when it breaks (try again), FeedRefused when the vendor will not have us,
        NotFound for a symbol that the vendor does not know (it names the symbol in `context`).
        """
        ...


@runtime_checkable
class OptionSource(LiveSource, Protocol):
    """A live source that carries quotes of options, by OCC symbols, on a connection of their own.

    `live` is asked for the quotes of options alone then, beside the connection for stocks.
    """

    most_options: int
    "Contracts that one connection may follow."


@runtime_checkable
class TickSource(Protocol):
    """A vendor with a history of prints or quotes."""

    name: str

    def ticks(self, symbol: str, start: datetime, end: datetime) -> AsyncGenerator[TickBatch]:
        """Prints with start <= at < end, oldest first, a page a batch."""
        ...

    def quotes(self, symbol: str, start: datetime, end: datetime) -> AsyncGenerator[QuoteBatch]:
        """Tops of book with start <= at < end, oldest first, a page a batch."""
        ...


class Profile(msgspec.Struct, frozen=True):
    """What a vendor says of a stock; empty and None where it says nothing."""

    symbol: str
    name: str = ""
    exchange: str | None = None
    "MIC of the listing."
    sector: str | None = None


@runtime_checkable
class ProfileSource(Protocol):
    """A vendor that knows names, listings and sectors."""

    name: str

    async def profile(self, symbol: str) -> Profile:
        """Raises NotFound for an unknown symbol."""
        ...


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One corporate action, effective before the first slice of session `ex_date`."""

    symbol: str
    kind: Literal["split", "dividend", "symbol_change", "spin_off", "merger", "delisting"]
    ex_date: date
    ratio: Decimal | None = None
    "New shares for one old."
    amount: Decimal | None = None
    "Cash a share."
    currency: str = "USD"
    pay_date: date | None = None
    new_symbol: str | None = None
    known_at: datetime | None = None
    "When the public could know it; None where the vendor does not say (then: the ex-date's start)."


@runtime_checkable
class ActionSource(Protocol):
    """A vendor that knows corporate actions."""

    name: str

    async def actions(self, symbol: str, start: date, end: date) -> list[Action]:
        """Actions with start <= ex_date < end, oldest first."""
        ...


class OptionSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What one contract shows at one instant; None where the vendor says nothing."""

    symbol: str
    "OCC symbol without blanks: root, yymmdd, C or P, strike in thousandths of a dollar."
    at: datetime
    bid: float | None = None
    ask: float | None = None
    last: float | None = None
    volume: float | None = None
    open_interest: float | None = None
    implied_volatility: float | None = None
    underlying_price: float | None = None


@runtime_checkable
class ChainSource(Protocol):
    """A vendor that shows option chains."""

    name: str

    async def chain(self, underlying: str, expiry: date | None = None) -> list[OptionSnapshot]:
        """Every listed contract (of one expiry). Raises NotFound when there is none."""
        ...


class PricePublisher(Protocol):
    """Tells others what is new, and has the cache remember it. Nothing of it is needed to trade.

    Every `offer` goes on at once: prices are conflated, and what cannot be sent is dropped and
    counted.
    """

    def offer(self, dataset: str, bars: Sequence[BarBatch]) -> None:
        """Bars that are durable, by now."""
        ...

    def offer_quotes(self, dataset: str, quotes: QuoteBatch) -> None:
        """Tops of book; the newest of each symbol is remembered."""
        ...

    def offer_prints(self, dataset: str, ticks: TickBatch) -> None:
        """Prints; the newest of each symbol that counts is the last price."""
        ...

    def offer_chain(self, dataset: str, underlying: str, body: bytes, at: datetime) -> None:
        """A whole option chain, as JSON."""
        ...

    def figures(self) -> dict[str, float]:
        """What waits, was sent, dropped and failed since the start."""
        ...

    async def close(self) -> None:
        """Send no more."""
        ...
