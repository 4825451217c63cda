"""Bars of stocks beside a flood of option quotes: one connection each, one provider."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import asyncpg
import numpy as np
import pytest

from app.core.clock import to_ns
from app.core.tasks import end
from app.domain.market import Timeframe
from app.ingest.live_feed import LiveFeed
from app.ingest.ticks import TickIngest, TickSettings
from app.marketdata.batch import QUOTE, BarBatch, QuoteBatch
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import Channel, Heartbeat, LiveItem, Subscription
from tests.ingest import test_option_feed
from tests.ingest.test_option_feed import CALL, NOON, PUT, Desk, until, until_stored
from tests.markets_live import MINUTE, minute
from tests.vendors import databento_records as records
from tests.vendors.databento import DatabentoLoopback, raw

pool = test_option_feed.pool
vendor = test_option_feed.vendor
XNYS = trading_calendar("XNYS")
SYMBOLS = ("AAPL",)
FLOOD = 6_000
MOST = 1_000


def both_feeds(desk: Desk) -> LiveFeed:
    """The feed of bars that goes with a desk's feed of options."""

    def prints(source: str, made: tuple[Timeframe, ...]) -> TickIngest:
        settings = TickSettings(timeframes=made)
        return TickIngest(desk.pool, "live", XNYS, source=source, settings=settings)

    return LiveFeed(
        [desk.source],
        "live",
        XNYS,
        options=desk.options,
        prints=prints,
        contracts=desk.feed,
        clock=desk.clock,
        beat_seconds=0.02,
    )


class Bars:
    """Minutes as the feed gives them."""

    def __init__(self, feed: LiveFeed) -> None:
        self.feed = feed
        self.closes: list[float] = []

    async def run(self) -> None:
        async with aclosing(self.feed.stream(SYMBOLS, Timeframe.M1, NOON)) as items:
            async for item in items:
                if isinstance(item, BarBatch):
                    self.closes += item.rows["close"].tolist()


async def test_a_flood_of_option_quotes_is_shed_and_holds_up_no_bar(
    pool: asyncpg.Pool, vendor: DatabentoLoopback
) -> None:
    desk = Desk(pool, most_waiting=MOST)
    bars = Bars(both_feeds(desk))
    reading = asyncio.create_task(bars.run())
    try:
        async with desk.at_work():
            await until(lambda: both_asked(vendor))
            async with pool.acquire() as db, db.transaction():
                await db.execute("LOCK TABLE options_data IN ACCESS EXCLUSIVE MODE")
                at = to_ns(desk.clock.now()) // 10**9 * 10**9
                for number in range(FLOOD):
                    bid = 4.0 + number / FLOOD
                    second = at - (FLOOD - number) * 10**9
                    vendor.publish(records.quote(raw(CALL), bid, bid + 0.1, second))
                for number in range(3):
                    vendor.publish(*stock_minute(number))
                await until(lambda: len(bars.closes) == 3)
                (report,) = desk.feed.report()
                assert report.shed > 0
                assert report.queue <= MOST
            found = await until_stored(desk, CALL, 2)
            (report,) = desk.feed.report()
            await until(lambda: desk.feed.report()[0].queue == 0)
    finally:
        await end([reading])
        await bars.feed.close()
    assert bars.closes == [101.0, 102.0, 103.0]
    assert report.shed + report.stored <= FLOOD
    stored = await desk.stored(CALL)
    assert stored[-1]["bid"] == pytest.approx(4.0 + (FLOOD - 1) / FLOOD, abs=1e-3)
    assert found


async def test_the_feed_of_bars_says_what_the_underlying_costs(
    pool: asyncpg.Pool, vendor: DatabentoLoopback
) -> None:
    desk = Desk(pool)
    bars = Bars(both_feeds(desk))
    reading = asyncio.create_task(bars.run())
    try:
        async with desk.at_work():
            await until(lambda: both_asked(vendor))
            at = to_ns(desk.clock.now())
            vendor.publish(records.quote("AAPL", 219.9, 220.1, at))
            await until(lambda: desk.feed.price("AAPL") == pytest.approx(220.0))
            await desk.quote(vendor, CALL, 4.9, 5.1)
            (row,) = await until_stored(desk, CALL, 1)
            vendor.publish(records.trade("AAPL", 221.0, 100, at))
            await until(lambda: desk.feed.price("AAPL") == pytest.approx(221.0))
            vendor.publish(*stock_minute(0))
            await until(lambda: desk.feed.price("AAPL") == pytest.approx(101.0))
    finally:
        await end([reading])
        await bars.feed.close()
    assert row["underlying_price"] == pytest.approx(220.0)


class Mixed:
    """A provider that sends quotes of options over its connection for stocks."""

    name = "databento"
    channels = frozenset({Channel.QUOTES, Channel.BARS})

    def __init__(self, batch: QuoteBatch) -> None:
        self.batch = batch

    async def live(self, subscription: Subscription) -> AsyncIterator[LiveItem]:
        yield Heartbeat(NOON)
        yield self.batch
        await asyncio.Event().wait()

    async def close(self) -> None: ...


async def test_options_among_the_quotes_of_stocks_go_to_their_own_table(
    pool: asyncpg.Pool, vendor: DatabentoLoopback
) -> None:
    desk = Desk(pool)
    rows = np.zeros(2, dtype=QUOTE)
    at = to_ns(NOON)
    rows[0] = (at, 0, 0, 219.9, 100, 220.1, 100)
    rows[1] = (at, 1, 0, 4.9, 10, 5.1, 10)
    feed = both_feeds(desk)
    feed.links[0].source = Mixed(QuoteBatch(("AAPL", CALL), rows))
    bars = Bars(feed)
    reading = asyncio.create_task(bars.run())
    try:
        async with desk.at_work():
            await until_stored(desk, CALL, 1)
    finally:
        await end([reading])
        await bars.feed.close()
    kept = await pool.fetch("SELECT s.symbol FROM quotes q JOIN stocks s ON s.id = q.stock_id")
    assert [row["symbol"] for row in kept] == ["AAPL"]


def both_asked(vendor: DatabentoLoopback) -> bool:
    """Whether stocks and options are subscribed, each over a connection of its own."""
    asked = [one.symbols for one in vendor.sessions if one.streaming]
    return sorted(asked, key=len) == [{"AAPL"}, {raw(CALL), raw(PUT)}]


def stock_minute(number: int) -> list[records.Event]:
    """A minute bar of AAPL as the gateway shows it."""
    batch = minute("AAPL", NOON + number * MINUTE, number)
    start, _, *values = batch.rows.tolist()[0]
    opened, high, low, close, volume = values[:5]
    return [records.bar("AAPL", "ohlcv-1m", start, (opened, high, low, close, int(volume)))]
