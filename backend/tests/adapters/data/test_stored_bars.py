"""Files and stored bars as history, and replayed at any speed."""

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from app.adapters.data import csv, replay
from app.core.clock import ManualClock
from app.core.errors import ConfigurationError, InvalidInput, NotFound
from app.domain.market import SliceOpened, Timeframe
from app.marketdata.batch import BarBatch
from app.marketdata.calendar import trading_calendar
from app.marketdata.pacing import Pace
from app.marketdata.ports import Feed, ProviderSetup
from app.marketdata.slices import in_time_order
from tests.factories import SHARED_DATA, make_batch, utc

XNYS = trading_calendar("XNYS")
MINUTES = SHARED_DATA / "equity_minute"
ROW = "2024-03-01T14:{minute}:00Z,10,11,9,10.5,100\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for symbol, minutes in {"SPY": range(30, 40), "IBM": range(31, 40)}.items():
        rows = "".join(ROW.format(minute=minute) for minute in minutes)
        (tmp_path / f"{symbol}.trade.csv").write_text("ts_utc,open,high,low,close,volume\n" + rows)
    (tmp_path / "SPY.quote.csv").write_text("not bars")
    (tmp_path / "README.md").write_text("neither")
    return tmp_path


async def everything(feed: Feed) -> list[SliceOpened | BarBatch]:
    return [item async for item in feed]


async def test_a_replay_shows_first_prints_then_bars_in_the_order_of_time(folder: Path) -> None:
    adapter = replay.Adapter(ProviderSetup(path=folder))
    items = await everything(adapter.stream(["SPY", "IBM"], Timeframe.M1))
    assert [type(item).__name__ for item in items[:5]] == [
        "SliceOpened",
        "BarBatch",
        "SliceOpened",
        "BarBatch",
        "BarBatch",
    ]
    assert items[2].opens == {"IBM": 10, "SPY": 10}
    assert sum(isinstance(item, BarBatch) for item in items) == 19
    await adapter.close()


async def test_a_replay_resumes_after_an_end(folder: Path) -> None:
    adapter = replay.Adapter(ProviderSetup(path=folder))
    after = utc("2024-03-01 14:38")
    items = await everything(adapter.stream(["SPY"], Timeframe.M1, after))
    assert [i.bar(0).end for i in items if isinstance(i, BarBatch)] == [
        utc("2024-03-01 14:39"),
        utc("2024-03-01 14:40"),
    ]


async def test_files_are_aggregated_when_longer_bars_are_wanted(folder: Path) -> None:
    adapter = csv.Adapter(ProviderSetup(path=folder, speed=1))
    items = await everything(adapter.stream(["SPY"], Timeframe.M5))
    assert [len(item) for item in items if isinstance(item, BarBatch)] == [1, 1]
    start = utc("2024-03-01 14:35")
    history = await adapter.history("IBM", Timeframe.M5, start, utc("2024-03-02"))
    assert [bar.start for bar in history.bars()] == [start]
    await adapter.close()


async def test_stored_bars_are_replayed_through_a_reader() -> None:
    class Stored:
        async def bars(
            self, symbol: str, timeframe: Timeframe, start: datetime | None, end: datetime | None
        ) -> BarBatch:
            return make_batch([1, 2, 3], symbol=symbol, timeframe=timeframe)

    adapter = replay.Adapter(ProviderSetup(reader=Stored()))
    assert len(await everything(adapter.stream(["SPY", "IBM"], Timeframe.M1))) == 9
    assert (
        len(await adapter.history("SPY", Timeframe.M1, utc("2024-01-01"), utc("2025-01-01"))) == 3
    )


async def test_wrong_symbols_and_shorter_bars_are_explained(folder: Path) -> None:
    adapter = replay.Adapter(ProviderSetup(path=folder))
    with pytest.raises(NotFound, match="Did you mean SPY"):
        await everything(adapter.stream(["SPX"], Timeframe.M1))
    with pytest.raises(NotFound, match="are of 1m, not 1s"):
        await everything(adapter.stream(["SPY"], Timeframe.S1))


def test_a_replay_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nothing to replay"):
        replay.Adapter(ProviderSetup())
    with pytest.raises(InvalidInput, match="no bars in"):
        replay.Adapter(ProviderSetup(path=tmp_path))
    with pytest.raises(InvalidInput, match="no file or folder"):
        replay.Adapter(ProviderSetup(path=tmp_path / "nowhere"))


async def test_a_paced_replay_can_be_cancelled(folder: Path) -> None:
    adapter = replay.Adapter(ProviderSetup(path=folder, speed=0.001))
    first = asyncio.Event()

    async def watch() -> None:
        async for _ in adapter.stream(["SPY"], Timeframe.M1):
            first.set()

    task = asyncio.create_task(watch())
    await first.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_market_time_passes_at_its_speed_and_closed_hours_at_once() -> None:
    pace, clock = Pace(60, XNYS), ManualClock(utc("2030-01-01"))
    waits = []
    for item in in_time_order([make_batch([1] * 392)], XNYS):
        waits.append(pace.wait(item, clock.monotonic()))
        clock.move_to(
            datetime.fromtimestamp(clock.now().timestamp() + waits[-1], utc("2000-01-01").tzinfo)
        )
    assert waits[:3] == [0, 1, 0]
    assert sum(waits) == pytest.approx(392)
    assert waits[2 * 390] == 0


def test_a_slow_consumer_is_not_held_back() -> None:
    pace = Pace(60, XNYS)
    items = list(in_time_order([make_batch([1, 1])], XNYS))
    assert [pace.wait(item, now) for item, now in zip(items, (0, 5, 5, 5), strict=True)] == [0] * 4
    assert [Pace(None, XNYS).wait(item, 0) for item in items] == [0] * 4


@pytest.mark.skipif(not MINUTES.is_dir(), reason="the shared market data is not here")
async def test_real_minutes_are_replayed_whole() -> None:
    adapter = replay.Adapter(ProviderSetup(path=MINUTES))
    items = await everything(adapter.stream(["SPY", "IBM"], Timeframe.M1))
    rows = [item.symbol for item in items if isinstance(item, BarBatch)]
    assert (rows.count("SPY"), rows.count("IBM")) == (4839, 2566)
