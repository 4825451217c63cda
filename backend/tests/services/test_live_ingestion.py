"""Live bars that come late, again, or while the database is away; fast clocks, real PostgreSQL."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from app.core.clock import ManualClock
from app.core.tasks import end
from app.db import home as home_folder
from app.db import migrations
from app.db.embedded import EmbeddedPostgres, started
from app.db.session import opened_pool
from app.domain.events import BarLate, BarsCorrected, FeedConnected, SliceClosed
from app.domain.market import Timeframe
from app.domain.ports import Entry
from app.ingest.sequence import Item, Sequencer, SourcedBars
from app.marketdata.batch import BarBatch, to_datetime
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import Feed
from app.marketdata.slices import Moment
from app.repositories import revisions
from app.repositories.journal import SharedJournal
from app.repositories.stock_data import Policy, StockData
from app.services.ingestion import Ingestion
from tests.factories import make_batch, utc

XNYS = trading_calendar("XNYS")
OPEN = utc("2024-03-01 14:30")
STREAM = "account:1"


class Script:
    """A live feed that gives what it is handed, while the clock stands where it is put."""

    name = "live"

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._queue: asyncio.Queue[list[Item]] = asyncio.Queue()
        self._sequencer = Sequencer(("AAPL",), Timeframe.M1, XNYS, after=OPEN)

    async def stream(
        self, symbols: Sequence[str], timeframe: Timeframe, after: datetime | None = None
    ) -> Feed:
        while True:
            for item in await self._queue.get():
                yield item

    async def close(self) -> None: ...

    def bars(self, batch: BarBatch, at: str, source: str = "alpaca") -> None:
        """A vendor's bars arrive at `at`."""
        self._clock.move_to(utc(at))
        self._queue.put_nowait(self._sequencer.bars(batch, source))

    def raw(self, *items: Item) -> None:
        self._queue.put_nowait(list(items))


class Desk:
    """Ingestion at work on a script."""

    def __init__(self, pool: asyncpg.Pool, at: str = "2024-03-01 14:30:30") -> None:
        self.clock = ManualClock(utc(at))
        self.script = Script(self.clock)
        self.bars = StockData(pool, "live")
        untold = partial(revisions.untold, pool, STREAM, "live", ["AAPL"])
        self.ingestion = Ingestion(
            self.script, self.bars, pool, XNYS, clock=self.clock, untold=untold
        )
        self.moments: list[Moment] = []

    async def run(self, after: datetime = OPEN) -> None:
        async with aclosing(self.ingestion.feed(["AAPL"], Timeframe.M1, after=after)) as feed:
            async for moment in feed:
                self.moments.append(moment)

    async def until(self, count: int, kind: type[Moment] = SliceClosed) -> list[Moment]:
        """Once so many moments of a kind have come, those."""
        async with asyncio.timeout(30):
            while len(found := self.of(kind)) < count:  # noqa: ASYNC110 - lists set no event
                await asyncio.sleep(0.01)
        return found

    def of(self, kind: type[Moment]) -> list[Moment]:
        return [moment for moment in self.moments if isinstance(moment, kind)]


@pytest.fixture
async def desk(pool: asyncpg.Pool) -> AsyncIterator[Desk]:
    made = Desk(pool)
    running = asyncio.create_task(made.run())
    yield made
    await end([running])


def bar(number: int, close: float = 100.0) -> BarBatch:
    return make_batch([close], first=number)


async def test_what_comes_long_after_its_end_only_warms_up(desk: Desk) -> None:
    desk.script.bars(make_batch([100.0] * 10), "2024-03-01 14:40:01")
    slices = await desk.until(9)
    warm = [one.warm_up for one in slices if isinstance(one, SliceClosed)]
    assert warm[:8] == [True] * 8
    desk.script.bars(bar(10), "2024-03-01 14:41:01")
    last = (await desk.until(11))[-1]
    assert isinstance(last, SliceClosed)
    assert not last.warm_up


