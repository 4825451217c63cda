"""A market whose minutes pass in a second: a fast clock, and trading on a vendor's loopback."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from app.core.clock import SystemClock, to_ns
from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch
from app.marketdata.ports import Channel
from tests.contracts.live_vendor import LiveVendor

MINUTE = timedelta(minutes=1)


class FastClock:
    """Market time that runs `speed` times as fast as the machine's, from `start` on."""

    def __init__(self, start: datetime, speed: float) -> None:
        self.speed = speed
        self._start = start
        self._real = SystemClock()
        self._zero = self._real.monotonic()
        self._passed = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return self._passed + (self._real.monotonic() - self._zero) * self.speed

    def hurry(self, speed: float) -> None:
        """Run faster from now on; what sleeps already wakes when it would have."""
        self._passed, self._zero = self.monotonic(), self._real.monotonic()
        self.speed = speed

    async def until(self, at: datetime) -> None:
        """Sleep until market time `at`."""
        while (left := (at - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - time sets no event
            await asyncio.sleep(left / self.speed)


class Market:
    """Trades four times a minute in each symbol; history has every minute that is over.

    Prices follow from the minute alone, so that bars made of prints equal those of the history.
    """

    def __init__(self, vendor: LiveVendor, clock: FastClock, symbols: Sequence[str]) -> None:
        self.vendor, self.clock, self.symbols = vendor, clock, symbols
        self.minutes: list[datetime] = []

    async def run(self, start: datetime, count: int) -> None:
        """Trade for `count` minutes from `start` on."""
        for number in range(count):
            await self._minute(start + number * MINUTE, number)

    async def _minute(self, start: datetime, number: int) -> None:
        batches = [minute(symbol, start, number) for symbol in self.symbols]
        if Channel.TRADES in self.vendor.source.channels:
            for second, column in ((5, "open"), (20, "high"), (35, "low"), (50, "close")):
                at = start + timedelta(seconds=second)
                await self.clock.until(at)
                for batch in batches:
                    await self.vendor.print(batch.symbol, float(batch.rows[column][0]), 100, at)
        await self.clock.until(start + MINUTE)
        self.minutes.append(start)
        for batch in batches:
            self.vendor.add_history(batch)
            if Channel.BARS in self.vendor.source.channels:
                await self.vendor.minute(batch)


def minute(symbol: str, start: datetime, number: int) -> BarBatch:
    """The bar of one minute."""
    opened = 100.0 + number + (10.0 if symbol == "SPY" else 0.0)
    return BarBatch.of(
        symbol,
        Timeframe.M1,
        np.array([to_ns(start)]),
        np.array([to_ns(start + MINUTE)]),
        open=opened,
        high=opened + 2,
        low=opened - 2,
        close=opened + 1,
        volume=400.0,
    )
