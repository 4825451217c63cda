"""Prints and quotes on their way in: stored, folded, refused, kept while the database is away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from urllib.parse import urlsplit

import asyncpg
import numpy as np
import pytest

from app.core.tasks import end
from app.db.session import create_pool
from app.domain.market import Timeframe
from app.ingest.ticks import TickIngest, TickSettings
from app.marketdata.batch import QuoteBatch, TickBatch, TickLabel
from app.marketdata.calendar import trading_calendar
from app.repositories import quarantine
from app.repositories.quarantine import NOT_KEPT
from app.repositories.quotes import Quotes
from app.repositories.ticks import Ticks
from tests.factories import utc
from tests.ticks import OPEN, SECOND, cut, make_quotes, make_ticks, random_ticks

CALENDAR = trading_calendar("XNYS")
DAY = (utc("2024-03-01"), utc("2024-03-02"))


def made(pool: asyncpg.Pool, **settings: object) -> TickIngest:
    chosen = TickSettings(**settings)  # type: ignore[arg-type]  # as the tests give them
    return TickIngest(pool, "live", CALENDAR, source="feed", settings=chosen)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what counts the waits tells nobody
            await asyncio.sleep(0.01)


async def test_prints_are_stored_and_make_bars_however_they_are_cut(pool: asyncpg.Pool) -> None:
    rng = np.random.default_rng(11)
    batch = random_ticks(rng, 5_000, disorder=0.5, seconds=200)
    ingest = made(pool, timeframes=(Timeframe.S1, Timeframe.M1))
    taken = [await ingest.take(batch[piece]) for piece in cut(len(batch), rng, 60)]
    rest = ingest.advance(OPEN + 400 * SECOND)
    await ingest.close()
    minutes = [bar for one in [*taken, rest] for bar in one.bars if bar.timeframe is Timeframe.M1]
    volume = sum(float(bar.rows["volume"].sum()) for bar in minutes)
    assert volume == float(batch.rows["size"].sum())
    stored = await Ticks(pool, "live").ticks("AAPL", *DAY)
    assert stored.rows["sequence"].tolist() == sorted(
        batch.rows["sequence"][batch.rows["symbol"] == 0].tolist()
    )
    assert ingest.statistics.ticks_stored == 5_000
    assert ingest.statistics.ticks_waiting == 0
    assert ingest.statistics.write_percentile(0.95) > 0
    assert ingest.statistics.rows_per_second(ingest._clock.monotonic()) > 0
    last = taken[-1].prices or taken[-2].prices
    assert last["AAPL"].price > 0


async def test_the_same_prints_are_stored_once(pool: asyncpg.Pool) -> None:
    batch = make_ticks([(0, 100), (0, 100), (0.5, 101), (0.2, 99)])
    for _ in range(2):
        ingest = made(pool)
        await ingest.take(batch)
        await ingest.close()
    assert len(await Ticks(pool, "live").ticks("AAPL", *DAY)) == 4


async def test_bad_prints_are_quarantined_and_a_flood_is_counted(pool: asyncpg.Pool) -> None:
    ingest = made(pool, quarantine_a_minute=5)
    bad = make_ticks([(i, -1) for i in range(20)])
    labelled = TickBatch(("AAPL", "NOPE"), bad.rows, (TickLabel("N", "@"),))
    labelled.rows["symbol"][10:] = 1
    labelled.rows["symbol"][19] = 8
    taken = await ingest.take(labelled)
    assert taken.bars == []
    good = await ingest.take(make_ticks([(30, 100)]))
    assert len(good.prices) == 1
    await ingest.close()
    counts = await quarantine.counts(pool, "live")
    assert sum(counts.values()) == 20
    assert counts["not_positive"] == 10
    statistics = ingest.statistics
    assert (statistics.refused, statistics.refused_not_kept) == (20, 15)
    kept = await pool.fetch("SELECT kind, record FROM quarantine WHERE NOT record ? $1", NOT_KEPT)
    assert len(kept) == 5
    assert '"price": "-1.0"' in kept[0]["record"]
    assert statistics.ticks_stored == 1


async def test_late_prints_are_stored_and_change_no_bar(pool: asyncpg.Pool) -> None:
    ingest = made(pool)
    (bar,) = (await ingest.take(make_ticks([(1, 100), (63, 101)]))).bars
    taken = await ingest.take(make_ticks([(59, 50)]))
    assert (taken.bars, taken.late[0].prints, bar.rows["low"].tolist()) == ([], 1, [100])
    await ingest.close()
    assert ingest.statistics.late == 1
    assert len(await Ticks(pool, "live").ticks("AAPL", *DAY)) == 3


async def test_after_a_new_connection_nothing_is_counted_twice(pool: asyncpg.Pool) -> None:
    ingest = made(pool)
    batch = make_ticks([(1, 100), (2, 101)], sequence=1)
    await ingest.take(batch)
    ingest.resumed()
    again = await ingest.take(batch)
    assert again.prices == {}
    (bar,) = ingest.advance(OPEN + 62 * SECOND).bars
    assert bar.rows["volume"].tolist() == [200]
    await ingest.close()
    assert (ingest.statistics.repeated, ingest.statistics.refused) == (2, 0)


async def test_what_is_stored_is_known_to_the_next(pool: asyncpg.Pool) -> None:
    first = made(pool)
    await first.take(make_ticks([(i / 10, 100) for i in range(30)]))
    await first.close()
    second = made(pool)
    await second.take(make_ticks([(10, 1_000), (2.85, 100)]))
    await second.close()
    assert dict(second.statistics.quarantined) == {"jump": 1}
    stored = await Ticks(pool, "live").ticks("AAPL", *DAY)
    assert stored.rows["sequence"].tolist()[-2:] == [1 << 20, 1]


# ------------------------------------------------------------------------------- quotes


@pytest.mark.parametrize(("kept", "stored"), [("second", 2), ("all", 3), ("none", 0)])
async def test_quotes_are_kept_as_it_is_set(pool: asyncpg.Pool, kept: str, stored: int) -> None:
    ingest = made(pool, quotes=kept)
    taken = await ingest.take(make_quotes([(0.1, 10, 11), (0.2, 10, 12), (1.5, 10, 13)]))
    assert [(quote.symbol, quote.ask) for quote in taken.quotes] == [("AAPL", 13)]
    await ingest.close()
    assert len(await Quotes(pool, "live").quotes("AAPL", *DAY)) == stored
    assert ingest.statistics.quotes == 3


async def test_sides_are_folded_before_they_are_shown(pool: asyncpg.Pool) -> None:
    ingest, nan = made(pool, quotes="all"), float("nan")
    quotes = make_quotes([(0, 10, nan), (1, nan, 11), (2, 12, 11)], partial=True)
    taken = await ingest.take(quotes)
    assert [(quote.bid, quote.ask) for quote in taken.quotes] == [(10, 11)]
    assert isinstance(taken.good, QuoteBatch)
    await ingest.close()
    statistics = ingest.statistics
    assert (statistics.quotes_stored, statistics.quotes_one_sided) == (1, 1)
    assert dict(statistics.quarantined) == {"crossed": 1}
    only_bad = await ingest.take(make_quotes([(3, 12, 11)]))
    assert (only_bad.quotes, len(only_bad.good or ())) == ([], 0)
    await ingest.close()


async def test_time_alone_stores_the_last_quote_of_a_second(pool: asyncpg.Pool) -> None:
    ingest = made(pool)
    await ingest.take(make_quotes([(0.1, 10, 11)]))
    ingest.advance(OPEN + SECOND)
    await ingest.drain()
    assert ingest.statistics.quotes_stored == 1
    await ingest.close()


# ------------------------------------------------------------- when the database is away


class Gate:
    """A way to a server that can be shut: connections are cut, new ones refused."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._pipes: set[asyncio.Task[None]] = set()
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        assert self._server is not None
        self._server.close()
        await end(self._pipes)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pipes.add(task)
        back, forth = await asyncio.open_connection(*self._target)
        try:
            await asyncio.gather(_pour(reader, forth), _pour(back, writer))
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            for one in (writer, forth):
                one.transport.abort()
            self._pipes.discard(task)


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        target.write(data)
        await target.drain()
    target.close()


