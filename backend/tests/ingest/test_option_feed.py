"""Chains followed live: Databento's loopback in front, PostgreSQL and the readers behind."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
import pytest

from app.adapters.data.databento import Adapter
from app.core.clock import from_ns, to_ns
from app.core.errors import TradewrightError
from app.core.live import LiveOptions
from app.core.tasks import end
from app.db.session import opened_pool
from app.domain.events import FeedConnected, FeedDisconnected
from app.ingest.option_feed import OptionFeed, OptionFollowed
from app.ingest.options import OptionIngest
from app.marketdata.calendar import trading_calendar
from app.marketdata.option_choice import OptionLimits
from app.marketdata.ports import ProviderSetup
from app.repositories import option_contracts, quarantine, stocks
from tests.factories import utc
from tests.markets_live import FastClock
from tests.vendors import databento_records as records
from tests.vendors.databento import DatabentoLoopback, raw

XNYS = trading_calendar("XNYS")
NOON = utc("2026-11-20 17:00")
CALL, PUT, FAR = "AAPL261218C00250000", "AAPL270115P00200000", "AAPL280121C00250000"
FOLLOWED = OptionFollowed(underlyings=("AAPL",), limits=OptionLimits(days=90, percent=30))
FAST = LiveOptions(first_wait_seconds=0.05, longest_wait_seconds=0.2, silent_seconds=20)
Told = FeedConnected | FeedDisconnected


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with opened_pool(database_url) as opened:
        await stocks.ensure(opened, "AAPL")
        yield opened


@pytest.fixture
async def vendor(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DatabentoLoopback]:
    """It defines three contracts on AAPL, one of them too far ahead."""
    monkeypatch.setitem(records.INSTRUMENTS, raw(FAR), 1_100_000_003)
    async with DatabentoLoopback() as loopback:
        for name, value in loopback.environment.items():
            monkeypatch.setenv(name, value)
        define(loopback, NOON, CALL, PUT, FAR)
        loopback.history.end = "2026-11-20T16:50:00Z"
        yield loopback


def define(loopback: DatabentoLoopback, at: datetime, *symbols: str) -> None:
    morning = to_ns(at.replace(hour=11, minute=0))
    for symbol in symbols:
        loopback.history.add(records.definition(raw(symbol), "AAPL", morning))


class Desk:
    """An option feed at work; market time runs ten times as fast."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        *,
        start: datetime = NOON,
        followed: OptionFollowed = FOLLOWED,
        options: LiveOptions = FAST,
        most_waiting: int = 50_000,
    ) -> None:
        self.pool = pool
        self.clock = FastClock(start, 10)
        self.told: list[Told] = []
        self.refused: list[str] = []
        self.source = Adapter(ProviderSetup(clock=self.clock))
        self.options = options
        self.feed = OptionFeed(
            [self.source],
            XNYS,
            followed,
            pool,
            "live",
            lambda source: OptionIngest(pool, "live", source=source, clock=self.clock),
            options=options,
            tell=self._tell,
            refused=self._alarm,
            most_waiting=most_waiting,
            clock=self.clock,
            beat_seconds=0.02,
        )
        self.feed.underlying("AAPL", 230.0)

    async def _tell(self, event: Told) -> None:
        self.told.append(event)

    async def _alarm(self, name: str, error: TradewrightError) -> None:
        self.refused.append(f"{name}: {error}")

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.feed.run())
        try:
            yield
        finally:
            await end([task])
            await self.feed.close()
            await self.source.close()

    async def quote(self, vendor: DatabentoLoopback, symbol: str, bid: float, ask: float) -> int:
        """A quote of the second that has just begun, in nanoseconds."""
        at = to_ns(self.clock.now()) // 10**9 * 10**9
        vendor.publish(records.quote(raw(symbol), bid, ask, at))
        return at

    async def stored(self, symbol: str) -> list[asyncpg.Record]:
        found: list[asyncpg.Record] = await self.pool.fetch(
            "SELECT o.* FROM options_data o JOIN instruments i ON i.id = o.contract_id"
            " WHERE i.symbol = $1 ORDER BY o.at",
            symbol,
        )
        return found


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(15):
        while not true():  # noqa: ASYNC110 - sockets and batches set no event
            await asyncio.sleep(0.01)


async def until_stored(desk: Desk, symbol: str, rows: int) -> list[asyncpg.Record]:
    async with asyncio.timeout(15):
        while len(found := await desk.stored(symbol)) < rows:  # noqa: ASYNC110 - nor do tables
            await asyncio.sleep(0.02)
    return found


def asked(vendor: DatabentoLoopback) -> set[str]:
    """Raw symbols that streaming sessions are subscribed to."""
    streaming = [one for one in vendor.sessions if one.streaming]
    return {symbol for one in streaming for symbol in one.symbols}


def both(vendor: DatabentoLoopback) -> Callable[[], bool]:
    return lambda: asked(vendor) == {raw(CALL), raw(PUT)}


