"""The journal is gapless, chained, fenced, and survives the loss of its connection."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.core.errors import ChainBroken, Fenced, JournalError, NotFound
from app.domain import events as ev
from app.domain.ports import Entry
from app.repositories import journal as journals
from app.repositories.journal import PostgresJournal, SharedJournal, stream_of
from app.repositories.journal_batch import Head

from .conftest import KEY
from .stories import at, make_slice, started


@pytest.fixture
async def journal(pool: asyncpg.Pool, account_id: int) -> AsyncIterator[PostgresJournal]:
    journal = await make_journal(pool, account_id)
    yield journal
    await journal.close()


async def make_journal(pool: asyncpg.Pool, account_id: int, epoch: int = 0) -> PostgresJournal:
    return await PostgresJournal(pool, stream_of(account_id), account_id, epoch, KEY).open()


async def test_events_are_numbered_without_a_gap(
    pool: asyncpg.Pool, journal: PostgresJournal
) -> None:
    assert await journal.append([Entry(make_slice(1)), Entry(make_slice(2))]) == 2
    assert await journal.append([Entry(make_slice(3))]) == 3
    records = await journals.read(pool, journal.stream)
    assert [record.seq for record in records] == [1, 2, 3]
    assert [ev.decode(record.payload) for record in records] == [make_slice(n) for n in (1, 2, 3)]


async def test_what_follows_knows_its_cause_its_chain_and_who_asked(
    pool: asyncpg.Pool, journal: PostgresJournal
) -> None:
    await journal.append(started())
    records = await journals.read(pool, journal.stream)
    assert [record.caused_by for record in records] == [None, 1, 1]
    assert {record.correlation_id for record in records} == {f"{journal.stream}:1"}
    assert {record.actor for record in records} == {"ann"}


async def test_reading_goes_on_after_a_seq_and_picks_types(
    pool: asyncpg.Pool, journal: PostgresJournal
) -> None:
    await journal.append([*started(), Entry(make_slice(1))])
    found = await journals.read(pool, journal.stream, 1, {"slice_closed", "command_received"})
    assert [record.event_type for record in found] == ["slice_closed"]
    assert [record.seq async for record in journals.scan(pool, journal.stream, 2)] == [3, 4]


async def test_an_append_tells_the_listeners(pool: asyncpg.Pool, journal: PostgresJournal) -> None:
    heard: list[object] = []
    async with pool.acquire() as connection:
        await connection.add_listener("journal", lambda *call: heard.append(call[-1]))
        await journal.append([Entry(make_slice(1))])
        await connection.fetchval("SELECT 1")
        await connection.reset()
    assert heard == [f"{journal.stream}:1"]


async def test_an_append_after_another_engine_took_over_is_fenced(
    pool: asyncpg.Pool, journal: PostgresJournal
) -> None:
    await pool.execute("UPDATE journal_streams SET epoch = 1 WHERE stream = $1", journal.stream)
    with pytest.raises(Fenced, match="another engine"):
        await journal.append([Entry(make_slice(1))])
    with pytest.raises(JournalError):
        await journal.append([Entry(make_slice(1))])
    assert await journals.read(pool, journal.stream) == []


async def test_a_stream_of_another_epoch_cannot_be_opened(
    pool: asyncpg.Pool, account_id: int
) -> None:
    with pytest.raises(Fenced):
        await make_journal(pool, account_id, epoch=7)


async def test_two_writers_of_one_epoch_cannot_interleave(
    pool: asyncpg.Pool, account_id: int, journal: PostgresJournal
) -> None:
    other = await make_journal(pool, account_id)
    await journal.append([Entry(make_slice(1))])
    with pytest.raises(Fenced):
        await other.append([Entry(make_slice(1))])
    await other.close()


async def test_a_lost_connection_is_waited_out(
    pool: asyncpg.Pool, journal: PostgresJournal
) -> None:
    await journal.append([Entry(make_slice(1))])
    await pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert await journal.append([Entry(make_slice(2))]) == 2


class ForgetfulJournal(PostgresJournal):
    """Loses its connection right after the first commit, as a crash of the server would."""

    is_lost = False

    async def _commit(
        self, connection: asyncpg.Connection, head: Head, sql: str, arguments: tuple[object, ...]
    ) -> None:
        await super()._commit(connection, head, sql, arguments)
        if not self.is_lost:
            self.is_lost = True
            raise ConnectionResetError("lost before the answer came")


async def test_an_append_whose_answer_was_lost_is_not_repeated(
    pool: asyncpg.Pool, account_id: int
) -> None:
    journal = await ForgetfulJournal(pool, stream_of(account_id), account_id, 0, KEY).open()
    assert await journal.append([Entry(make_slice(1))]) == 1
    assert await journal.append([Entry(make_slice(2))]) == 2
    assert await journals.verify(pool, journal.stream, KEY) == 2
    await journal.close()


async def test_an_intact_chain_verifies(pool: asyncpg.Pool, journal: PostgresJournal) -> None:
    for minute in range(1, 6):
        await journal.append([Entry(make_slice(minute))])
    assert await journals.verify(pool, journal.stream, KEY) == 5
    with pytest.raises(ChainBroken):
        await journals.verify(pool, journal.stream, b"another key" * 3)
    with pytest.raises(NotFound):
        await journals.verify(pool, "account:999", KEY)


@pytest.mark.parametrize(
    ("tampering", "first_bad"),
    [
        ("UPDATE trading_events SET payload = replace(payload::text, '100', '101')::json", 1),
        ("UPDATE trading_events SET actor = 'mallory' WHERE seq = 2", 2),
        ("UPDATE trading_events SET recorded_at = recorded_at - interval '1 s' WHERE seq = 3", 3),
        ("DELETE FROM trading_events WHERE seq = 2", 2),
        ("DELETE FROM trading_events WHERE seq = 3", 3),
        ("UPDATE journal_streams SET seq = 2 WHERE seq = 3", 3),
    ],
)
async def test_tampering_is_found_at_the_first_bad_event(
    pool: asyncpg.Pool, journal: PostgresJournal, tampering: str, first_bad: int
) -> None:
    for minute in range(1, 4):
        await journal.append([Entry(make_slice(minute))])
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(tampering)
    with pytest.raises(ChainBroken) as broken:
        await journals.verify(pool, journal.stream, KEY)
    assert broken.value.context["seq"] == first_bad


async def test_every_process_may_append_to_the_system_stream(pool: asyncpg.Pool) -> None:
    first, second = SharedJournal(pool, KEY), SharedJournal(pool, KEY)
    event = ev.ConfigChanged(key="max_drawdown", before=1, after=2, actor="ann", at=at(0))
    assert await first.append([Entry(event)]) == 1
    assert await second.append([Entry(event)]) == 2
    assert await journals.verify(pool, "system", KEY) == 2
    assert "system" in await journals.streams(pool)


async def test_nothing_to_append_is_nothing(journal: PostgresJournal) -> None:
    assert await journal.append([]) == 0
