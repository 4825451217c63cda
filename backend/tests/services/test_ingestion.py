"""From a provider to the engine on a real PostgreSQL: checked, stored, told, in this order."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import asyncpg
import pytest

from app.core.clock import ManualClock
from app.domain.events import SessionClosed, SessionOpened, SliceClosed
from app.domain.market import SliceOpened, Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BarBatch, concatenate, to_ns
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import Feed
from app.marketdata.slices import Moment, Slicer, in_time_order
from app.repositories import quarantine
from app.repositories.stock_data import StockData
from app.services.ingestion import Ingestion
from tests.factories import FRIDAY, make_batch, utc

XNYS = trading_calendar("XNYS")


class Recorded:
    """A provider that shows what it was given, bar by bar, and fails at the end if told to."""

    name = "recorded"

    def __init__(self, *batches: BarBatch, error: Exception | None = None) -> None:
        self.batches = batches
        self.error = error
        self.is_closed = False

    async def stream(
        self, symbols: Sequence[str], timeframe: Timeframe, after: datetime | None = None
    ) -> Feed:
        begin = to_ns(after) if after else 0
        chosen = [b[b.end > begin] for b in self.batches if b.symbol in symbols]
        try:
            for item in in_time_order(chosen, XNYS):
                yield item
            if self.error:
                raise self.error
        finally:
            self.is_closed = True


class Board:
    """A publisher that keeps what it was told."""

    def __init__(self) -> None:
        self.seen: list[BarBatch] = []

    def offer(self, dataset: str, bars: Sequence[BarBatch]) -> None:
        self.seen += bars


def prices(count: int) -> list[float]:
    return [100 + i % 7 for i in range(count)]


def ingestion(pool: asyncpg.Pool, provider: Recorded, **options: object) -> Ingestion:
    return Ingestion(provider, StockData(pool, "simulated"), pool, XNYS, **options)


async def everything(feed: AsyncIterator[Moment]) -> list[Moment]:
    return [moment async for moment in feed]


async def test_the_feed_gives_what_the_slicer_makes(pool: asyncpg.Pool) -> None:
    batches = [make_batch(prices(399), symbol=s) for s in ("AAPL", "SPY")]
    longer = [Timeframe.M5, Timeframe.D1]
    feed = ingestion(pool, Recorded(*batches)).feed(["SPY", "AAPL"], Timeframe.M1, longer)
    slicer = Slicer(["AAPL", "SPY"], Timeframe.M1, XNYS, timeframes=longer)
    expected = [m for item in in_time_order(batches, XNYS) for m in slicer.push(item)]
    assert await everything(feed) == expected


async def test_bars_are_durable_before_their_slice_is_seen(pool: asyncpg.Pool) -> None:
    provider = Recorded(make_batch(prices(699)))
    async for moment in ingestion(pool, provider).feed(["AAPL"], Timeframe.M1):
        if isinstance(moment, SliceClosed):
            newest = await pool.fetchval('SELECT max("end") FROM stock_data')
            assert newest >= moment.end


async def test_daily_bars_are_stored_at_the_close_but_not_traded(pool: asyncpg.Pool) -> None:
    batch = make_batch(prices(399))
    feed = ingestion(pool, Recorded(batch)).feed(["AAPL"], Timeframe.M1)
    slices = [m for m in await everything(feed) if isinstance(m, SliceClosed)]
    assert all(len(s.bars) == 1 for s in slices)
    days = await StockData(pool, "simulated").bars("AAPL", Timeframe.D1)
    assert days.bars() == aggregate(batch, Timeframe.D1, XNYS).bars()


@pytest.mark.parametrize("stop", ["2024-03-01 14:33", "2024-03-01 21:00", "2024-03-04 14:31"])
async def test_a_restart_goes_on_exactly(pool: asyncpg.Pool, stop: str) -> None:
    provider = Recorded(make_batch(prices(399)))
    longer = [Timeframe.M5, Timeframe.H1]
    whole = await everything(ingestion(pool, provider).feed(["AAPL"], Timeframe.M1, longer))
    await pool.execute('DELETE FROM stock_data WHERE "end" > $1', utc(stop))
    ends = [m.end if isinstance(m, SliceClosed) else None for m in whole]
    cut = ends.index(utc(stop)) + 1
    opened = [m.session for m in whole[:cut] if isinstance(m, SessionOpened)]
    closed = [m.session for m in whole[:cut] if isinstance(m, SessionClosed)]
    resumed = ingestion(pool, provider).feed(
        ["AAPL"],
        Timeframe.M1,
        longer,
        after=utc(stop),
        open_session=opened[-1] if len(opened) > len(closed) else None,
    )
    assert await everything(resumed) == whole[cut:]
    assert await pool.fetchval("SELECT count(*) FROM stock_data WHERE timeframe = '1m'") == 399


async def test_bad_bars_are_quarantined_and_never_seen(pool: asyncpg.Pool) -> None:
    batch = make_batch([100.0] * 30)
    batch.rows["high"][20] = 1000
    batch.rows["volume"][25] = -1
    feeding = ingestion(pool, Recorded(batch))
    slices = await everything(feeding.feed(["AAPL"], Timeframe.M1))
    assert sum(isinstance(m, SliceClosed) for m in slices) == 28
    assert feeding.statistics.quarantined == 2
    assert await quarantine.counts(pool, "simulated") == {"jump": 1, "negative_volume": 1}


async def test_a_bar_from_the_future_is_refused_where_a_clock_is_given(pool: asyncpg.Pool) -> None:
    clock = ManualClock(utc("2024-03-01 14:32"))
    feeding = ingestion(pool, Recorded(make_batch([1, 1, 1])), clock=clock)
    await everything(feeding.feed(["AAPL"], Timeframe.M1))
    assert (feeding.statistics.bars, feeding.statistics.stored) == (3, 2)
    assert feeding.statistics.newest_end == utc("2024-03-01 14:32")


async def test_the_publisher_is_told_what_was_stored(pool: asyncpg.Pool) -> None:
    board = Board()
    batch = make_batch([1, 2, 3])
    feed = ingestion(pool, Recorded(batch), publisher=board).feed(["AAPL"], Timeframe.M1)
    await everything(feed)
    assert concatenate(board.seen).bars() == batch.bars()


async def test_an_error_of_the_provider_comes_after_what_it_gave(pool: asyncpg.Pool) -> None:
    provider = Recorded(make_batch([1, 2]), error=ConnectionError("gone"))
    feed = ingestion(pool, provider).feed(["AAPL"], Timeframe.M1)
    seen = [await anext(feed) for _ in range(5)]
    assert [type(m).__name__ for m in seen[1:]] == ["SliceOpened", "SliceClosed"] * 2
    with pytest.raises(ConnectionError, match="gone"):
        await anext(feed)


async def test_an_order_never_meets_an_unbelievable_first_print(pool: asyncpg.Pool) -> None:
    batch = make_batch(prices(30))
    for name in ("open", "high"):
        batch.rows[name][20] = 5000
    moments = await everything(ingestion(pool, Recorded(batch)).feed(["AAPL"], Timeframe.M1))
    opened = [m for m in moments if isinstance(m, SliceOpened)]
    assert len(opened) == 29
    assert max(m.opens["AAPL"] for m in opened) < 110


async def test_a_feed_that_is_closed_closes_its_provider(pool: asyncpg.Pool) -> None:
    provider = Recorded(make_batch(prices(2999)))
    feed = ingestion(pool, provider).feed(["AAPL"], Timeframe.M1)
    assert isinstance(await anext(feed), SessionOpened)
    await feed.aclose()
    assert provider.is_closed


async def test_daily_bars_can_be_the_base(pool: asyncpg.Pool) -> None:
    provider = Recorded(make_batch([1, 2], timeframe=Timeframe.D1, day=FRIDAY))
    feed = ingestion(pool, provider).feed(["AAPL"], Timeframe.D1)
    kinds = [type(m).__name__ for m in await everything(feed)]
    assert kinds == ["SessionOpened", "SliceOpened", "SliceClosed", "SessionClosed"] * 2
