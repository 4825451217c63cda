"""Histories fetched from vendors: only what is missing, checked, accounted for, resumable."""

from collections.abc import AsyncGenerator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

import asyncpg
import numpy as np
import pytest

from app.core.clock import ManualClock, to_ns
from app.core.errors import FeedLost, FeedRefused, InvalidInput, TransientError
from app.domain.market import Timeframe
from app.marketdata.batch import QUOTE, TICK, BarBatch, QuoteBatch, TickBatch
from app.marketdata.ports import Action, OptionSnapshot, Profile
from app.repositories import stocks
from app.repositories.stock_data import StockData
from app.services import fetching
from app.services.fetching import FetchReport, Wish, fetch_bars, fetch_lines, fetch_prints
from tests.factories import make_batch, ns, utc
from tests.providers import Shelf

CLOCK = ManualClock(utc("2024-03-10 00:00"))
WISH = Wish(dataset="import:x", start=utc("2024-03-01"), end=utc("2024-03-06"))
MINUTES = 3 * 390


def minutes(skip: Sequence[int] = (), symbol: str = "AAPL") -> BarBatch:
    """Three sessions."""
    return make_batch([100 + i % 7 for i in range(MINUTES)], symbol=symbol, skip=skip)


async def fetched(pool: asyncpg.Pool, *chain: Shelf, symbol: str = "AAPL") -> FetchReport:
    return await fetch_bars(pool, chain, symbol, WISH, clock=CLOCK)


async def test_a_period_is_fetched_once(pool: asyncpg.Pool) -> None:
    shelf = Shelf("first", minutes())
    report = await fetched(pool, shelf)
    assert (report.wanted, report.rows_read, report.rows_stored) == (MINUTES, MINUTES, MINUTES)
    assert (report.missing, report.is_complete, report.sources) == (0, True, {"first": MINUTES})
    again = await fetched(pool, shelf)
    assert (again.wanted, again.rows_read, len(shelf.asked)) == (0, 0, 1)


async def test_only_what_is_missing_is_asked_for_and_the_next_provider_fills_it(
    pool: asyncpg.Pool,
) -> None:
    await StockData(pool, "import:x").store([minutes()[:600]], "file")
    first, second = Shelf("first", minutes(range(700, 710))), Shelf("second", minutes())
    report = await fetched(pool, first, second)
    assert (report.wanted, report.missing) == (MINUTES - 600, 0)
    assert report.sources == {"first": MINUTES - 610, "second": 10}
    assert first.asked[0][1] == utc("2024-03-04 18:00"), "where the stored series ends"
    assert second.asked == [("AAPL", utc("2024-03-04 19:40"), utc("2024-03-04 19:50"))]
    bars = await StockData(pool, "import:x").bars("AAPL", Timeframe.M1)
    assert bars.fingerprint() == minutes().fingerprint()


async def test_a_fetch_that_breaks_off_goes_on_where_it_ended(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "PIECE", 400)
    shelf = Shelf("first", minutes())
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))
        shelf.fails = lambda: TransientError("away", api_name="first")

    report = await fetch_bars(pool, [shelf], "AAPL", WISH, progress=progress, clock=CLOCK)
    assert (report.is_complete, report.rows_stored, report.missing) == (False, 400, 770)
    assert report.notes == ["first: away"]
    assert seen == [(400, 1170), (800, 1170), (1170, 1170)]
    assert "  Not complete: fetch again to go on." in list(fetch_lines([report]))
    shelf.fails = None
    report = await fetched(pool, shelf)
    assert (report.wanted, report.rows_stored, report.is_complete) == (770, 770, True)


async def test_what_cannot_be_believed_is_quarantined_with_reasons(pool: asyncpg.Pool) -> None:
    bad = minutes()
    bad.rows["high"][7] = 99_999
    bad.rows["low"][8] = -1
    report = await fetched(pool, Shelf("first", bad))
    assert (report.rows_quarantined, report.missing) == (2, 2)
    assert report.reasons == {"not_positive": 1, "jump": 1}
    lines = list(fetch_lines([report]))
    assert "    1 not_positive: a price is zero or negative" in lines
    assert "  stored             1,168  (first 1,168)" in lines


