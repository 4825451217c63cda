"""A chain of two vendors: the next steps in, the better one takes back, refusals, rest at night."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import datetime, timedelta

import asyncpg
import pytest

from app.core.errors import FeedRefused, InvalidInput
from app.core.live import LiveOptions
from app.core.tasks import end
from app.domain.events import FeedConnected, FeedDisconnected
from app.domain.market import Timeframe
from app.ingest.link import LinkReport, LinkState
from app.ingest.live_feed import LiveFeed, Told
from app.ingest.sequence import Item, SourcedBars
from app.ingest.ticks import TickIngest, TickSettings
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import DataProvider
from tests.contracts.live_vendor import KNOWN, VENDORS, LiveVendor
from tests.factories import utc
from tests.markets_live import FastClock, Market

XNYS = trading_calendar("XNYS")
OPEN = utc("2024-03-01 14:30")
SPEED = 60
OPTIONS = {
    "first_wait_seconds": 0.05,
    "longest_wait_seconds": 0.1,
    "grace_seconds": 10,
    "failover_seconds": 5,
    "silent_seconds": 900,
}


class Chain:
    """A live feed that runs, and what it said."""

    def __init__(self, providers: list[DataProvider], pool: asyncpg.Pool, clock: FastClock) -> None:
        self.items: list[Item] = []
        self.told: list[Told] = []
        self.refused: list[str] = []
        self.feed = LiveFeed(
            providers,
            "live",
            XNYS,
            options=LiveOptions(**OPTIONS),
            prints=lambda source, made: TickIngest(
                pool, "live", XNYS, source=source, settings=TickSettings(timeframes=made)
            ),
            tell=self._tell,
            refused=self._refuse,
            clock=clock,
            beat_seconds=0.02,
        )

    async def run(self, after: datetime) -> None:
        async with aclosing(self.feed.stream(KNOWN, Timeframe.M1, after)) as items:
            async for item in items:
                self.items.append(item)

    def sources(self) -> list[str]:
        """Who gave each bar, in order."""
        return [item.source for item in self.items if isinstance(item, SourcedBars)]

    def report(self, name: str) -> LinkReport:
        return next(one for one in self.feed.report() if one.provider == name)

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not true():  # noqa: ASYNC110 - lists set no event
                await asyncio.sleep(0.01)

    async def _tell(self, event: Told) -> None:
        self.told.append(event)

    async def _refuse(self, name: str, error: FeedRefused) -> None:
        self.refused.append(f"{name}: {error}")


@asynccontextmanager
async def at_work(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, clock: FastClock, *names: str
) -> AsyncIterator[tuple[Chain, list[LiveVendor]]]:
    async with AsyncExitStack() as stack:
        vendors = [
            await stack.enter_async_context(VENDORS[name](monkeypatch, clock)) for name in names
        ]
        chain = Chain([vendor.source for vendor in vendors], pool, clock)
        running = [asyncio.create_task(chain.run(OPEN))]
        running += [asyncio.create_task(Market(v, clock, KNOWN).run(OPEN, 60)) for v in vendors]
        try:
            yield chain, vendors
        finally:
            await end(running)
            await chain.feed.close()


async def test_the_next_vendor_steps_in_and_the_better_one_takes_back(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FastClock(OPEN - timedelta(seconds=20), SPEED)
    async with at_work(pool, monkeypatch, clock, "alpaca", "twelve_data") as (chain, vendors):
        best, _ = vendors
        await chain.until(lambda: "alpaca" in chain.sources())
        assert chain.report("twelve_data").state is LinkState.STANDBY
        await best.kill()
        await chain.until(lambda: "twelve_data" in chain.sources())
        assert chain.report("alpaca").state is LinkState.DOWN
        given = len(chain.sources())
        await best.start()
        await chain.until(lambda: "alpaca" in chain.sources()[given:])
        await chain.until(lambda: chain.report("twelve_data").state is LinkState.STANDBY)
        await chain.until(lambda: chain.report("alpaca").serving == KNOWN)
        assert chain.report("alpaca").reconnects == 1
    keys = [
        (item.symbol, start)
        for item in chain.items
        if isinstance(item, SourcedBars)
        for start in item.start.tolist()
    ]
    assert len(keys) == len(set(keys))
    lost = [event.feed for event in chain.told if isinstance(event, FeedDisconnected)]
    assert lost == ["alpaca"]


async def test_a_vendor_that_refuses_us_is_out_and_the_next_serves(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FastClock(OPEN - timedelta(seconds=20), SPEED)
    async with at_work(pool, monkeypatch, clock, "twelve_data", "alpaca") as (chain, vendors):
        await chain.until(lambda: chain.report("twelve_data").state is LinkState.UP)
        vendors[0].refuse()
        await chain.until(lambda: "alpaca" in chain.sources())
        assert chain.report("twelve_data").state is LinkState.REFUSED
    assert len(chain.refused) == 1
    assert "TWELVE_DATA_API_KEY" in chain.refused[0]


async def test_a_symbol_that_one_vendor_does_not_stream_comes_from_the_next(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FastClock(OPEN - timedelta(seconds=50), SPEED)
    async with at_work(pool, monkeypatch, clock, "twelve_data", "alpaca") as (chain, vendors):
        vendors[0].loopback.streamed = {"AAPL"}  # type: ignore[attr-defined]  # Twelve Data's
        await vendors[0].drop()
        await chain.until(lambda: chain.report("twelve_data").unknown == ("SPY",))
        await chain.until(lambda: chain.report("alpaca").serving == ("SPY",))
        await chain.until(lambda: chain.report("twelve_data").serving == ("AAPL",))
        assert chain.report("alpaca").symbols == ("SPY",)
    assert not chain.refused


async def test_at_night_nobody_is_called_and_nothing_is_said(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FastClock(utc("2024-03-01 20:59:30"), SPEED)
    async with VENDORS["twelve_data"](monkeypatch, clock) as vendor:
        chain = Chain([vendor.source], pool, clock)
        running = asyncio.create_task(chain.run(utc("2024-03-01 20:59")))
        try:
            await chain.until(lambda: chain.report("twelve_data").state is LinkState.UP)
            await chain.until(lambda: chain.report("twelve_data").state is LinkState.CLOSED)
            calls = vendor.connections
            clock.hurry(10 * SPEED)
            await clock.until(utc("2024-03-01 21:20"))
        finally:
            await end([running])
            await chain.feed.close()
        assert vendor.connections == calls == 1
    assert [type(event) for event in chain.told] == [FeedConnected]


async def test_only_minutes_are_live(pool: asyncpg.Pool) -> None:
    chain = Chain([], pool, FastClock(OPEN, SPEED))
    with pytest.raises(InvalidInput, match="not of 5m"):
        await anext(chain.feed.stream(KNOWN, Timeframe.M5, OPEN))
