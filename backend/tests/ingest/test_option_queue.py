"""What waits in front of the table of options: bounded, merged, and never lost without a word."""

import asyncio

import asyncpg
import pytest
from structlog.testing import capture_logs

from app.core.clock import ManualClock
from app.core.tasks import end
from app.db.session import opened_pool
from app.ingest import option_queue, options
from app.ingest.option_queue import OptionQueue, last_of_each, merged
from app.ingest.options import OptionIngest
from app.marketdata.batch import QuoteBatch
from app.repositories import quarantine
from tests.factories import utc
from tests.ingest.test_options import CALL, PUT, quotes
from tests.vendors.loopback import until

CLOCK = ManualClock(utc("2024-03-01 16:00"))
COUNT = "SELECT count(*) FROM options_data"


def queue(pool: asyncpg.Pool, most: int = 1_000, idle_seconds: float = 0.05) -> OptionQueue:
    ingest = OptionIngest(pool, "live", source="opra", clock=CLOCK)
    return OptionQueue(ingest, most=most, idle_seconds=idle_seconds)


def seconds(symbol: str, *bids: float) -> QuoteBatch:
    """A quote in each second from 15:00 on."""
    return quotes(*((symbol, f"15:00:{i:02}", bid, bid + 0.2) for i, bid in enumerate(bids)))


def test_batches_of_different_symbols_become_one() -> None:
    first, second = seconds(CALL, 5.0, 5.1), quotes((PUT, "15:00", 3, 4), (CALL, "15:01", 6, 7))
    both = merged([first, first, second])
    named = [both.symbols[place] for place in both.rows["symbol"].tolist()]
    assert named == [CALL] * 4 + [PUT, CALL]
    assert both.rows["bid"].tolist() == [5.0, 5.1, 5.0, 5.1, 3, 6]
    assert len(merged([])) == 0
    assert merged([first]) is first


def test_the_last_row_of_each_symbol_is_kept_in_the_order_of_arrival() -> None:
    batch = quotes((CALL, "15:00", 1, 2), (PUT, "15:01", 3, 4), (CALL, "15:02", 5, 6))
    assert last_of_each(batch.rows)["bid"].tolist() == [3, 5]


async def test_what_is_too_much_is_shed_and_counted_the_older_quotes_first(
    pool: asyncpg.Pool,
) -> None:
    waiting = queue(pool, most=5)
    waiting.put(seconds(CALL, 5.0, 5.1, 5.2))
    waiting.put(quotes())
    assert (waiting.waiting, waiting.figures.shed) == (3, 0)
    waiting.put(seconds(PUT, 3.0, 3.1, 3.2))
    assert (waiting.waiting, waiting.figures.shed) == (2, 4)
    many = [f"AAPL240621C00{strike}000" for strike in range(100, 104)]
    waiting.put(quotes(*((symbol, "15:01", 1.0, 1.2) for symbol in many)))
    assert (waiting.waiting, waiting.figures.shed, waiting.figures.quotes) == (2, 8, 10)
    await waiting.close()
    assert await pool.fetchval(COUNT) == 2


async def test_a_quiet_feed_has_its_last_second_stored(pool: asyncpg.Pool) -> None:
    waiting = queue(pool)
    running = asyncio.create_task(waiting.run())
    try:
        waiting.put(seconds(CALL, 5.0, 5.1))
        await until(lambda: waiting.figures.stored == 2)
    finally:
        await end([running])
    assert waiting.figures.folded == 0
    assert await pool.fetchval(COUNT) == 2


async def test_quotes_wait_for_a_database_that_is_away(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(option_queue, "_AGAIN_SECONDS", 0.05)
    async with opened_pool(database_url) as pool:
        waiting = queue(pool)
        await pool.execute("ALTER TABLE options_data RENAME TO elsewhere")
        running = asyncio.create_task(waiting.run())
        try:
            waiting.put(seconds(CALL, 5.0, 5.1, 5.2))
            with capture_logs() as logged:
                await until(lambda: waiting.figures.is_database_away)
                waiting.put(seconds(PUT, 3.0))
                await asyncio.sleep(0.2)
            await pool.execute("ALTER TABLE elsewhere RENAME TO options_data")
            await until(lambda: waiting.figures.stored)
        finally:
            await end([running])
        assert [entry["event"] for entry in logged] == ["option_quotes_wait"]
        assert not waiting.figures.is_database_away
        bids = await pool.fetch("SELECT bid FROM options_data ORDER BY bid")
    assert [row["bid"] for row in bids] == [3.0, 5.2]


async def test_closing_gives_up_in_the_end_and_says_so(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(option_queue, "_AGAIN_SECONDS", 0.02)
    monkeypatch.setattr(option_queue, "_CLOSE_SECONDS", 0.2)
    waiting = queue(pool)
    waiting.put(seconds(CALL, 5.0))
    await pool.execute("ALTER TABLE options_data RENAME TO elsewhere")
    with capture_logs() as logged:
        await waiting.close()
    assert [(entry["event"], entry["rows"]) for entry in logged] == [("option_quotes_lost", 1)]


async def test_of_a_flood_of_bad_quotes_only_some_are_kept_and_all_counted(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "QUARANTINE_A_MINUTE", 3)
    waiting = queue(pool)
    waiting.put(quotes(*((CALL, f"15:00:{i:02}", 5.0, 4.0) for i in range(10))))
    waiting.put(quotes((PUT, "15:00", -1.0, 4.0), (PUT, "15:01", 3.0, 4.0)))
    await waiting.close()
    assert waiting.figures.refused == 11
    assert await quarantine.counts(pool, "live") == {"crossed": 10, "negative": 1}
    assert await pool.fetchval("SELECT count(*) FROM quarantine") == 5
