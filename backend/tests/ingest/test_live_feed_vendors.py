"""Every vendor killed and muted while it runs, into a real PostgreSQL: nothing is lost for good."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime, timedelta

import asyncpg
import pytest

from app.core.live import LiveOptions
from app.core.tasks import end
from app.db.session import opened_pool
from app.domain.events import FeedConnected, FeedDisconnected, SliceClosed
from app.domain.market import Timeframe
from app.ingest.live_feed import LiveFeed, Told
from app.ingest.ticks import TickIngest, TickSettings
from app.marketdata.calendar import trading_calendar
from app.marketdata.slices import Moment
from app.repositories import stocks
from app.repositories.stock_data import StockData
from app.services.ingestion import Ingestion
from tests.contracts.live_vendor import KNOWN, VENDORS, LiveVendor
from tests.factories import utc
from tests.markets_live import MINUTE, FastClock, Market

XNYS = trading_calendar("XNYS")
OPEN = utc("2024-03-01 14:30")
SPEED = 60
FAST = {
    "first_wait_seconds": 0.05,
    "longest_wait_seconds": 0.2,
    "grace_seconds": 15,
    "silent_seconds": 90,
    "fresh_seconds": 90,
}


class Desk:
    """A live feed at work: what it gave, and what it told."""

    def __init__(self, vendor: LiveVendor, pool: asyncpg.Pool, clock: FastClock) -> None:
        self.told: list[Told] = []
        self.moments: list[Moment] = []
        self.bars = StockData(pool, "live")
        self.live = LiveFeed(
            [vendor.source],
            "live",
            XNYS,
            options=LiveOptions(**FAST),
            prints=lambda source, made: TickIngest(
                pool, "live", XNYS, source=source, settings=TickSettings(timeframes=made)
            ),
            tell=self._tell,
            clock=clock,
            beat_seconds=0.02,
        )
        self._ingestion = Ingestion(
            self.live, self.bars, pool, XNYS, clock=clock, fresh=timedelta(seconds=90)
        )

    async def run(self, after: datetime) -> None:
        async with aclosing(self._ingestion.feed(KNOWN, Timeframe.M1, after=after)) as feed:
            async for moment in feed:
                self.moments.append(moment)

    async def stored(self, minutes: list[datetime]) -> None:
        """Return once every minute of every symbol is in the table."""
        wanted = {int(minute.timestamp() * 1e9) for minute in minutes}
        async with asyncio.timeout(60):
            while not await self._has(wanted):  # noqa: ASYNC110 - tables set no event
                await asyncio.sleep(0.05)

    async def _has(self, wanted: set[int]) -> bool:
        found = [await self.bars.stored(symbol, Timeframe.M1) for symbol in KNOWN]
        return all(wanted <= set(batch.start.tolist()) for batch in found)

    @property
    def slices(self) -> list[SliceClosed]:
        return [moment for moment in self.moments if isinstance(moment, SliceClosed)]

    async def _tell(self, event: Told) -> None:
        self.told.append(event)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with opened_pool(database_url) as opened, opened.acquire() as db:
        for symbol in KNOWN:
            await stocks.ensure(db, symbol)
        yield opened


async def killed(vendor: LiveVendor, clock: FastClock) -> None:
    await vendor.kill()
    await clock.until(OPEN + 3.5 * MINUTE)
    await vendor.start()


async def muted(vendor: LiveVendor, clock: FastClock) -> None:
    vendor.mute()
    await clock.until(OPEN + 3.5 * MINUTE)
    vendor.mute(False)


async def dropped(vendor: LiveVendor, clock: FastClock) -> None:
    await vendor.drop()


@pytest.mark.parametrize("fault", [killed, muted, dropped], ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("name", list(VENDORS))
async def test_nothing_is_lost_that_can_be_fetched_again(
    name: str,
    fault: Callable[[LiveVendor, FastClock], Awaitable[None]],
    pool: asyncpg.Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = FastClock(OPEN - timedelta(seconds=30), SPEED)
    async with VENDORS[name](monkeypatch, clock) as vendor:
        desk, market = Desk(vendor, pool, clock), Market(vendor, clock, KNOWN)
        working = asyncio.create_task(desk.run(OPEN))
        trading = asyncio.create_task(market.run(OPEN, 6))
        try:
            await clock.until(OPEN + 1.5 * MINUTE)
            await fault(vendor, clock)
            await trading
            await desk.stored(market.minutes)
        finally:
            await end([working, trading])
            await desk.live.close()
    ends = [one.end for one in desk.slices]
    assert ends == sorted(set(ends))
    given = Counter((bar.symbol, bar.end) for one in desk.slices for bar in one.bars)
    assert max(given.values()) == 1
    losses = [event for event in desk.told if isinstance(event, FeedDisconnected)]
    assert losses
    assert isinstance(desk.told[-1], FeedConnected)