@pytest.fixture
async def gate(database_url: str) -> AsyncIterator[tuple[Gate, asyncpg.Pool]]:
    parts = urlsplit(database_url)
    gate = Gate(parts.hostname or "127.0.0.1", parts.port or 5432)
    await gate.open()
    through = database_url.replace(f":{parts.port}", f":{gate.port}")
    pool = await create_pool(through, max_size=3)
    yield gate, pool
    pool.terminate()
    await gate.shut()


async def test_while_the_database_is_away_prints_wait_and_quotes_make_room(
    gate: tuple[Gate, asyncpg.Pool], pool: asyncpg.Pool
) -> None:
    door, through = gate
    ingest = made(through, most_ticks=10, most_quotes=8, quotes="all")
    await ingest.take(make_ticks([(0, 100)], sequence=1))
    await ingest.drain()
    await door.shut()
    await ingest.take(make_ticks([(i, 100) for i in range(1, 9)], sequence=2))
    await until(lambda: ingest.statistics.is_database_away)
    for second in range(12):
        await ingest.take(make_quotes([(second, 10, 11)]))
    assert ingest.statistics.quotes_shed > 0
    assert ingest.statistics.quotes_waiting <= 8
    blocked = asyncio.create_task(ingest.take(make_ticks([(20 + i, 100) for i in range(5)])))
    await until(lambda: ingest.statistics.waits == 1)
    assert not blocked.done()
    await door.open()
    await blocked
    await ingest.drain()
    await ingest.close()
    assert len(await Ticks(pool, "live").ticks("AAPL", *DAY)) == 14
    newest = await Quotes(pool, "live").quotes("AAPL", *DAY)
    assert newest.rows["at"][-1] == OPEN + 11 * SECOND
    assert not ingest.statistics.is_database_away


