"""Which minutes are made again for late prints, and which are left as they are."""

from collections.abc import AsyncIterator

import numpy as np
import pytest

from app.core.clock import ManualClock
from app.db.session import opened_pool
from app.domain.market import Timeframe
from app.ingest.late_bars import WAITS, LateBars
from app.ingest.ticks import TickIngest, TickSettings
from app.marketdata.calendar import trading_calendar
from app.marketdata.tick_bars import LateBar
from tests.factories import make_batch, utc
from tests.ticks import make_ticks

XNYS = trading_calendar("XNYS")
BAR = make_batch([100.0], volume=100)
START, END = BAR.rows[["start", "end"]].tolist()[0]


@pytest.fixture
async def prints(database_url: str) -> AsyncIterator[TickIngest]:
    async with opened_pool(database_url) as pool:
        ingest = TickIngest(pool, "live", XNYS, source="feed", settings=TickSettings(timeframes=()))
        yield ingest
        await ingest.close()


def late(volume: float) -> list[LateBar]:
    return [LateBar("AAPL", Timeframe.M1, START, END, 1, volume)]


class Desk:
    def __init__(self) -> None:
        self.clock = ManualClock(utc("2024-03-01 14:31:05"))
        self.bars = LateBars("feed", self.clock)
        self.bars.made(BAR)
        self.stands = True

    async def after(self, prints: TickIngest, seconds: float) -> list[float]:
        """Volumes of what is made again so much later."""
        self.clock.move_to(self.clock.now() + np.timedelta64(int(seconds), "s").item())
        assert self.bars.is_due
        found = await self.bars.remade(prints, lambda symbol, start: self.stands)
        return [volume for batch in found for volume in batch.rows["volume"].tolist()]


async def test_late_prints_of_a_minute_are_counted_together(prints: TickIngest) -> None:
    await prints.take(make_ticks([(1, 100.0), (2, 101.0), (3, 99.0)]))
    await prints.drain()
    total = float(make_ticks([(1, 1.0), (2, 1.0), (3, 1.0)]).rows["size"].sum())
    desk = Desk()
    desk.bars.note(late((total - 100) / 2))
    desk.bars.note(late((total - 100) / 2))
    assert await desk.after(prints, WAITS[0]) == [total]
    assert not desk.bars.is_due
    assert desk.bars.corrected == 1


async def test_a_minute_whose_prints_are_not_all_there_stays(prints: TickIngest) -> None:
    await prints.take(make_ticks([(1, 100.0)]))
    await prints.drain()
    desk = Desk()
    desk.bars.note(late(1_000_000))
    for seconds in WAITS:
        assert await desk.after(prints, seconds) == []
    assert not desk.bars.is_due
    assert (desk.bars.corrected, desk.bars.left) == (0, 1)


async def test_a_minute_that_is_not_ours_any_more_is_left_alone(prints: TickIngest) -> None:
    desk = Desk()
    desk.bars.note(late(5))
    desk.stands = False
    assert await desk.after(prints, WAITS[0]) == []
    assert not desk.bars.is_due
    desk.stands = True
    desk.bars.replaced("AAPL", BAR.start)
    desk.bars.note(late(5))
    assert not desk.bars.is_due


async def test_a_database_that_is_away_is_asked_again(database_url: str) -> None:
    async with opened_pool(database_url) as pool:
        ingest = TickIngest(pool, "live", XNYS, source="feed", settings=TickSettings())
        desk = Desk()
        desk.bars.note(late(5))
        await pool.close()
        assert await desk.after(ingest, WAITS[0]) == []
        desk.clock.move_to(utc("2024-03-01 14:33:00"))
        assert desk.bars.is_due


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.ingest.late_bars.REMEMBERED", 2)
    bars = LateBars("feed", ManualClock(utc("2024-03-01 14:31:05")))
    bars.made(make_batch([100.0] * 3))
    bars.note(late(5))
    assert not bars._due


async def test_a_second_account_on_the_data_set_misses_no_print_that_the_first_has_stored(
    database_url: str,
) -> None:
    batch = make_ticks([(1, 100.0), (2, 101.0)])
    clock = ManualClock(utc("2024-03-01 14:30"))
    async with opened_pool(database_url) as pool:
        one, other = (TickIngest(pool, "live", XNYS, source="feed", clock=clock) for _ in range(2))
        await one.take(batch)
        await one.drain()
        taken = await other.take(batch)
        bars = [*taken.bars, *other.advance(END + 3 * 10**9).bars]
        await one.close()
        await other.close()
        stored = await pool.fetchval("SELECT count(*) FROM ticks")
    assert [bar.rows["volume"].tolist() for bar in bars] == [[200.0]]
    assert stored == 2