async def test_bars_know_who_gave_them(desk: Desk, pool: asyncpg.Pool) -> None:
    desk.script.bars(bar(0), "2024-03-01 14:31:01", "alpaca")
    desk.script.bars(bar(1), "2024-03-01 14:32:01", "twelve_data")
    await desk.until(2)
    rows = await pool.fetch("SELECT source FROM stock_data ORDER BY start")
    assert [row["source"] for row in rows] == ["alpaca", "twelve_data"]


async def test_a_bar_that_comes_after_its_slice_is_stored_and_told_never_traded(
    desk: Desk,
) -> None:
    desk.script.bars(bar(0), "2024-03-01 14:31:01")
    desk.script.bars(bar(2), "2024-03-01 14:33:01")
    await desk.until(2)
    desk.script.bars(bar(1, 105.0), "2024-03-01 14:33:20")
    (late,) = await desk.until(1, BarLate)
    assert isinstance(late, BarLate)
    assert late.bar.close == 105.0
    assert (await desk.bars.stored("AAPL", Timeframe.M1)).rows["close"].tolist()[1] == 105.0
    assert [one.end.minute for one in desk.of(SliceClosed)] == [31, 33]  # type: ignore[union-attr]  # slices only
    assert desk.ingestion.statistics.late == 1


async def test_a_correction_replaces_keeps_the_old_row_and_is_told_at_the_next_open(
    desk: Desk, pool: asyncpg.Pool
) -> None:
    desk.script.bars(bar(0), "2024-03-01 14:31:01")
    desk.script.bars(bar(1), "2024-03-01 14:32:01")
    await desk.until(2)
    desk.script.bars(bar(0, 101.5), "2024-03-01 14:32:30")
    desk.script.bars(bar(2), "2024-03-01 14:33:01")
    await desk.until(3)
    assert desk.of(BarsCorrected) == desk.of(BarLate) == []
    closes = (await desk.bars.stored("AAPL", Timeframe.M1)).rows["close"].tolist()
    assert closes == [101.5, 100.0, 100.0]
    kept = await pool.fetchrow("SELECT close, reason FROM stock_data_revisions")
    assert (kept["close"], kept["reason"]) == (100.0, "replaced by alpaca")
    desk.script.bars(bar(390), "2024-03-04 14:31:01")
    (told,) = await desk.until(1, BarsCorrected)
    assert isinstance(told, BarsCorrected)
    assert (told.start, told.bars, told.source) == (OPEN, 1, "alpaca")
    assert told.at == utc("2024-03-04 14:30")
    await desk.until(4)
    kinds = [type(moment).__name__ for moment in desk.moments]
    assert kinds[-4:] == ["BarsCorrected", "SessionOpened", "SliceOpened", "SliceClosed"]


async def corrected(pool: asyncpg.Pool) -> None:
    """A process stored a correction, and was gone before the next session."""
    bars = StockData(pool, "live")
    await bars.store([make_batch([100.0, 100.0])], "alpaca")
    await bars.store([make_batch([101.5])], "alpaca", Policy.CORRECT)


async def opened_next_day(desk: Desk) -> list[Moment]:
    desk.script.bars(bar(390), "2024-03-04 14:31:01")
    await desk.until(1)
    return desk.of(BarsCorrected)


async def test_a_correction_that_nobody_lived_to_tell_is_told_after_a_restart(
    desk: Desk, pool: asyncpg.Pool
) -> None:
    await corrected(pool)
    (told,) = await opened_next_day(desk)
    assert isinstance(told, BarsCorrected)
    assert (told.symbol, told.start, told.bars) == ("AAPL", OPEN, 1)


