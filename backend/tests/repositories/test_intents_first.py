"""An intent is on disk before the state tables follow it; nothing that happens between is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from app.core.errors import Fenced, JournalError
from app.domain import events as ev
from app.domain.deployments import TradingState
from app.domain.ports import Entry
from app.repositories import commands, fold_check, invariants
from app.repositories import journal as journals
from app.repositories.chain import GENESIS
from app.repositories.journal import PostgresJournal, stream_of
from app.repositories.journal_batch import Head
from app.repositories.projection import Projection

from .conftest import KEY
from .stories import approved, at, make_fill, make_order, make_signal, make_slice, round_trip, sent

INTENT = approved(make_order(), make_signal())
WAITS = """
SELECT count(*) > 0 FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
Making = Callable[[], Awaitable[PostgresJournal]]


@pytest.fixture
async def making(pool: asyncpg.Pool, account_id: int) -> AsyncIterator[Making]:
    """Makes writers of the account's stream; all of them are closed at the end."""
    made: list[PostgresJournal] = []

    async def make(kind: type[PostgresJournal] = PostgresJournal) -> PostgresJournal:
        stream = stream_of(account_id)
        folds = Projection(account_id, stream)
        made.append(kind(pool, stream, account_id, 0, KEY, folds, intents_first=True))
        return await made[-1].open()

    yield make
    for one in made:
        await one.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables of an intent wait for the next event, however long that takes."""
    monkeypatch.setattr(journals, "_FOLLOW_SECONDS", 3600)


async def unfolded(pool: asyncpg.Pool) -> int:
    found: int = await pool.fetchval("SELECT sum(unfolded)::bigint FROM journal_streams")
    return found


async def until(pool: asyncpg.Pool, question: str) -> None:
    """Asks PostgreSQL until it says yes."""
    while not await pool.fetchval(question):  # noqa: ASYNC110 - a database sets no event
        await asyncio.sleep(0.001)


async def orders(pool: asyncpg.Pool) -> list[str]:
    return [row["status"] for row in await pool.fetch("SELECT status FROM orders")]


@pytest.mark.usefixtures("patient")
async def test_the_next_append_takes_the_tables_of_an_intent_along(
    pool: asyncpg.Pool, account_id: int, making: Making
) -> None:
    journal = await making()
    assert await journal.append(INTENT) == 4
    assert await unfolded(pool) == 4
    assert await orders(pool) == []
    assert await fold_check.differences(pool, account_id) == []
    assert await journal.append(sent(make_order())[0]) == 5
    assert await unfolded(pool) == 0
    assert await orders(pool) == ["submitted"]
    assert await fold_check.differences(pool, account_id) == []
    assert await journals.verify(pool, journal.stream, KEY) == 5


@pytest.mark.usefixtures("patient")
async def test_the_invariants_are_asked_about_what_the_tables_show(
    pool: asyncpg.Pool, account_id: int, making: Making
) -> None:
    journal = await making()
    await journal.append(INTENT)
    before = await invariants.snapshot(pool, account_id, 0)
    assert (before.seq, before.hash, before.records, before.counted) == (0, GENESIS, (), 0)
    await journal.append([Entry(make_slice(2))])
    await journal.append(approved(make_order("o2", "s2"), make_signal("s2"), minute=3))
    then = await invariants.snapshot(pool, account_id, 0)
    assert (then.seq, then.hash) == (5, then.records[-1].hash)
    assert set(then.tables.orders) == {"o1"}


async def test_the_tables_follow_by_themselves(
    pool: asyncpg.Pool, account_id: int, making: Making
) -> None:
    journal = await making()
    await journal.append(INTENT)
    await until(pool, "SELECT sum(unfolded) = 0 FROM journal_streams")
    assert await orders(pool) == ["approved"]
    assert await journal.append(sent(make_order())[0]) == 5
    assert await fold_check.differences(pool, account_id) == []


async def test_a_whole_trade_is_the_same_rows(
    pool: asyncpg.Pool, account_id: int, making: Making
) -> None:
    await commands.submit(pool, account_id, "deployment_start", {}, "ann")
    journal = await making()
    for entries in round_trip():
        await journal.append(entries)
    assert await orders(pool) == ["filled", "filled"]
    assert await pool.fetchval("SELECT count(*) FROM risk_checks") == 4
    assert await fold_check.differences(pool, account_id) == []
    origins = await journals.read(pool, journal.stream, types={"order_submitted"})
    assert [record.caused_by for record in origins] == [7, 17]


@pytest.mark.usefixtures("patient")
async def test_several_intents_in_a_row_are_folded_in_their_order(
    pool: asyncpg.Pool, account_id: int, making: Making
) -> None:
    journal = await making()
    await journal.append(INTENT)
    await journal.append(approved(make_order("o2", "s2"), make_signal("s2"), minute=2))
    assert await unfolded(pool) == 8
    await journal.append([Entry(make_slice(3))])
    assert await orders(pool) == ["approved", "approved"]
    assert await fold_check.differences(pool, account_id) == []


@pytest.mark.usefixtures("patient")
async def test_tables_do_not_fall_behind_without_end(
    pool: asyncpg.Pool, making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "_MOST_UNFOLDED", 4)
    journal = await making()
    await journal.append(INTENT)
    await journal.append(approved(make_order("o2", "s2"), make_signal("s2"), minute=2))
    assert await unfolded(pool) == 0


@pytest.mark.usefixtures("patient")
async def test_after_a_crash_the_next_writer_catches_up_and_the_old_one_is_fenced(
    pool: asyncpg.Pool, account_id: int, making: Making
) -> None:
    dead = await making()
    await dead.append(INTENT)
    alive = await making()
    assert alive.seq == 4
    assert await unfolded(pool) == 0
    assert await orders(pool) == ["approved"]
    assert await fold_check.differences(pool, account_id) == []
    with pytest.raises(Fenced):
        await dead.append(sent(make_order())[0])
    await alive.append(sent(make_order())[0])
    assert await orders(pool) == ["submitted"]


@pytest.mark.usefixtures("patient")
async def test_a_zombie_cannot_write_the_tables_of_its_last_intent(
    pool: asyncpg.Pool, making: Making
) -> None:
    zombie = await making()
    await zombie.append(INTENT)
    await pool.execute("UPDATE journal_streams SET epoch = 1 WHERE stream = $1", zombie.stream)
    await zombie.close()
    assert await orders(pool) == []
    assert await unfolded(pool) == 4


@pytest.mark.usefixtures("patient")
async def test_closing_brings_the_tables_up_to_date(pool: asyncpg.Pool, making: Making) -> None:
    journal = await making()
    await journal.append(INTENT)
    await journal.close()
    assert await orders(pool) == ["approved"]
    assert await unfolded(pool) == 0


class Forgetful(PostgresJournal):
    """Loses its connection right after each commit, as a crash of the server would."""

    told = 0

    async def _commit(
        self, connection: asyncpg.Connection, head: Head, sql: str, arguments: tuple[object, ...]
    ) -> None:
        await super()._commit(connection, head, sql, arguments)
        self.told += 1
        if self.told % 2:
            raise ConnectionResetError("lost before the answer came")


async def test_tables_are_written_once_although_the_answer_was_lost(
    pool: asyncpg.Pool, account_id: int, making: Callable[..., Awaitable[PostgresJournal]]
) -> None:
    journal = await making(Forgetful)
    await journal.append(INTENT)
    await until(pool, "SELECT sum(unfolded) = 0 FROM journal_streams")
    assert await journal.append(sent(make_order())[0]) == 5
    assert await orders(pool) == ["submitted"]
    assert await fold_check.differences(pool, account_id) == []
    assert await journals.verify(pool, journal.stream, KEY) == 5


@pytest.mark.usefixtures("patient")
async def test_listeners_hear_of_an_intent_when_the_tables_show_it(
    pool: asyncpg.Pool, making: Making
) -> None:
    journal, heard = await making(), list[object]()
    async with pool.acquire() as connection:
        await connection.add_listener("journal", lambda *call: heard.append(call[-1]))
        await journal.append(INTENT)
        await connection.fetchval("SELECT 1")
        assert heard == []
        await journal.append(sent(make_order())[0])
        await connection.fetchval("SELECT 1")
        await connection.reset()
    assert heard == [f"{journal.stream}:5"]


@pytest.mark.usefixtures("patient")
async def test_tables_that_cannot_be_written_end_the_writer_and_lose_no_event(
    pool: asyncpg.Pool, account_id: int, making: Making
) -> None:
    journal = await making()
    await journal.append(INTENT)
    await pool.execute("ALTER TABLE orders ADD CONSTRAINT no_orders CHECK (side <> 'buy')")
    for _ in range(2):
        with pytest.raises(JournalError):
            await journal.append(sent(make_order())[0])
    await journal.close()
    with pytest.raises(JournalError, match=r"Events 1 to 4 of stream account:1 .*no_orders"):
        await making()
    await pool.execute("ALTER TABLE orders DROP CONSTRAINT no_orders")
    again = await making()
    assert again.seq == 4
    assert await fold_check.differences(pool, account_id) == []


@pytest.mark.usefixtures("patient")
async def test_an_intent_that_no_table_can_follow_is_named_with_what_to_do(
    pool: asyncpg.Pool, making: Making
) -> None:
    journal = await making()
    await journal.append(INTENT)
    await pool.execute("ALTER TABLE trading_events DISABLE TRIGGER USER")
    await pool.execute(
        'UPDATE trading_events SET payload = \'{"type": "of_tomorrow"}\''
        " WHERE event_type = 'order_approved'"
    )
    with pytest.raises(
        JournalError, match=r"Events 1 to 4 of stream account:1 .*of_tomorrow"
    ) as no:
        await making()
    assert "tradewright backup restore" in str(no.value)
    assert await unfolded(pool) == 4


async def asked_until_it_fails(journal: PostgresJournal) -> None:
    """Appends nothing, which a writer that ended refuses."""
    while True:
        await journal.append([])
        await asyncio.sleep(0.001)


async def test_whoever_appends_next_hears_that_the_tables_could_not_follow(
    pool: asyncpg.Pool, making: Making
) -> None:
    journal = await making()
    await pool.execute("ALTER TABLE orders ADD CONSTRAINT no_orders CHECK (side <> 'buy')")
    assert await journal.append(INTENT) == 4
    with pytest.raises(JournalError, match="anew"):
        await asked_until_it_fails(journal)
    assert await unfolded(pool) == 4


@pytest.mark.usefixtures("patient")
async def test_an_append_that_was_left_half_way_is_the_last(
    pool: asyncpg.Pool, making: Making
) -> None:
    journal = await making()
    async with pool.acquire() as other, other.transaction():
        await other.execute(
            "SELECT FROM journal_streams WHERE stream = $1 FOR UPDATE", journal.stream
        )
        appending = asyncio.create_task(journal.append(INTENT))
        await until(pool, WAITS)
        appending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await appending
    with pytest.raises(JournalError, match="anew"):
        await journal.append(INTENT)


@pytest.mark.usefixtures("patient")
async def test_who_gives_up_waiting_for_a_turn_has_decided_what_is_not_stored(
    pool: asyncpg.Pool, making: Making
) -> None:
    journal = await making()
    async with pool.acquire() as other, other.transaction():
        await other.execute(
            "SELECT FROM journal_streams WHERE stream = $1 FOR UPDATE", journal.stream
        )
        first = asyncio.create_task(journal.append(INTENT))
        await until(pool, WAITS)
        second = asyncio.create_task(journal.append(sent(make_order())[0]))
        await asyncio.sleep(0)  # it begins
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
    assert await first == 4
    assert journal.is_broken
    with pytest.raises(JournalError, match="anew"):
        await journal.append(INTENT)


def test_only_a_decision_alone_may_wait() -> None:
    folds = Projection(1, "account:1")
    events = [entry.event for entry in INTENT]
    halt = ev.TradingHalted(state=TradingState.HALTED, reason="loss", actor="engine", at=at(1))
    assert folds.may_wait(events)
    assert not folds.may_wait(events[:3])
    assert not folds.may_wait([*events, halt])
    assert not folds.may_wait([make_fill(make_order(), "e1", 4), *events])
