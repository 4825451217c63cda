"""Recovery reads what is there: a checkpoint, the stream without one, windows warm enough."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from app.bootstrap import Parts
from app.domain.events import SessionOpened
from app.domain.market import Timeframe
from app.engine.panels import PanelTape
from app.marketdata.batch import to_datetime
from app.marketdata.calendar import trading_calendar
from app.marketdata.slices import Moment
from app.repositories import fold_check, stocks
from app.repositories.stock_data import StockData
from app.research.market import series_of
from app.runner import recovery
from app.runner.histories import Histories, prefix_of
from app.runner.inbox import Ended, Inbox, Position
from app.strategies.catalog import Catalogue
from app.strategies.rotation import Rotation
from tests.core_process import REPLAY_OVER
from tests.factories import FRIDAY, make_batch, utc
from tests.runner.conftest import trading, until, waves


async def test_an_unreadable_checkpoint_means_reading_the_whole_stream(parts: Parts) -> None:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
    await parts.pool.execute("UPDATE engine_checkpoints SET state = $1", b"x\x9c\x03\0\0\0\0\x01")
    async with trading(parts):
        await until(parts, "SELECT count(*) = 2 FROM reconciliations")
    assert await parts.pool.fetchval("SELECT bool_and(differences = '{}') FROM reconciliations")
    assert await fold_check.differences(parts.pool, 1) == []


async def test_a_window_begins_with_its_block_and_lookback_regular_bars(parts: Parts) -> None:
    bars = StockData(parts.pool, "simulated")
    await stocks.ensure(parts.pool, "AAPL")
    batch = make_batch(waves(390 * 5), first=0)
    await bars.store([batch], "test")
    until_at = to_datetime(int(batch.end[390 * 4 + 99]))
    histories = Histories(bars, trading_calendar())
    strategy = Catalogue().make("sma_cross", {"fast": 500, "slow": 1500})
    await histories.load(strategy, ["AAPL", "NOSUCH"], Timeframe.M1, until_at)
    history = histories(strategy, "AAPL", Timeframe.M1)
    session = trading_calendar().session_at(int(batch.start[390 * 4]))
    assert session is not None
    row = history.advance(batch.bar(390 * 4 + 100), session.day)
    assert row is not None
    closes = batch.rows["close"][: 390 * 4 + 101]
    assert abs(row["slow"] - closes[-1500:].mean()) < 1e-9
    assert await histories.flush(parts.pool) == 2
    names = await parts.pool.fetch("SELECT name FROM indicators ORDER BY name")
    assert [one["name"] for one in names] == [
        f"{prefix_of(strategy)}.{c}" for c in ("fast", "slow")
    ]


async def test_the_window_of_a_panel_begins_with_the_days_that_it_looks_back_on(
    parts: Parts,
) -> None:
    bars = StockData(parts.pool, "simulated")
    calendar = trading_calendar()
    batches = [
        replace(make_batch(waves(390 * 9), first=0), symbol=symbol) for symbol in ("AAPL", "MSFT")
    ]
    batches[1] = batches[1][390 * 2 + 7 :]  # listed on the third day
    for batch in batches:
        await stocks.ensure(parts.pool, batch.symbol)
    await bars.store(batches, "test")
    strategy = Rotation(length=4)
    now = 390 * 8 + 99
    tape = PanelTape(strategy, [series_of(b, calendar) for b in batches], Timeframe.M1, calendar)
    histories = Histories(bars, calendar)
    symbols = ["AAPL", "MSFT", "NOSUCH"]
    await histories.load(strategy, symbols, Timeframe.M1, to_datetime(int(tape.ends[now])))
    history = histories.panel(strategy, symbols[:2], Timeframe.M1)
    session = date.fromordinal(int(tape.session[now + 1]))
    row = history.advance([batches[0].bar(now + 1)], session)
    expected = tape.row(now + 1)
    assert row is not None
    assert expected is not None
    assert row["AAPL"]["momentum"] == expected["AAPL"]["momentum"]
    assert np.isfinite(row["AAPL"]["momentum"])
    assert np.isfinite(row["MSFT"]["momentum"])
    await histories.flush(parts.pool)
    names = await parts.pool.fetch("SELECT DISTINCT name FROM indicators ORDER BY name")
    assert [one["name"] for one in names] == [
        f"{prefix_of(strategy)}.{c}" for c in ("momentum", "rank")
    ]


async def test_bars_that_a_panel_cannot_use_are_not_read(parts: Parts) -> None:
    @dataclass
    class Hourly(Rotation):
        @property
        def lookbacks(self) -> Mapping[str, int]:
            return {"1h": 3}

    histories = Histories(StockData(parts.pool, "simulated"), trading_calendar())
    await histories.load(Hourly(), ["AAPL"], Timeframe.D1, to_datetime(10**18))
    assert histories.panel(Rotation(), ["AAPL"], Timeframe.D1) is not None


async def test_an_inbox_goes_on_after_its_feed_failed() -> None:
    moment = SessionOpened(session=FRIDAY, at=utc("2024-03-01 14:30"))
    opened: list[Position] = []

    async def feed(symbols: tuple[str, ...], position: Position) -> AsyncGenerator[Moment]:
        opened.append(position)
        yield moment
        if len(opened) == 1:
            raise OSError("unplugged")

    inbox = Inbox(feed)
    start = Position(None, None)
    await inbox.follow(("SPY",), start)
    assert await inbox.next() == moment
    assert await inbox.next() == Ended("OSError: unplugged")
    await inbox.again(start)
    inbox.wake()
    found = [await asyncio.wait_for(inbox.next(), 10) for _ in range(3)]
    assert found == [None, moment, Ended()]
    await inbox.stop()


def test_a_difference_shows_the_place_where_the_decision_changed() -> None:
    then = '{"type":"order_approved","quantity":"27","note":"' + "x" * 500 + '"}'
    now = then.replace('"27"', '"28"')
    told = recovery.sentence(35, [then], [now])
    assert "input 35" in told
    assert "another order_approved" in told
    assert '"quantity":"27"' in told
    assert '"quantity":"28"' in told
    assert len(told) < 400


def test_a_decision_that_is_missing_is_told_as_nothing() -> None:
    assert "now …nothing…" in recovery.sentence(1, ['{"type":"target_set"}'], [])
