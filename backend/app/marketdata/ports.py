"""Where bars come from, as the inside sees it: every file in adapters/data implements this."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from app.core.clock import Clock, system
from app.domain.market import SliceOpened, Timeframe
from app.marketdata.batch import BarBatch

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
    """History and stream of bars. Symbols and timeframes are ours; the adapter translates."""

    name: str

    async def history(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> BarBatch:
        """Bars with start <= bar.start < end, sorted. Raises NotFound for an unknown symbol."""
        ...

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


class PricePublisher(Protocol):
    """Tells others about bars that are stored. Nothing of it is needed to trade."""

    def offer(self, dataset: str, bars: Sequence[BarBatch]) -> None:
        """Hand bars over and go on at once: what cannot be sent is dropped and counted."""
        ...

    async def close(self) -> None:
        """Send no more."""
        ...