async def test_explained_gaps_are_not_asked_for_again(pool: asyncpg.Pool) -> None:
    shelf = Shelf("first", minutes([5]))
    await fetched(pool, shelf)
    stock = await pool.fetchval("SELECT id FROM stocks WHERE symbol = 'AAPL'")
    await pool.execute(
        "INSERT INTO data_gaps (dataset, stock_id, timeframe, start, \"end\", state, bars)"
        " VALUES ('import:x', $1, '1m', $2, $3, 'no_trade', 1)",
        stock, utc("2024-03-01 14:35"), utc("2024-03-01 14:36"),
    )  # fmt: skip
    assert (await fetched(pool, shelf)).wanted == 0


async def test_a_symbol_that_nobody_knows_makes_no_stock(pool: asyncpg.Pool) -> None:
    report = await fetched(pool, Shelf("first"), Shelf("second"), symbol="ZZZZ")
    assert (report.is_complete, report.rows_stored) == (False, 0)
    assert report.notes == [
        "first: first does not know ZZZZ.",
        "second: second does not know ZZZZ.",
    ]
    assert await pool.fetchval("SELECT count(*) FROM stocks WHERE symbol = 'ZZZZ'") == 0


async def test_a_refused_key_is_said_and_the_next_provider_asked(pool: asyncpg.Pool) -> None:
    first, second = Shelf("first"), Shelf("second", minutes(symbol="NEWCO"))
    first.fails = lambda: FeedRefused("Set FIRST_API_KEY in .env.", api_name="first")
    report = await fetched(pool, first, second, symbol="NEWCO")
    assert (report.rows_stored, report.notes) == (MINUTES, ["first: Set FIRST_API_KEY in .env."])
    assert len(first.asked) == 1


async def test_bars_that_are_not_over_are_left_for_later(pool: asyncpg.Pool) -> None:
    now = ManualClock(utc("2024-03-01 15:00:30"))
    report = await fetch_bars(pool, [Shelf("first", minutes())], "AAPL", WISH, clock=now)
    assert (report.wanted, report.rows_stored) == (30, 30)
    wrong = Wish(dataset="live", start=WISH.end, end=WISH.start)
    with pytest.raises(InvalidInput, match="must lie after the start"):
        await fetch_bars(pool, [], "AAPL", wrong, clock=CLOCK)


# ---------------------------------------------------------------------- prints, quotes, the rest


class Tape:
    """A print and a quote every minute of the regular session; breaks once where it is told to."""

    name = "tape"

    def __init__(self) -> None:
        self.starts: list[datetime] = []
        self.breaks_at: datetime | None = None

    def _at(self, start: datetime, end: datetime) -> list[int]:
        self.starts.append(start)
        if self.breaks_at is not None and start <= self.breaks_at < end:
            self.breaks_at = None
            raise FeedLost("the tape broke", api_name="tape")
        first = ns("2024-03-01 14:30")
        every = [first + i * 60 * 10**9 for i in range(390)]
        return [at for at in every if to_ns(start) <= at < to_ns(end)]

    async def ticks(self, symbol: str, start: datetime, end: datetime) -> AsyncGenerator[TickBatch]:
        at = self._at(start, end)
        rows = np.zeros(len(at), dtype=TICK)
        rows["at"], rows["price"], rows["size"] = at, 100, 10
        rows["sequence"] = (rows["at"] - ns("2024-03-01")) // 10**9
        yield TickBatch((symbol,), rows)

    async def quotes(
        self, symbol: str, start: datetime, end: datetime
    ) -> AsyncGenerator[QuoteBatch]:
        at = self._at(start, end)
        rows = np.zeros(len(at), dtype=QUOTE)
        rows["at"], rows["bid"], rows["ask"] = at, 99.9, 100.1
        rows["bid_size"] = rows["ask_size"] = 100
        yield QuoteBatch((symbol,), rows)


