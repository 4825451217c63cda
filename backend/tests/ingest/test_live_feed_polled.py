"""A vendor without a live connection, polled by the live feed, killed and stalled while it runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing

import pytest

from app.adapters.clients.yahoo import Yahoo, YfinanceOptions
from app.adapters.data.yfinance import Adapter
from app.core.live import LiveOptions
from app.core.retry import RetryConfig
from app.core.tasks import end
from app.domain.market import Timeframe
from app.ingest.live_feed import LiveFeed
from app.marketdata.batch import BarBatch
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import ProviderSetup
from tests.factories import utc
from tests.markets_live import MINUTE, FastClock, minute
from tests.vendors.loopback import until
from tests.vendors.yahoo import YahooLoopback

OPEN = utc("2024-03-01 14:30")
COUNT = 5
SYMBOLS = ("AAPL", "SPY")
SPEED = 120


@pytest.fixture
def clock() -> FastClock:
    return FastClock(OPEN - MINUTE / 2, SPEED)


@pytest.fixture
async def server(clock: FastClock) -> AsyncIterator[YahooLoopback]:
    async with YahooLoopback(clock) as running:
        for symbol in SYMBOLS:
            running.know(symbol)
        yield running


async def killed(server: YahooLoopback, clock: FastClock) -> None:
    await server.kill()
    await clock.until(OPEN + 3.5 * MINUTE)
    await server.start()


async def stalled(server: YahooLoopback, clock: FastClock) -> None:
    server.stall(times=3)
    await clock.until(OPEN + 3.5 * MINUTE)


async def refusing(server: YahooLoopback, clock: FastClock) -> None:
    server.throttle(times=2, Retry_After="0.2")
    await clock.until(OPEN + 3.5 * MINUTE)


@pytest.mark.parametrize("fault", [killed, stalled, refusing], ids=lambda fault: fault.__name__)
async def test_every_minute_comes_once_whatever_happens_to_the_vendor(
    server: YahooLoopback,
    clock: FastClock,
    fault: Callable[[YahooLoopback, FastClock], Awaitable[None]],
) -> None:
    feed = LiveFeed([yahoo(server, clock)], "live", trading_calendar(), options=fast(), clock=clock)
    given: list[BarBatch] = []

    async def follow() -> None:
        async with aclosing(feed.stream(SYMBOLS, Timeframe.M1, OPEN)) as items:
            async for item in items:
                given.extend([item] if isinstance(item, BarBatch) else [])

    tasks = [asyncio.create_task(follow()), asyncio.create_task(trade(server, clock))]
    try:
        await clock.until(OPEN + 1.5 * MINUTE)
        await fault(server, clock)
        await until(lambda: len(minutes(given)) == COUNT * len(SYMBOLS), seconds=20)
    finally:
        await end(tasks)
        await feed.close()
    wanted = [(symbol, OPEN + i * MINUTE) for symbol in SYMBOLS for i in range(COUNT)]
    assert sorted(minutes(given)) == wanted


async def trade(server: YahooLoopback, clock: FastClock) -> None:
    """A bar of each symbol, every minute, as it ends."""
    for number in range(COUNT):
        await clock.until(OPEN + (number + 1) * MINUTE)
        for symbol in SYMBOLS:
            server.hold(minute(symbol, OPEN + number * MINUTE, number))


def yahoo(server: YahooLoopback, clock: FastClock) -> Adapter:
    options = YfinanceOptions(base_url=server.http, requests_per_minute=6_000, timeout_seconds=0.4)
    return Adapter(ProviderSetup(clock=clock), yahoo=Yahoo(options, retry=RetryConfig(attempts=1)))


def fast() -> LiveOptions:
    return LiveOptions(
        poll_seconds=0.2, first_wait_seconds=0.05, longest_wait_seconds=0.2, grace_seconds=60
    )


def minutes(given: list[BarBatch]) -> list[tuple[str, object]]:
    return [(batch.symbol, bar.start) for batch in given for bar in batch.bars()]
