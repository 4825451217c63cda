"""One provider of a chain: its connection as it is now, and what it is asked for."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, Protocol, runtime_checkable

import msgspec

from app.core.clock import Clock, to_ns
from app.core.errors import NotFound
from app.domain.market import Timeframe
from app.ingest.tick_statistics import TickStatistics
from app.ingest.ticks import TickIngest
from app.marketdata.batch import BarBatch
from app.marketdata.ports import (
    Channel,
    DataProvider,
    Heartbeat,
    LiveItem,
    LiveSource,
    Subscription,
)

_POLLED_BACK: Final = 5
"Bars before the newest that a poll asks for again: vendors correct them."


MakePrints = Callable[[str, tuple[Timeframe, ...]], TickIngest]
"""For a provider, and the timeframes that are made of its prints (none where it has bars)."""


@runtime_checkable
class Delayed(Protocol):
    """A source whose bars come so long after their end."""

    delay_seconds: float


@runtime_checkable
class Replaying(Protocol):
    """A source that honours `Subscription.after`: it gives what was missed by itself."""

    replays: bool


class LinkState(StrEnum):
    """What a provider's connection is doing."""

    STANDBY = "standby"
    "A better provider serves every symbol."
    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"
    "Lost or silent; tried again."
    REFUSED = "refused"
    "The vendor will not have us: out until settings change."
    CLOSED = "closed"
    "The market is closed; nothing is expected."


class LinkReport(msgspec.Struct, frozen=True, kw_only=True):
    """A provider of a live feed, as health, metrics and the Data page show it."""

    provider: str
    kind: Literal["bars", "options"] = "bars"
    "What its connection is for."
    place: int
    state: LinkState
    symbols: tuple[str, ...] = ()
    "Those it is subscribed to."
    serving: tuple[str, ...] = ()
    "Those whose newest bar came from it."
    silent: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    reconnects: int = 0
    last_item_at: datetime | None = None
    last_bar_end: datetime | None = None
    lag_seconds: float | None = None
    "From the end of its newest bar to its arrival."
    bars: int = 0
    queue: int = 0
    "Prints and quotes that wait to be stored."
    waiting: int = 0
    "Bars and first prints of the whole feed that nobody has taken yet: the database is slow."
    shed: int = 0
    "Quotes dropped under overload; bars never are."
    refused: int = 0
    "Rows quarantined."
    late: int = 0
    "Prints that came when their minute was over."
    remade: int = 0
    "Minutes that were made again for them."
    is_database_away: bool = False
    "Prints and quotes cannot be stored just now."
    rows: int = 0
    "Prints and quotes that were believed."
    write_ms_p95: float | None = None
    "To store prints and quotes, the 95th percentile of the last thousand writes."
    quotes: int = 0
    "Of options: those that came."
    stored: int = 0
    "Of options: quotes that were stored, the last of each contract and second."
    problem: str | None = None


class Link:
    """What `LiveFeed` knows of one provider. Times are seconds of a monotonic clock."""

    def __init__(
        self,
        place: int,
        provider: DataProvider,
        source: LiveSource,
        channels: frozenset[Channel],
    ) -> None:
        self.place = place
        self.channels = channels & source.channels or source.channels
        "What it is asked for."
        self.name = provider.name
        self.provider = provider
        self.source = source
        self.prints: TickIngest | None = None
        self.state = LinkState.STANDBY
        self.subscribed: frozenset[str] = frozenset()
        self.unknown: set[str] = set()
        self.silent: set[str] = set()
        self.heard: dict[str, float] = {}
        "When each symbol's newest bar came."
        self.failures = 0
        self.was_up = False
        self.reconnects = 0
        self.began = 0.0
        self.last_item = 0.0
        self.is_taking = False
        "An item is being taken in: where that waits for the database, the provider is not silent."
        self.failed_at: float | None = None
        "Since when it does not serve; None while it does."
        self.complete_from = 0
        "Bars made of prints that start before (ns) lack what came before the connection."
        self.why: str | None = None
        "Why the reading was interrupted."
        self.reading: asyncio.Task[None] | None = None
        self.problem: str | None = None
        self.last_item_at: datetime | None = None
        self.last_bar_end: datetime | None = None
        self.lag_seconds: float | None = None
        self.bars = 0

    @property
    def makes_bars(self) -> bool:
        """Whether the vendor's own minute bars are used."""
        return Channel.BARS in self.channels

    @property
    def replays(self) -> bool:
        return isinstance(self.source, Replaying) and self.source.replays

    @property
    def delay_seconds(self) -> float:
        return self.source.delay_seconds if isinstance(self.source, Delayed) else 0.0

    def serves(self, symbol: str, now: float, patience: float) -> bool:
        """Whether a worse provider may leave `symbol` to this one."""
        if self.state is LinkState.REFUSED or symbol in self.unknown or symbol in self.silent:
            return False
        return self.failed_at is None or now - self.failed_at < patience

    def interrupt(self, why: str | None) -> None:
        """End the connection: with a reason it failed, without it just begins anew."""
        if self.reading is not None and not self.reading.done():
            self.why = why
            self.reading.cancel()

    def report(self, serving: Sequence[str], waiting: int = 0) -> LinkReport:
        """What it is now; `serving` and `waiting` are known to the feed."""
        counted = TickStatistics() if self.prints is None else self.prints.statistics
        return LinkReport(
            provider=self.name,
            place=self.place,
            state=self.state,
            symbols=tuple(sorted(self.subscribed)),
            serving=tuple(serving),
            silent=tuple(sorted(self.silent)),
            unknown=tuple(sorted(self.unknown)),
            reconnects=self.reconnects,
            last_item_at=self.last_item_at,
            last_bar_end=self.last_bar_end,
            lag_seconds=self.lag_seconds,
            bars=self.bars,
            queue=counted.ticks_waiting + counted.quotes_waiting,
            waiting=waiting,
            shed=counted.quotes_shed,
            refused=counted.refused,
            late=counted.late,
            is_database_away=counted.is_database_away,
            rows=counted.ticks + counted.quotes,
            write_ms_p95=counted.write_percentile(0.95) if counted.write_ms else None,
            problem=self.problem,
        )


class Polled:
    """A provider without a live connection made into one: its history is asked again and again."""

    channels = frozenset({Channel.BARS})

    def __init__(self, provider: DataProvider, clock: Clock, every: float) -> None:
        self.name = provider.name
        self.delay_seconds = every
        self._provider = provider
        self._clock = clock
        self._every = every

    async def live(self, subscription: Subscription) -> AsyncGenerator[LiveItem]:
        """Minute bars that are over, symbol after symbol, a round every so many seconds."""
        back = timedelta(minutes=_POLLED_BACK)
        while True:
            began = self._clock.monotonic()
            for symbol in subscription.symbols:
                now = self._clock.now()
                batch = await self._asked(symbol, now - back, now)
                over = batch[batch.end <= to_ns(now)]
                yield over if len(over) else Heartbeat(now)
            await asyncio.sleep(max(0.0, self._every - (self._clock.monotonic() - began)))

    async def _asked(self, symbol: str, start: datetime, end: datetime) -> BarBatch:
        try:
            return await self._provider.history(symbol, Timeframe.M1, start, end)
        except NotFound as error:
            raise NotFound(error.message, symbol=symbol) from error
