"""The durable journal: gapless, hash-chained streams in PostgreSQL with one fenced owner each."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain as flatten
from typing import Any, Final, TypeVar

import asyncpg

from app.core import clock
from app.core.errors import Fenced, JournalError
from app.core.logging import get_logger
from app.core.tasks import end
from app.core.timing import timed_seconds
from app.domain.events import Event, decode
from app.domain.ports import Entry
from app.repositories.chain import Record
from app.repositories.folds.port import Folds, NoFolds, Notice
from app.repositories.journal_batch import Batch, Head
from app.repositories.journal_reading import follow, hash_at, read, scan, streams, verify

__all__ = [
    "LOST_CONNECTION",
    "SYSTEM",
    "PostgresJournal",
    "SharedJournal",
    "follow",
    "hash_at",
    "read",
    "scan",
    "stream_of",
    "streams",
    "verify",
]

log = get_logger("trading")

SYSTEM: Final = "system"
"The stream that any process may append to."

_FOLLOW_SECONDS: Final = 0.005
"How long the state tables of an intent wait for the next event, which takes them along."
_MOST_UNFOLDED: Final = 100
_FAILED: Final = "failed and must be opened anew"
_LAST_SECONDS: Final = 2.0
"How long a closing journal tries to bring its tables up to date; else the next one does."
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


_ONE_PLAN: Final = """
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off
"""
"""Few rows are changed, each by its key: also where the planner, which plans once and does not know
how many they are, would rather read tables whole that grow for ever."""
_HEAD: Final = "SELECT seq, hash, unfolded, epoch FROM journal_streams WHERE stream = $1"
_OPEN: Final = "INSERT INTO journal_streams (stream) VALUES ($1) ON CONFLICT DO NOTHING"


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
        *,
        intents_first: bool = False,
    ) -> None:
        """`reconnected` is awaited before anything is done on a new connection: what was heard
        over the old one (the latch above all) has to be read again first.

        `intents_first`: an intent is committed without its state tables. The next append takes
        them along, or a statement of their own does after 5 ms; until then nobody is notified, and
        the head says how many events the tables lack, so that `open` catches up after a crash.
        """
        self.stream = stream
        self.account_id = account_id
        self.epoch = epoch
        self._pool = pool
        self._key = key
        self._folds: Folds = folds or NoFolds()
        self._now = now
        self._head = Head()
        self._connection: asyncpg.Connection | None = None
        self._broken: str | None = None
        self._reconnected = reconnected
        self._intents_first = intents_first
        self._turn = asyncio.Lock()
        self._unfolded: list[tuple[Record, Event]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._following: asyncio.Task[None] | None = None

    @property
    def seq(self) -> int:
        """Of the last event."""
        return self._head.seq

    @property
    def is_broken(self) -> bool:
        """Whether memory may be ahead of what is stored: the stream must be opened anew."""
        return self._broken is not None

    async def open(self) -> "PostgresJournal":
        """Learn where the stream ends. Raises Fenced when `epoch` is no longer the stream's."""
        try:
            self._head = await self._patiently(self._begin)
            if self._head.unfolded:
                await self._catch_up()
        except BaseException:
            await self._give_back()
            raise
        return self

    async def _catch_up(self) -> None:
        """Take the tables to where the stream ends. Every start breaks on what they cannot follow,
        so a person has to know what that is."""
        after = self.seq - self._head.unfolded
        found = await self._patiently(read, self.stream, after, None, self._head.unfolded)
        log.info("state_tables_catch_up", stream=self.stream, events=len(found))
        try:
            self._unfolded = [(record, decode(record.payload)) for record in found]
            await self._store(())
        except (Fenced, *LOST_CONNECTION):
            raise
        except Exception as error:
            raise JournalError(
                f"Events {after + 1} to {self.seq} of stream {self.stream} are stored, and the"
                f" state tables cannot follow them: {type(error).__name__}: {error}",
                remedy="Run the version that wrote them or a newer one; else restore a backup from"
                " before them (`tradewright backup restore`).",
                stream=self.stream,
                seq=after + 1,
            ) from error

    async def close(self) -> None:
        """Give the connection back; the stream can be opened again."""
        following, self._following = self._following, None
        if self._timer is not None:
            self._timer.cancel()
        try:
            await asyncio.wait_for(self._follow(), _LAST_SECONDS)
        except (JournalError, *LOST_CONNECTION) as error:
            log.warning("state_tables_left_behind", stream=self.stream, error=str(error))
        finally:
            await end([following])
            await self._give_back()

    async def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._pool.release(connection)

    @timed_seconds("journal_append")
    async def append(self, entries: Sequence[Entry]) -> int:
        """Append `entries`, all or none; returns the last seq.

        Raises Fenced when the lease was lost, and JournalError after any other failure: the state
        in memory is then ahead of the tables, and the stream must be opened anew.
        """
        with self._all_or_broken():  # who waits for a turn has decided already
            async with self._turn:
                if self._broken:
                    raise JournalError(f"Stream {self.stream} {self._broken}.", stream=self.stream)
                if entries:
                    await (self._intend if self._may_wait(entries) else self._store)(entries)
                return self.seq

    def _may_wait(self, entries: Sequence[Entry]) -> bool:
        return (
            self._intents_first
            and len(self._unfolded) < _MOST_UNFOLDED
            and self._folds.may_wait([entry.event for entry in entries])
        )

    async def _intend(self, entries: Sequence[Entry]) -> None:
        """Commit an intent; its tables follow."""
        batch = self._batch()
        for entry in entries:
            batch.add(self._key, entry, None)
        await self._write(batch, None)
        self._unfolded += zip(batch.records, (entry.event for entry in entries), strict=True)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_FOLLOW_SECONDS, self._begin_to_follow)

    async def _store(self, entries: Sequence[Entry]) -> None:
        """Commit `entries` with the tables of everything that they do not show yet."""
        late = self._unfolded
        events = [entry.event for entry in entries]
        await self._patiently(self._load, [*(event for _, event in late), *events])
        for record, event in late:
            self._folds.fold(record, event)
        batch = self._batch()
        for entry in entries:
            record = batch.add(self._key, entry, self._folds.origin(entry.event))
            self._folds.fold(record, entry.event)
        await self._write(batch, self._folds.take())
        self._unfolded = []

    def _batch(self) -> Batch:
        head = self._head
        return Batch(self.stream, head.seq, head.hash, self._now(), head.unfolded)

    async def _write(
        self, batch: Batch, changes: tuple[str, Sequence[str], list[Notice]] | None
    ) -> None:
        sql, arguments = batch.statement(self.epoch, changes)
        head = batch.head(folded=changes is not None)
        try:
            await self._patiently(self._commit, head, sql, arguments)
        except asyncpg.DivisionByZeroError:
            raise self._fenced() from None
        except asyncpg.PostgresError as error:
            raise JournalError(
                f"Stream {self.stream} could not be appended to: {error}", stream=self.stream
            ) from error
        self._head = head

    @contextmanager
    def _all_or_broken(self) -> Iterator[None]:
        """Left half-way, what we remember may be more than is stored, or less."""
        try:
            yield
        except BaseException:
            self._broken = self._broken or _FAILED
            raise

    async def _commit(
        self, connection: asyncpg.Connection, head: Head, sql: str, arguments: tuple[Any, ...]
    ) -> None:
        """Commit once: after a lost connection the head says whether it already happened."""
        try:
            await connection.fetchrow(sql, *arguments)
        except asyncpg.DivisionByZeroError:
            if await self._stored_head(connection) != head:
                raise

    # ------------------------------------------------------------------ tables behind an intent

    def _begin_to_follow(self) -> None:
        self._timer = None
        if self._unfolded:
            self._following = asyncio.create_task(self._follow_aside())

    async def _follow_aside(self) -> None:
        try:
            await self._follow()
        except JournalError as error:  # whoever appends next is told the same
            log.warning("state_tables_left_behind", stream=self.stream, error=str(error))

    async def _follow(self) -> None:
        """Bring the tables up to date, unless an append has done it."""
        async with self._turn:
            if self._unfolded and self._broken is None:
                with self._all_or_broken():
                    await self._store(())

    # --------------------------------------------------------------------------------- database

    async def _load(self, connection: asyncpg.Connection, events: Sequence[Event]) -> None:
        await self._folds.load(connection, events)

    async def _begin(self, connection: asyncpg.Connection) -> Head:
        await connection.execute(_OPEN, self.stream)
        return await self._stored_head(connection)

    async def _stored_head(self, connection: asyncpg.Connection) -> Head:
        head = await connection.fetchrow(_HEAD, self.stream)
        if head is None:
            raise JournalError(f"Stream {self.stream} has no head.", stream=self.stream)
        if self.epoch is not None and head["epoch"] != self.epoch:
            raise self._fenced()
        return Head(head["seq"], bytes(head["hash"]), head["unfolded"])

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
