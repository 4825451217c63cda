"""The durable journal: gapless, hash-chained streams in PostgreSQL with one fenced owner each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain as flatten
from typing import Any, Final, Protocol, TypeVar

import asyncpg

from app.core import clock
from app.core.errors import Fenced, JournalError, NotFound
from app.core.logging import get_logger
from app.core.tasks import end
from app.core.timing import timed_seconds
from app.domain.events import Event
from app.domain.ports import Entry
from app.repositories import chain
from app.repositories.chain import GENESIS, Record
from app.repositories.journal_batch import Batch, Notice

log = get_logger("trading")

SYSTEM: Final = "system"
"The stream that any process may append to."

_PAGE: Final = 2_000
_PATIENCE_SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0)

LOST_CONNECTION: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
"PostgreSQL is away for a moment, and nothing is known about the statement that was under way."

T = TypeVar("T")


def stream_of(account_id: int) -> str:
    """Name of an account's stream, e.g. `account:1`."""
    return f"account:{account_id}"


class Folds(Protocol):
    """State tables as a fold of the stream, written by the statement that appends the events."""

    async def load(self, connection: asyncpg.Connection, events: Sequence[Event]) -> None:
        """Fetch the rows that `events` will change and that are not remembered yet."""
        ...

    def origin(self, event: Event) -> tuple[int, str] | None:
        """(seq, correlation id) of the stored event that `event` answers, e.g. a fill's order."""
        ...

    def fold(self, record: Record, event: Event) -> None:
        """Let one more event change the rows."""
        ...

    def take(self) -> tuple[str, Sequence[str], list[Notice]]:
        """CTEs that write the rows changed since the last call from parameters of their own, those
        parameters as JSON, and whom to notify."""
        ...


class NoFolds:
    """A stream without state tables, such as `system`."""

    async def load(self, connection: asyncpg.Connection, events: Sequence[Event]) -> None:
        return

    def origin(self, event: Event) -> tuple[int, str] | None:
        return None

    def fold(self, record: Record, event: Event) -> None:
        return

    def take(self) -> tuple[str, Sequence[str], list[Notice]]:
        return "", (), []


_ONE_PLAN: Final = """
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off
"""
"""Few rows are changed, each by its key: also where the planner, which plans once and does not know
how many they are, would rather read tables whole that grow for ever."""
_HEAD: Final = "SELECT seq, hash, epoch FROM journal_streams WHERE stream = $1"
_OPEN: Final = "INSERT INTO journal_streams (stream) VALUES ($1) ON CONFLICT DO NOTHING"
_END: Final = """
SELECT seq, hash, EXISTS (SELECT FROM trading_events e WHERE e.stream = s.stream AND e.seq > s.seq)
       AS beyond
FROM journal_streams s WHERE stream = $1
"""
_READ: Final = """
SELECT stream, seq, event_type, priority, occurred_at, recorded_at, caused_by, correlation_id,
       actor, payload, hash
FROM trading_events
WHERE stream = $1 AND seq > $2 AND ($3::text[] IS NULL OR event_type = ANY($3))
ORDER BY seq LIMIT $4
"""


