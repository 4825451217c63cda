"""Gaps of a live series: who has the bars, and what it means when nobody has."""

from datetime import timedelta

import asyncpg

from app.core.clock import ManualClock
from app.core.errors import FeedRefused, TransientError
from app.domain.market import Timeframe
from app.ingest.gap_repair import GapRepair
from app.marketdata.batch import BarBatch
from app.marketdata.calendar import trading_calendar
from app.marketdata.quality import Hole, completeness
from app.repositories import data_gaps, stocks
from app.repositories.paging import Row
from app.repositories.stock_data import StockData
from tests.factories import make_batch, ns, utc
from tests.providers import Shelf

CLOCK = ManualClock(utc("2024-03-04 12:00"))
LIVE = "live"


def whole(skip: range | tuple[int, ...] = (), symbol: str = "AAPL") -> BarBatch:
    """A session, without some minutes."""
    return make_batch([100 + i % 7 for i in range(390)], symbol=symbol, skip=list(skip))


async def found(pool: asyncpg.Pool, batch: BarBatch) -> int:
    """Store it, and enter its gaps in the ledger."""
    await StockData(pool, LIVE).store([batch], "feed")
    stock = await stocks.get(pool, batch.symbol)
    holes = completeness(batch, trading_calendar(stock.exchange)).holes
    await data_gaps.update(pool, (LIVE, stock.id, batch.timeframe), holes)
    return stock.id


async def asked(pool: asyncpg.Pool, *chain: Shelf) -> list[Row]:
    """Every gap of the ledger after all were asked about, by time."""
    ids = [row["id"] for row in (await data_gaps.listing(pool)(100, None)).items]
    repair = GapRepair(pool, chain, LIVE, clock=CLOCK)
    for gap in await data_gaps.take_all(pool, ids, CLOCK.now()):
        await repair.repair(gap)
    rows = (await data_gaps.listing(pool)(100, None)).items
    return sorted(rows, key=lambda row: row["start"])


def said(rows: list[Row]) -> list[tuple[str, int]]:
    return [(row["state"], row["bars"]) for row in rows]


def answers(row: Row) -> list[tuple[str, str]]:
    return [(one["provider"], one["answer"]) for one in row["evidence"]]


async def test_bars_of_the_next_provider_repair_a_gap_and_are_named(pool: asyncpg.Pool) -> None:
    await found(pool, whole(range(100, 110)))
    first, second = Shelf("first", whole(range(100, 110))), Shelf("second", whole())
    (gap,) = await asked(pool, first, second)
    assert (gap["state"], gap["bars"], gap["detail"]) == ("repaired", 10, "Fetched from second.")
    assert answers(gap) == [("first", "nothing"), ("second", "bars")]
    assert gap["evidence"][0]["around"] == 40, "twenty on either side"
    assert gap["repaired_at"] is not None
    bars = await StockData(pool, LIVE).bars("AAPL", Timeframe.M1)
    assert bars.fingerprint() == whole().fingerprint()
    sources = "SELECT source, count(*) FROM stock_data GROUP BY 1 ORDER BY 2"
    assert [tuple(row) for row in await pool.fetch(sources)] == [("second", 10), ("feed", 380)]


async def test_where_two_providers_have_bars_around_and_none_inside_nobody_traded(
    pool: asyncpg.Pool,
) -> None:
    holes = whole((100, 101, 200))
    await found(pool, holes)
    rows = await asked(pool, Shelf("first", holes), Shelf("second", holes))
    assert said(rows) == [("no_trade", 2), ("no_trade", 1)]
    assert answers(rows[0]) == [
        ("first", "nothing"),
        ("second", "nothing"),
        ("stored series", "peers"),
    ]


async def test_one_provider_alone_proves_a_hole_only(pool: asyncpg.Pool) -> None:
    await found(pool, whole((100,)))
    (gap,) = await asked(pool, Shelf("first", whole((100,))))
    assert (gap["state"], gap["detail"]) == ("provider_hole", "Not to be had from first.")
    late = make_batch([100.0] * 300, first=150)
    (gap,) = await asked(pool, Shelf("first", whole((100,))), Shelf("second", late))
    assert gap["state"] == "provider_hole"
    assert answers(gap)[1] == ("second", "nothing_around")