async def test_closing_gives_up_on_a_database_that_stays_away(
    gate: tuple[Gate, asyncpg.Pool], pool: asyncpg.Pool
) -> None:
    door, through = gate
    ingest = made(through, close_timeout=timedelta(seconds=0.2))
    await ingest.take(make_ticks([(0, 100)]))
    await ingest.drain()
    await door.shut()
    await ingest.take(make_ticks([(1, 100), (2, -1)]))
    await ingest.close()
    assert ingest.statistics.ticks_waiting == 1
    assert len(await Ticks(pool, "live").ticks("AAPL", *DAY)) == 1


async def test_refused_rows_wait_for_the_database_too(
    gate: tuple[Gate, asyncpg.Pool], pool: asyncpg.Pool
) -> None:
    door, through = gate
    ingest = made(through)
    await ingest.take(make_ticks([(0, 100)]))
    await ingest.drain()
    await door.shut()
    await ingest.take(make_ticks([(1, -1)]))
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await ingest.drain()
    await door.open()
    await ingest.close()
    assert await quarantine.counts(pool, "live") == {"not_positive": 1}


async def test_writes_grow_with_the_queue(pool: asyncpg.Pool) -> None:
    ingest = made(pool)
    batch = random_ticks(np.random.default_rng(1), 30_000, disorder=0)
    await ingest.take(batch)
    await ingest.close()
    assert ingest.statistics.ticks_stored == 30_000
    assert ingest.statistics.largest_write >= 4_096
    assert ingest.statistics.most_waiting == 30_000


async def test_a_row_that_the_table_refuses_stops_no_other(pool: asyncpg.Pool) -> None:
    ingest = made(pool)
    batch = make_ticks([(i, 100) for i in range(9)])
    await ingest.take(batch[:1])
    batch.rows["size"][5] = np.inf  # what validation would not let through
    await ingest._writer.put_ticks(ingest._numbering.number(batch[1:]))
    await ingest.close()
    assert ingest.statistics.ticks_stored == 8
    assert ingest.statistics.quarantined["table"] == 1


FULL_DISK = """
  CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$;
  CREATE TRIGGER no_room BEFORE INSERT ON {table} EXECUTE FUNCTION no_room()"""


@pytest.mark.parametrize("table", ["ticks", "quarantine"])
async def test_a_full_disk_stops_nobody_for_good(pool: asyncpg.Pool, table: str) -> None:
    await pool.execute(FULL_DISK.format(table=table))
    ingest = made(pool)
    await ingest.take(make_ticks([(0, 100), (1, 101), (2, -1)]))
    if table == "ticks":
        await until(lambda: ingest.statistics.is_database_away)
    else:
        await until(lambda: ingest._refusing is not None and not ingest._refusals.has_some.is_set())
    await pool.execute(f"DROP TRIGGER no_room ON {table}")
    await ingest.take(make_ticks([(3, 102), (4, -1)]))
    await ingest.drain()
    await ingest.close()
    assert len(await Ticks(pool, "live").ticks("AAPL", *DAY)) == 3
    assert not ingest.statistics.is_database_away
    assert await pool.fetchval("SELECT count(*) FROM quarantine") == 2