class PostgresJournal:
    """One stream's only writer: `append` is one transaction of one statement.

    `epoch` is the lease's; a newer one in the stream's head means that another engine owns the
    account, and every append raises Fenced from then on. Losing PostgreSQL for a while is waited
    out: the hash of the head tells whether the interrupted append had been committed.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        stream: str,
        account_id: int | None,
        epoch: int | None,
        key: bytes,
        folds: Folds | None = None,
        now: Callable[[], datetime] = clock.now,
        reconnected: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`reconnected` is awaited before anything is done on a new connection: what was heard
        over the old one (the latch above all) has to be read again first."""
        self.stream = stream
        self.account_id = account_id
        self.epoch = epoch
        self.seq = 0
        self._pool = pool
        self._key = key
        self._folds: Folds = folds or NoFolds()
        self._now = now
        self._hash = GENESIS
        self._connection: asyncpg.Connection | None = None
        self._broken: str | None = None
        self._reconnected = reconnected

    async def open(self) -> "PostgresJournal":
        """Learn where the stream ends. Raises Fenced when `epoch` is no longer the stream's."""
        try:
            self.seq, self._hash = await self._patiently(self._begin)
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """Give the connection back; the stream can be opened again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._pool.release(connection)

    @timed_seconds("journal_append")
    async def append(self, entries: Sequence[Entry]) -> int:
        """Append `entries`, all or none; returns the last seq.

        Raises Fenced when the lease was lost, and JournalError after any other failure: the state
        in memory is then ahead of the tables, and the stream must be opened anew.
        """
        if self._broken:
            raise JournalError(f"Stream {self.stream} {self._broken}.", stream=self.stream)
        if not entries:
            return self.seq
        await self._patiently(self._load, [entry.event for entry in entries])
        batch = Batch(self.stream, self.seq, self._hash, self._now())
        for entry in entries:
            record = batch.add(self._key, entry, self._folds.origin(entry.event))
            self._folds.fold(record, entry.event)
        await self._write(batch)
        self.seq, self._hash = batch.records[-1].seq, batch.hashes[-1]
        return self.seq

    async def _write(self, batch: Batch) -> None:
        sql, arguments = batch.statement(self.epoch, self._folds.take())
        try:
            await self._patiently(self._commit, sql, arguments)
        except asyncpg.DivisionByZeroError:
            raise self._fenced() from None
        except asyncpg.PostgresError as error:
            self._broken = "failed and must be opened anew"
            raise JournalError(
                f"Stream {self.stream} could not be appended to: {error}", stream=self.stream
            ) from error

    async def _commit(
        self, connection: asyncpg.Connection, sql: str, arguments: tuple[Any, ...]
    ) -> None:
        """Commit once: after a lost connection the head says whether it already happened."""
        try:
            await connection.fetchrow(sql, *arguments)
        except asyncpg.DivisionByZeroError:
            if await self._head(connection) != (arguments[3], arguments[4]):
                raise

    async def _load(self, connection: asyncpg.Connection, events: Sequence[Event]) -> None:
        await self._folds.load(connection, events)

    async def _begin(self, connection: asyncpg.Connection) -> tuple[int, bytes]:
        await connection.execute(_OPEN, self.stream)
        return await self._head(connection)

    async def _head(self, connection: asyncpg.Connection) -> tuple[int, bytes]:
        head = await connection.fetchrow(_HEAD, self.stream)
        if head is None:
            raise JournalError(f"Stream {self.stream} has no head.", stream=self.stream)
        if self.epoch is not None and head["epoch"] != self.epoch:
            raise self._fenced()
        return head["seq"], bytes(head["hash"])

    def _fenced(self) -> Fenced:
        self._broken = "was taken over by another engine"
        return Fenced(
            f"Stream {self.stream} belongs to another engine now.",
            remedy="This engine stops; the other one goes on.",
            stream=self.stream,
        )

    async def _patiently(self, work: Callable[..., Awaitable[T]], *arguments: Any) -> T:  # noqa: ANN401 - passed on
        """`work` on the stream's own connection, again on a new one while PostgreSQL is away."""
        delays = flatten(_PATIENCE_SECONDS, iter(lambda: _PATIENCE_SECONDS[-1], None))
        was_lost = False
        while True:
            try:
                if was_lost and self._reconnected is not None:
                    await self._reconnected()
                return await work(await self._connect(), *arguments)
            except LOST_CONNECTION as error:
                log.warning("postgresql_away", stream=self.stream, error=str(error))
                was_lost = True
                await self._drop()
                await asyncio.sleep(next(delays))

    async def _connect(self) -> asyncpg.Connection:
        # Kept for the journal's whole life: a pool's hand-over costs a round trip to reset it.
        if self._connection is None:
            self._connection = await self._pool.acquire()
            # Planning an append anew costs more than running it.
            await self._connection.execute(_ONE_PLAN)
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*LOST_CONNECTION):  # the pool may have noticed first
                connection.terminate()
            await self._pool.release(connection)