async def test_contracts_are_looked_up_stored_and_their_quotes_valued(
    pool: asyncpg.Pool, vendor: DatabentoLoopback
) -> None:
    desk = Desk(pool)
    async with desk.at_work():
        await until(both(vendor))
        assert desk.feed.contracts == {"AAPL": (CALL, PUT)}
        stock = await stocks.get(pool, "AAPL")
        known = await option_contracts.listed(pool, stock.id)
        assert {one.symbol for one in known.values()} == {CALL, PUT}
        at = await desk.quote(vendor, CALL, 4.9, 5.1)
        await desk.quote(vendor, PUT, 3.9, 4.1)
        (row,) = await until_stored(desk, CALL, 1)
        assert (row["at"], row["bid"], row["ask"], row["underlying_price"], row["source"]) == (
            from_ns(at), 4.9, 5.1, 230.0, "databento",
        )  # fmt: skip
        assert 0.1 < row["implied_volatility"] < 0.6
        assert 0 < row["delta"] < 1
        await until_stored(desk, PUT, 1)
        (report,) = desk.feed.report()
    assert (report.provider, report.kind, report.place) == ("databento options", "options", 1)
    assert (report.state, report.symbols, report.problem) == ("up", (CALL, PUT), None)
    assert (report.quotes, report.stored, report.shed, report.refused) == (2, 2, 0, 0)
    assert await pool.fetchval("SELECT count(*) FROM quotes") == 0
    assert [type(event) for event in desk.told] == [FeedConnected]


async def test_a_connection_that_is_cut_or_mute_is_made_anew_with_all_contracts(
    pool: asyncpg.Pool, vendor: DatabentoLoopback
) -> None:
    desk = Desk(pool)
    async with desk.at_work():
        await until(both(vendor))
        await desk.quote(vendor, CALL, 4.9, 5.1)
        await until_stored(desk, CALL, 1)
        vendor.drop()
        await until(lambda: vendor.connections == 2 and both(vendor)())
        await desk.quote(vendor, CALL, 5.0, 5.2)
        await until_stored(desk, CALL, 2)
        vendor.mute()
        await until(lambda: len(desk.told) >= 4)
        vendor.mute(False)
        await until(lambda: vendor.connections > 2 and both(vendor)())
        await until(lambda: desk.feed.report()[0].state == "up")
        await desk.quote(vendor, CALL, 5.1, 5.3)
        await until_stored(desk, CALL, 3)
    kinds = [type(event) for event in desk.told]
    assert kinds == [FeedConnected, FeedDisconnected] * 2 + [FeedConnected]
    assert "silent for" in str(desk.told[3])


async def test_a_new_session_brings_new_contracts(
    pool: asyncpg.Pool, vendor: DatabentoLoopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor.history, "end", "2026-11-20T11:30:00Z")
    near = OptionLimits(days=30, percent=30)
    followed = OptionFollowed(underlyings=("AAPL",), limits=near)
    before = utc("2026-11-20 14:24:45")
    desk = Desk(pool, start=before, followed=followed)
    async with desk.at_work():
        await until(lambda: desk.feed.contracts)
        assert desk.feed.contracts == {"AAPL": (CALL,)}
        assert asked(vendor) == set()
        listed = "AAPL261120P00230000"
        monkeypatch.setitem(records.INSTRUMENTS, raw(listed), 1_100_000_004)
        define(vendor, NOON, listed)
        await until(lambda: asked(vendor) == {raw(CALL), raw(listed)})
    assert desk.feed.contracts == {"AAPL": (listed, CALL)}


async def test_what_nobody_lists_any_more_is_followed_from_the_table(
    pool: asyncpg.Pool, vendor: DatabentoLoopback
) -> None:
    first = Desk(pool)
    async with first.at_work():
        await until(both(vendor))
    vendor.history.end = "2026-10-01T00:00:00Z"
    again = Desk(pool)
    async with again.at_work():
        await until(both(vendor))
    assert again.feed.contracts == {"AAPL": (CALL, PUT)}


async def test_a_chain_that_nobody_knows_says_so_and_the_others_go_on(
    pool: asyncpg.Pool, vendor: DatabentoLoopback
) -> None:
    followed = OptionFollowed(underlyings=("ZZZZ", "AAPL"), limits=FOLLOWED.limits)
    desk = Desk(pool, followed=followed)
    async with desk.at_work():
        await until(both(vendor))
        (report,) = desk.feed.report()
    assert report.problem is not None
    assert "knows no ZZZZ" in report.problem
    assert desk.refused == [f"The chain of ZZZZ: {report.problem}"]
    assert await stocks.find(pool, "ZZZZ") is None


async def test_a_refused_key_is_told_once(pool: asyncpg.Pool, vendor: DatabentoLoopback) -> None:
    desk = Desk(pool)
    async with desk.at_work():
        await until(both(vendor))
        vendor.expire_key()
        await until(lambda: desk.refused)
        assert desk.feed.report()[0].state == "refused"
    (sentence,) = desk.refused
    assert sentence.startswith("databento options: ")
    assert "DATABENTO_API_KEY" in sentence


async def test_bad_quotes_are_quarantined_and_never_kept_as_quotes_of_stocks(
    pool: asyncpg.Pool, vendor: DatabentoLoopback
) -> None:
    desk = Desk(pool)
    async with desk.at_work():
        await until(both(vendor))
        await desk.quote(vendor, CALL, 9.0, 5.1)
        await desk.quote(vendor, PUT, 3.9, 4.1)
        await until_stored(desk, PUT, 1)
        assert desk.feed.report()[0].refused == 1
    assert await quarantine.counts(pool, "live") == {"crossed": 1}


async def test_contracts_that_are_listed_meanwhile_are_followed_too(
    vendor: DatabentoLoopback, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = "AAPL261218C00235000"
    monkeypatch.setitem(records.INSTRUMENTS, raw(new), 1_100_000_004)
    desk = Desk(pool)
    async with desk.at_work():
        await until(lambda: {raw(CALL), raw(PUT)} <= asked(vendor))
        vendor.publish(records.definition(raw(new), "AAPL", to_ns(desk.clock.now())))
        await until(lambda: raw(new) in asked(vendor))
        await desk.quote(vendor, new, 6.0, 6.2)
        (row,) = await until_stored(desk, new, 1)
    assert row["bid"] == 6.0