@pytest.mark.parametrize("kind", ["ticks", "quotes"])
async def test_prints_and_quotes_go_on_at_the_newest_one(pool: asyncpg.Pool, kind: str) -> None:
    tape = Tape()
    tape.breaks_at = utc("2024-03-01 17:00")
    wish = Wish(dataset="import:x", start=utc("2024-03-01"), end=utc("2024-03-02"))
    report = await fetch_prints(pool, tape, "AAPL", kind, wish, clock=CLOCK)
    assert (report.is_complete, report.notes) == (False, ["tape: the tape broke"])
    assert 100 < report.rows_stored < 390
    begun = len(tape.starts)
    again = await fetch_prints(pool, tape, "AAPL", kind, wish, clock=CLOCK)
    assert (again.is_complete, report.rows_stored + again.rows_stored) == (True, 390)
    assert tape.starts[begun] > utc("2024-03-01 15:00")
    whole = await fetch_prints(pool, tape, "AAPL", kind, wish, clock=CLOCK)
    assert whole.rows_stored == 0


class Broker:
    """Knows corporate actions and one option."""

    name = "broker"

    async def actions(self, symbol: str, start: date, end: date) -> list[Action]:
        paid = Action(symbol=symbol, kind="dividend", ex_date=start, amount=Decimal("0.24"))
        split = Action(
            symbol=symbol, kind="split", ex_date=start + timedelta(days=3), ratio=Decimal(4)
        )
        return [paid, split]

    async def profile(self, symbol: str) -> Profile:
        return Profile(symbol=symbol, name=f"{symbol} Inc.", exchange="XNYS", sector="Bakeries")

    async def chain(self, underlying: str, expiry: date | None = None) -> list[OptionSnapshot]:
        at = utc("2024-03-01 15:00")
        symbol = f"{underlying}240621C00100000"
        return [OptionSnapshot(symbol=symbol, at=at, bid=5.0, ask=5.2, underlying_price=102.0)]


async def test_corporate_actions_are_stored_once(pool: asyncpg.Pool) -> None:
    report = await fetching.fetch_actions(pool, Broker(), "AAPL", WISH)
    assert (report.rows_read, report.rows_stored, report.duplicates) == (2, 2, 0)
    again = await fetching.fetch_actions(pool, Broker(), "AAPL", WISH)
    assert (again.rows_stored, again.duplicates) == (0, 2)
    rows = await pool.fetch("SELECT kind, ratio, amount FROM corporate_actions ORDER BY ex_date")
    assert [tuple(row) for row in rows] == [
        ("dividend", None, Decimal("0.24")),
        ("split", Decimal(4), None),
    ]


async def test_a_profile_fills_in_what_nobody_has_said(pool: asyncpg.Pool) -> None:
    report = await fetching.fetch_profile(pool, Broker(), "NEWCO", WISH)
    assert (report.rows_stored, report.sources, report.notes) == (1, {"broker": 1}, [])
    stock = await stocks.get(pool, "NEWCO")
    assert (stock.name, stock.sector) == ("NEWCO Inc.", "Bakeries")
    again = await fetching.fetch_profile(pool, Broker(), "NEWCO", WISH)
    assert (again.rows_stored, again.duplicates) == (0, 1)


async def test_a_sector_that_feeds_a_limit_is_not_replaced(pool: asyncpg.Pool) -> None:
    before = await stocks.get(pool, "AAPL")
    report = await fetching.fetch_profile(pool, Broker(), "AAPL", WISH)
    assert f"sector stays {before.sector}; broker says Bakeries" in report.notes
    assert (await stocks.get(pool, "AAPL")).sector == before.sector


async def test_an_option_chain_is_stored(pool: asyncpg.Pool) -> None:
    report = await fetching.fetch_options(pool, Broker(), "AAPL", WISH, CLOCK)
    assert (report.rows_read, report.rows_stored, report.rows_quarantined) == (1, 1, 0)