async def test_a_gap_of_which_each_provider_has_a_part_falls_into_pieces(
    pool: asyncpg.Pool,
) -> None:
    await found(pool, whole(range(100, 112)))
    rows = await asked(
        pool, Shelf("first", whole(range(104, 112))), Shelf("second", whole(range(100, 108)))
    )
    assert said(rows) == [("repaired", 4), ("no_trade", 4), ("repaired", 4)]
    assert [row["detail"] for row in rows[::2]] == ["Fetched from first.", "Fetched from second."]
    assert rows[0]["end"] == rows[1]["start"]
    stock = await stocks.get(pool, "AAPL")
    new = await data_gaps.update(
        pool,
        (LIVE, stock.id, Timeframe.M1),
        [Hole(ns("2024-03-01 16:14"), ns("2024-03-01 16:18"), 4)],
    )
    assert new == [], "the next check finds the ledger as it should be"


async def test_a_halt_of_the_whole_market_is_closed_time(pool: asyncpg.Pool) -> None:
    for symbol in ("SPY", "QQQ", "MSFT"):
        await StockData(pool, LIVE).store([whole(range(100, 115), symbol)], "feed")
    halted = whole(range(100, 115))
    await found(pool, halted)
    (gap,) = await asked(pool, Shelf("first", halted), Shelf("second", halted))
    assert gap["state"] == "closed"
    assert "any of 3 other series" in gap["detail"]


async def test_a_provider_that_fails_leaves_the_gap_unexplained(pool: asyncpg.Pool) -> None:
    await found(pool, whole((100,)))
    first, second = Shelf("first", whole((100,))), Shelf("second")
    second.fails = lambda: TransientError("away", api_name="second")
    (gap,) = await asked(pool, first, second)
    assert (gap["state"], answers(gap)[1]) == ("unexplained", ("second", "failed"))
    first.fails = lambda: FeedRefused("no key", api_name="first")
    (gap,) = await asked(pool, first)
    assert (gap["state"], gap["detail"]) == ("unexplained", "No provider could be asked.")


async def test_a_provider_that_does_not_know_the_symbol_has_not_got_it(pool: asyncpg.Pool) -> None:
    await found(pool, whole((100,)))
    (gap,) = await asked(pool, Shelf("first"))
    assert (gap["state"], answers(gap)) == ("provider_hole", [("first", "unknown")])


async def test_bars_that_came_by_themselves_are_not_asked_for(pool: asyncpg.Pool) -> None:
    await found(pool, whole((100,)))
    await StockData(pool, LIVE).store([whole()], "feed")
    shelf = Shelf("first", whole())
    (gap,) = await asked(pool, shelf)
    assert (gap["state"], shelf.asked) == ("repaired", [])


async def test_time_that_the_calendar_calls_closed_is_closed(pool: asyncpg.Pool) -> None:
    stock_id = await found(pool, whole())
    night = [Hole(ns("2024-03-02 15:00"), ns("2024-03-02 15:10"), 10)]
    await data_gaps.update(pool, (LIVE, stock_id, Timeframe.M1), night)
    (gap,) = await asked(pool, Shelf("first", whole()))
    assert (gap["state"], gap["detail"]) == ("closed", "XNAS has no session then.")


async def test_unbelievable_bars_do_not_fill_a_gap(pool: asyncpg.Pool) -> None:
    await found(pool, whole((100,)))
    wild = whole()
    wild.rows["high"][100] = 9_000
    (gap,) = await asked(pool, Shelf("first", wild))
    assert gap["state"] == "provider_hole"
    assert gap["evidence"][0]["detail"] == "1 were refused."
    reason = await pool.fetchval("SELECT reason FROM quarantine")
    assert reason == "jump"


async def test_a_gap_is_taken_once_and_rests(pool: asyncpg.Pool) -> None:
    await found(pool, whole((100, 200)))
    again = timedelta(hours=1), timedelta(days=1)
    at = CLOCK.now()
    how = {"ended": utc("2024-03-01 17:00"), "again": again, "limit": 10}
    (taken,) = await data_gaps.take(pool, LIVE, ["AAPL"], now=at, **how)
    assert taken.start == utc("2024-03-01 16:10"), "the other one is not old enough"
    assert await data_gaps.take(pool, LIVE, ["AAPL"], now=at, **how) == []
    later = at + timedelta(hours=2)
    assert len(await data_gaps.take(pool, LIVE, ["AAPL"], now=later, **how)) == 1
    assert await data_gaps.ask_again(pool, LIVE, "AAPL") == 2
    assert len(await data_gaps.take(pool, LIVE, ["SPY"], now=later, **how)) == 0
    assert len(await data_gaps.take(pool, LIVE, ["AAPL"], now=later, **how)) == 1