class SharedJournal:
    """A stream that many processes append to, `system` above all: the head's lock takes turns."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        key: bytes,
        stream: str = SYSTEM,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self.stream = stream
        self._pool = pool
        self._key = key
        self._now = now

    async def append(self, entries: Sequence[Entry]) -> int:
        """Append `entries`, all or none; returns the last seq."""
        async with self._pool.acquire() as connection, connection.transaction():
            return await self.append_within(connection, entries)

    async def append_within(self, connection: asyncpg.Connection, entries: Sequence[Entry]) -> int:
        """The same inside the caller's transaction: the events are committed with its effect."""
        await connection.execute(_OPEN, self.stream)
        head = await connection.fetchrow(f"{_HEAD} FOR UPDATE", self.stream)
        batch = Batch(self.stream, head["seq"], bytes(head["hash"]), self._now())
        for entry in entries:
            batch.add(self._key, entry, None)
        sql, arguments = batch.statement(None, NoFolds().take())
        await connection.fetchrow(sql, *arguments)
        return batch.records[-1].seq


# --------------------------------------------------------------------------------------- reading


async def read(
    pool: asyncpg.Pool,
    stream: str,
    after: int = 0,
    types: Collection[str] | None = None,
    limit: int = _PAGE,
) -> list[Record]:
    """The next `limit` events of a stream beyond seq `after`, of these types or of all."""
    wanted = None if types is None else list(types)
    return [_record(row) for row in await pool.fetch(_READ, stream, after, wanted, limit)]


async def scan(
    pool: asyncpg.Pool, stream: str, after: int = 0, types: Collection[str] | None = None
) -> AsyncIterator[Record]:
    """Every event of a stream beyond `after`, page by page."""
    while page := await read(pool, stream, after, types):
        for record in page:
            yield record
        after = page[-1].seq


async def streams(pool: asyncpg.Pool) -> list[str]:
    """Names of all streams."""
    return [
        row["stream"] for row in await pool.fetch("SELECT stream FROM journal_streams ORDER BY 1")
    ]


async def verify(pool: asyncpg.Pool, stream: str, key: bytes) -> int:
    """Recompute the chain from the first event to the head; returns the number of events.

    Raises ChainBroken with the first bad seq: edited, deleted, reordered or truncated.
    """
    return (await follow(pool, stream, key))[0]


async def follow(
    pool: asyncpg.Pool, stream: str, key: bytes, seq: int = 0, last: bytes = GENESIS
) -> tuple[int, bytes]:
    """Recompute the chain from behind event `seq`, whose hash is `last`, to the head.

    Returns the head's (seq, hash). Raises ChainBroken with the first bad seq.
    """
    head = await _end(pool, stream)
    if head["seq"] < seq:
        raise chain.broken(stream, head["seq"] + 1, "is missing: the stream was cut off")
    async for page in _pages(pool, stream, seq, head["seq"]):
        seq, last = chain.check(key, page, seq, last)
    if seq < head["seq"]:
        raise chain.broken(stream, seq + 1, "is missing")
    if last != bytes(head["hash"]) or (await _end(pool, stream))["beyond"]:
        raise chain.broken(stream, seq + 1, "is missing, or the head was changed")
    return seq, last


async def _pages(
    pool: asyncpg.Pool, stream: str, after: int, until: int
) -> AsyncIterator[list[Record]]:
    """What is stored from `after` to `until`; the database reads on while a page is checked."""
    coming: asyncio.Task[list[Record]] | None = None
    try:
        while after < until:
            page = await (coming or read(pool, stream, after, limit=min(_PAGE, until - after)))
            if not page:
                return
            after = page[-1].seq
            rest = until - after
            coming = (
                asyncio.create_task(read(pool, stream, after, limit=min(_PAGE, rest)))
                if rest > 0
                else None
            )
            await asyncio.sleep(0)  # sends the question before the checking begins
            yield page
    finally:
        await end([coming])


async def hash_at(pool: asyncpg.Pool, stream: str, seq: int) -> bytes | None:
    """The stored hash of an event; None when it is not there."""
    found = await pool.fetchval(
        "SELECT hash FROM trading_events WHERE stream = $1 AND seq = $2", stream, seq
    )
    return None if found is None else bytes(found)


async def _end(pool: asyncpg.Pool, stream: str) -> asyncpg.Record:
    end = await pool.fetchrow(_END, stream)
    if end is None:
        raise NotFound(f"There is no stream {stream!r}.", stream=stream)
    return end


def _record(row: asyncpg.Record) -> Record:
    return Record(**row)