async def test_a_correction_that_was_journaled_is_not_told_again(
    desk: Desk, pool: asyncpg.Pool
) -> None:
    journal = SharedJournal(pool, b"k" * 32, STREAM)
    await journal.append([Entry(FeedConnected(feed="alpaca", at=OPEN))])
    await corrected(pool)
    told = await revisions.untold(pool, STREAM, "live", ["AAPL"])
    await journal.append([Entry(one) for one in told])
    assert len(told) == 1
    assert await opened_next_day(desk) == []
    other = await revisions.untold(pool, "account:2", "live", ["AAPL"])
    assert other == told  # each account hears of it


async def test_a_second_correction_of_a_bar_is_told_again(pool: asyncpg.Pool) -> None:
    journal = SharedJournal(pool, b"k" * 32, STREAM)
    await journal.append([Entry(FeedConnected(feed="alpaca", at=OPEN))])
    await corrected(pool)
    first = await revisions.untold(pool, STREAM, "live", ["AAPL"])
    await journal.append([Entry(one) for one in first])
    await StockData(pool, "live").store([make_batch([102.5])], "alpaca", Policy.CORRECT)
    assert len(await revisions.untold(pool, STREAM, "live", ["AAPL"])) == 1
    assert await revisions.untold(pool, STREAM, "live", ["SPY"]) == []


async def test_a_repetition_that_is_stored_already_says_nothing(desk: Desk) -> None:
    desk.script.bars(bar(0), "2024-03-01 14:31:01")
    desk.script.bars(bar(1), "2024-03-01 14:32:01")
    await desk.until(2)
    again = bar(0)
    desk.script.raw(SourcedBars(again.symbol, again.timeframe, again.rows, "alpaca"))
    desk.script.bars(bar(2), "2024-03-01 14:33:01")
    await desk.until(3)
    assert desk.of(BarLate) == desk.of(BarsCorrected) == []
    assert desk.ingestion.statistics.corrected == 0


async def test_a_late_bar_that_cannot_be_is_quarantined(desk: Desk, pool: asyncpg.Pool) -> None:
    desk.script.bars(bar(0), "2024-03-01 14:31:01")
    desk.script.bars(bar(2), "2024-03-01 14:33:01")
    await desk.until(2)
    wrong = bar(1)
    wrong.rows["low"] = -1.0
    desk.script.bars(wrong, "2024-03-01 14:33:20")
    desk.script.bars(bar(3), "2024-03-01 14:34:01")
    await desk.until(3)
    assert await pool.fetchval("SELECT count(*) FROM quarantine") == 1
    assert not desk.of(BarLate)


# ----------------------------------------------------------------------- a database that dies


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    home = tmp_path / "home"
    home_folder.prepare(home)
    settings = {"shared_buffers": "8MB", "max_connections": "20", "fsync": "off"}
    with started(EmbeddedPostgres(home, settings=settings)) as postgres:
        migrations.upgrade(postgres.url)
        yield postgres


async def test_a_database_that_is_killed_under_load_loses_no_bar(
    server: EmbeddedPostgres,
) -> None:
    count = 300
    batch = make_batch([100 + i % 7 for i in range(count)])
    async with opened_pool(server.url) as pool:
        desk = Desk(pool, "2024-03-01 20:59:00")
        running = asyncio.create_task(desk.run())
        try:
            for number in range(count):
                desk.script.raw(
                    SourcedBars("AAPL", Timeframe.M1, batch.rows[number : number + 1], "alpaca")
                )
                await asyncio.sleep(0)
                if number == count // 3:
                    await desk.until(10)
                    assert server.process is not None
                    server.process.send_signal(signal.SIGKILL)
                    await asyncio.to_thread(server.process.wait)
                if number == count // 2:
                    await asyncio.to_thread(server.start)
            await desk.until(count - 1)
            stored = await desk.bars.stored("AAPL", Timeframe.M1)
        finally:
            await end([running])
    assert stored.start.tolist() == batch.start.tolist()
    ends = [one.end for one in desk.of(SliceClosed) if isinstance(one, SliceClosed)]
    assert ends == [to_datetime(end) for end in batch.end.tolist()][: len(ends)]
