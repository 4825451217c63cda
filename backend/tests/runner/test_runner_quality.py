"""Beside the trading: gaps are asked about, series judged, targets watched, alerts raised."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from app.bootstrap import Parts
from app.core.clock import ManualClock, now, to_ns
from app.core.errors import TransientError
from app.core.quality import QualityOptions
from app.core.tasks import end
from app.ingest.link import LinkReport, LinkState
from app.marketdata.calendar import trading_calendar
from app.repositories import accounts, alerts, data_gaps, metrics
from app.repositories.accounts import Account, AccountSettings
from app.repositories.journal import SharedJournal
from app.repositories.stock_data import StockData
from app.runner import quality
from app.runner.quality import Backfill, QualityKeeper, live_figures
from app.services.ingestion import Statistics
from tests import waiting
from tests.core_process import SECRET
from tests.factories import make_batch, utc
from tests.providers import Shelf
from tests.runner.conftest import CASH, trading
from tests.vendors.twelve_data import TwelveDataLoopback

OPTIONS = QualityOptions(backfill_pause_seconds=0, alert_after_seconds=30)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(utc("2024-03-01 22:00"))


@pytest.fixture
def keeper(pool: asyncpg.Pool, clock: ManualClock) -> QualityKeeper:
    return QualityKeeper(pool, SharedJournal(pool, SECRET.encode()), OPTIONS, clock)


async def live_account(pool: asyncpg.Pool, *feeds: str) -> Account:
    settings = AccountSettings(feeds=feeds or ("first", "second"), symbols=("AAPL",))
    async with pool.acquire() as db, db.transaction():
        account_id = await accounts.add(
            db, name="Live", dataset="live", cash=CASH, settings=settings
        )
    return await accounts.get(pool, account_id)


async def events(pool: asyncpg.Pool, name: str) -> list[str]:
    rows = await pool.fetch(
        "SELECT payload FROM trading_events WHERE event_type = $1 ORDER BY seq", name
    )
    return [row["payload"] for row in rows]


async def test_a_hole_in_the_feed_is_journaled_and_filled_from_the_next_provider(
    pool: asyncpg.Pool, clock: ManualClock, keeper: QualityKeeper
) -> None:
    account = await live_account(pool)
    await StockData(pool, "live").store([make_batch([10.0] * 390, skip=range(90, 95))], "first")
    await StockData(pool, "import:x").store([make_batch([10.0] * 390, skip=[5])], "file")
    assert await keeper.judge() == 2
    (payload,) = await events(pool, "data_gap_detected")
    assert '"start":"2024-03-01T16:00:00Z"' in payload, "the imported one is no news"
    first, second = Shelf("first"), Shelf("second", make_batch([10.0] * 390))
    backfill = Backfill(pool, account, [first, second], OPTIONS, clock)
    assert await backfill.round() == 1
    assert await backfill.round() == 0
    rows = (await data_gaps.listing(pool)(10, None)).items
    states = {row["dataset"]: (row["state"], row["detail"]) for row in rows}
    assert states == {
        "live": ("repaired", "Fetched from second."),
        "import:x": ("unexplained", ""),
    }
    assert await keeper.judge() == 1
    assert len(await events(pool, "data_gap_detected")) == 1
    assert await keeper.judge() == 0


async def test_fresh_gaps_are_left_to_the_feed_and_switched_off_is_off(
    pool: asyncpg.Pool, keeper: QualityKeeper
) -> None:
    account = await live_account(pool)
    await StockData(pool, "live").store([make_batch([10.0] * 390, skip=[388])], "first")
    await keeper.judge()
    shelf = Shelf("first", make_batch([10.0] * 390))
    soon = ManualClock(utc("2024-03-01 21:05"))
    assert await Backfill(pool, account, [shelf], OPTIONS, soon).round() == 0
    off = QualityOptions(backfill_gaps=0)
    late = ManualClock(utc("2024-03-01 22:00"))
    assert await Backfill(pool, account, [shelf], off, late).round() == 0
    assert await Backfill(pool, account, [shelf], OPTIONS, late).round() == 1


async def test_a_long_series_is_looked_at_where_it_ends(
    pool: asyncpg.Pool, keeper: QualityKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.runner.quality.LONG", 300)
    bars = StockData(pool, "live")
    await bars.store([make_batch([10.0] * 390, skip=[5])], "first")
    await keeper.judge()
    await bars.store([make_batch([10.0] * 200, first=390, skip=[450])], "first")
    checked = await pool.fetchval("SELECT checked_bars FROM bar_series")
    await keeper.judge()
    assert await pool.fetchval("SELECT checked_bars FROM bar_series") == checked
    rows = (await data_gaps.listing(pool)(10, None)).items
    assert [row["start"] for row in rows] == [utc("2024-03-04 15:30"), utc("2024-03-01 14:35")]


async def test_a_missed_target_raises_an_alert_that_clears_itself(
    pool: asyncpg.Pool, clock: ManualClock, keeper: QualityKeeper
) -> None:
    async def late(seconds: float) -> dict[str, str]:
        await metrics.note(pool, "account:1", {"live_lag_seconds": seconds}, clock.now())
        return {one.name: one.state for one in await keeper.watch()}

    assert (await late(9))["freshness"] == "missed"
    assert await pool.fetchval("SELECT count(*) FROM alerts") == 0, "a moment is no alert"
    clock.move_to(clock.now() + timedelta(seconds=31))
    await late(9)
    await late(11)
    alert = await pool.fetchrow("SELECT key, title, detail, occurrences, resolved_at FROM alerts")
    assert (alert["key"], alert["occurrences"]) == ("target:freshness", 2)
    assert alert["title"] == "Target missed: From the end of a live bar to its arrival"
    clock.move_to(clock.now() + timedelta(seconds=10))
    assert (await late(1))["freshness"] == "met"
    assert await pool.fetchval("SELECT resolved_by FROM alerts") == "system"
    assert len(await events(pool, "alert_raised")) == len(await events(pool, "alert_resolved")) == 1
    async with pool.acquire() as db, db.transaction():
        journal = SharedJournal(pool, SECRET.encode())
        assert not await alerts.clear(db, journal, "target:freshness", clock.now())


def test_what_an_account_notes_of_its_feed() -> None:
    up = LinkReport(
        provider="a", place=0, state=LinkState.UP, rows=900, refused=2, lag_seconds=1.5,
        write_ms_p95=8.0,
    )  # fmt: skip
    down = LinkReport(provider="b", place=1, state=LinkState.DOWN, lag_seconds=99.0)
    statistics = Statistics(bars=98, quarantined=1)
    statistics.write_ms.extend(range(1, 101))
    assert live_figures([up, down], statistics) == {
        "live_rows_total": 1_000,
        "live_rows_refused_total": 3,
        "live_lag_seconds": 1.5,
        "live_write_ms_p95": 96,
    }
    assert live_figures([down], None) == {"live_rows_total": 0, "live_rows_refused_total": 0}


# -------------------------------------------------------------------------------- at work


async def until(pool: asyncpg.Pool, query: str) -> None:
    """Wait until the query answers true."""
    await waiting.until(lambda: pool.fetchval(query), 30)


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(quality, "POLL_SECONDS", 0.05)


@pytest.mark.usefixtures("_soon")
async def test_both_go_on_for_ever_whatever_breaks(
    pool: asyncpg.Pool, clock: ManualClock, keeper: QualityKeeper
) -> None:
    account = await live_account(pool)
    await StockData(pool, "live").store([make_batch([10.0] * 390, skip=[90])], "first")
    shelf = Shelf("first", make_batch([10.0] * 390))
    wrong = iter([ZeroDivisionError("an adapter's own fault")])

    def fail_once() -> TransientError:
        for error in wrong:
            raise error
        shelf.fails = None
        return TransientError("away", api_name="first")

    shelf.fails = fail_once
    backfill = Backfill(pool, account, [shelf], OPTIONS, clock)
    at_work = [asyncio.create_task(one.run()) for one in (backfill, keeper)]
    try:
        await until(pool, "SELECT asked_at IS NOT NULL FROM data_gaps")
        await data_gaps.ask_again(pool, "live")
        await until(pool, 'SELECT evidence @> \'[{"answer": "failed"}]\' FROM data_gaps')
        await data_gaps.ask_again(pool, "live")
        await until(pool, "SELECT state = 'repaired' FROM data_gaps")
        assert not any(task.done() for task in at_work)
    finally:
        await end(at_work)


@pytest.mark.usefixtures("_soon")
async def test_the_trading_process_repairs_its_live_series_by_itself(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = trading_calendar().sessions(to_ns(now() - timedelta(days=7)), to_ns(now()))[-2].day
    async with TwelveDataLoopback() as vendor:
        for name, value in vendor.variables.items():
            monkeypatch.setenv(name, value)
        vendor.know("AAPL")
        vendor.hold(make_batch([10.0] * 390, day=day))
        await StockData(parts.pool, "live").store(
            [make_batch([10.0] * 390, day=day, skip=range(100, 120))], "feed"
        )
        await live_account(parts.pool, "twelve_data")
        async with trading(parts):
            await until(parts.pool, "SELECT state = 'repaired' FROM data_gaps")
    detail = "SELECT detail FROM data_gaps"
    assert await parts.pool.fetchval(detail) == "Fetched from twelve_data."
    assert await parts.pool.fetchval("SELECT bars FROM bar_series WHERE dataset = 'live'") >= 390
