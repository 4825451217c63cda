"""Deliveries of the event bus: cursors, what waits, what is done, dead letters and their return."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from app.core.clock import Clock
from app.core.logging import get_logger
from app.core.redaction import redact_text
from app.domain.events import Severity
from app.events.handlers import LANES, CommittedEvent, EventHandler
from app.events.lanes import Waiting
from app.repositories import alerts, events
from app.repositories.alerts import NewAlert
from app.repositories.journal import LOST_CONNECTION, SharedJournal
from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister

log = get_logger("jobs")
CHANNEL: Final = "handler_deliveries"
_LOCKS: Final = 7_236_601
"Class of the advisory locks that say which process runs a handler."
_PAGE: Final = 1_000
_MOST_OF_AN_ERROR: Final = 2_000

_EVENT: Final = """e.stream, e.seq, e.event_type, e.priority, e.occurred_at, e.recorded_at,
  e.caused_by, e.correlation_id, e.actor, e.payload AS data"""

_ENROLL: Final = """
  WITH known AS (SELECT EXISTS (SELECT FROM handler_cursors WHERE handler = $1) AS is_known)
  INSERT INTO handler_cursors (handler, stream, seq)
  SELECT $1, s.stream, CASE WHEN k.is_known OR $2 THEN 0 ELSE s.seq END
  FROM known k, (
    SELECT stream, seq FROM journal_streams WHERE stream <> 'audit'
    UNION ALL
    SELECT 'system', 0 WHERE NOT EXISTS (SELECT FROM journal_streams WHERE stream = 'system')
  ) s
  ON CONFLICT DO NOTHING"""
"""A handler that nobody knew begins at the present. That of `system` is always remembered, so that
a stream which appears later is one that the handler knew before its first event."""

_NEW: Final = f"""
  SELECT {_EVENT} FROM trading_events e
  WHERE e.stream = $1 AND e.seq > $2 AND e.seq <= $3
    AND ($4::text[] IS NULL OR e.event_type = ANY($4))
  ORDER BY e.seq"""

_HAND_OUT: Final = """
  WITH moved AS (
    INSERT INTO handler_cursors AS c (handler, stream, seq) VALUES ($1, $2, $4)
    ON CONFLICT (handler, stream) DO UPDATE SET seq = excluded.seq WHERE c.seq <= $3
    RETURNING 1
  ), queued AS (
    INSERT INTO handler_deliveries (handler, stream, seq, key)
    SELECT $1, $2, n.seq, n.key FROM moved, unnest($5::bigint[], $6::text[]) AS n (seq, key)
    ON CONFLICT DO NOTHING
  )
  SELECT EXISTS (SELECT FROM moved)"""

_SAVE: Final = """
  UPDATE handler_cursors c SET seq = n.seq
  FROM unnest($2::text[], $3::bigint[]) AS n (stream, seq)
  WHERE c.handler = $1 AND c.stream = n.stream AND c.seq < n.seq"""

_WAITING: Final = """
  SELECT d.stream, d.seq, d.key, e.priority, e.event_type, d.attempts,
         extract(epoch FROM d.next_attempt_at - clock_timestamp())::float8 AS due_in
  FROM handler_deliveries d JOIN trading_events e USING (stream, seq)
  WHERE d.handler = $1 AND d.status = 'pending'"""
_IN_ORDER: Final = "ORDER BY d.created_at, d.stream, d.seq"

_TAKE: Final = f"""
  SELECT {_EVENT} FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS n (stream, seq, place)
  JOIN handler_deliveries d ON d.handler = $1 AND d.stream = n.stream AND d.seq = n.seq
  JOIN trading_events e ON e.stream = n.stream AND e.seq = n.seq
  WHERE d.status = 'pending' ORDER BY n.place FOR UPDATE OF d"""

_DELIVERED: Final = """
  UPDATE handler_deliveries d
  SET status = 'delivered', attempts = attempts + 1, delivered_at = clock_timestamp(), error = NULL
  FROM unnest($2::text[], $3::bigint[]) AS n (stream, seq)
  WHERE d.handler = $1 AND d.stream = n.stream AND d.seq = n.seq AND d.status = 'pending'"""

_FAILED: Final = """
  UPDATE handler_deliveries SET attempts = $4, error = $5, next_attempt_at = $6, status = $7
  WHERE handler = $1 AND stream = $2 AND seq = $3 AND status = 'pending'"""

_REDRIVE: Final = """
  UPDATE handler_deliveries
  SET status = 'pending', attempts = 0, next_attempt_at = clock_timestamp()
  WHERE status = 'dead' AND ($1::text IS NULL OR handler = $1)
    AND ($2::text IS NULL OR stream = $2) AND ($3::bigint IS NULL OR seq = $3)
  RETURNING handler"""

_OVERVIEW: Final = """
  SELECT c.handler,
    sum(greatest(s.seq - c.seq, 0))::bigint AS behind,
    (SELECT count(*) FROM handler_deliveries d
     WHERE d.handler = c.handler AND d.status = 'pending') AS waiting,
    (SELECT count(*) FROM handler_deliveries d
     WHERE d.handler = c.handler AND d.status = 'dead') AS dead_letters,
    (SELECT min(d.created_at) FROM handler_deliveries d
     WHERE d.handler = c.handler AND d.status = 'pending') AS waiting_since
  FROM handler_cursors c LEFT JOIN journal_streams s USING (stream)
  GROUP BY c.handler ORDER BY c.handler"""

_PRUNE: Final = """
  DELETE FROM handler_deliveries WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM handler_deliveries
    WHERE status = 'delivered' AND delivered_at < $1 LIMIT 10000))"""

_DEAD: Final = Listing(
    select="""d.handler, d.stream, d.seq, e.event_type AS type, e.priority, e.occurred_at,
      d.attempts, d.error, d.updated_at AS died_at, e.payload AS data""",
    source="handler_deliveries d JOIN trading_events e USING (stream, seq)",
    keys=(
        ("d.updated_at", "timestamptz"),
        ("d.handler", "text"),
        ("d.stream", "text"),
        ("d.seq", "bigint"),
    ),
    documents=("data",),
)


@dataclass
class Attempt:
    """An open transaction in which `events` are handled."""

    db: asyncpg.Connection
    events: list[CommittedEvent]


class HandlerDeliveries:
    """What the bus remembers. `pool` should be its own: as many connections as handlers have
    slots, and a few more."""

    def __init__(self, pool: asyncpg.Pool, journal: SharedJournal, clock: Clock) -> None:
        self._pool = pool
        self._journal = journal
        self._clock = clock

    async def own(self, connection: asyncpg.Connection, handler: str) -> bool:
        """Try to become the one who runs the handler, as long as `connection` lives."""
        return bool(
            await connection.fetchval(
                "SELECT pg_try_advisory_lock($1, hashtext($2))", _LOCKS, handler
            )
        )

    async def enroll(self, handler: EventHandler) -> dict[str, int]:
        """Where the handler stands in every stream; makes cursors for those it did not know."""
        async with self._pool.acquire() as db, db.transaction():
            await db.execute(_ENROLL, handler.name, handler.from_beginning)
            found = await db.fetch(
                "SELECT stream, seq FROM handler_cursors WHERE handler = $1", handler.name
            )
        return {row["stream"]: row["seq"] for row in found}

    async def heads(self) -> dict[str, int]:
        """Last seq of every stream."""
        return await events.heads(self._pool)

    async def hand_out(
        self, handler: EventHandler, stream: str, after: int, until: int
    ) -> list[Waiting]:
        """Store the events of (after, until] that the handler wants as waiting, and its cursor.

        Nothing is handed out when somebody else's cursor was further already.
        """
        types = None if handler.types is None else sorted(handler.types)
        rows = await self._pool.fetch(_NEW, stream, after, until, types)
        if not rows:
            return []
        made = [CommittedEvent.from_row(row) for row in rows]
        found = [
            Waiting(one.stream, one.seq, _key(handler, one), LANES[one.priority], one.event_type)
            for one in made
        ]
        seqs, keys = [one.seq for one in found], [one.key for one in found]
        is_ours = await self._pool.fetchval(
            _HAND_OUT, handler.name, stream, after, until, seqs, keys
        )
        return found if is_ours else []

    async def save(self, handler: str, positions: Mapping[str, int]) -> None:
        """Cursors that passed events of no concern."""
        await self._pool.execute(_SAVE, handler, list(positions), list(positions.values()))

    async def waiting(self, handler: str) -> AsyncIterator[list[Waiting]]:
        """Everything that waits for the handler, in order, page by page."""
        async with self._pool.acquire() as db, db.transaction(readonly=True):
            cursor = await db.cursor(f"{_WAITING} {_IN_ORDER}", handler)
            while rows := await cursor.fetch(_PAGE):
                yield [_waiting(row) for row in rows]

    async def waiting_of(self, handler: str, key: str, limit: int) -> list[Waiting]:
        """The first that wait of one key."""
        sql = f"{_WAITING} AND d.key = $2 {_IN_ORDER} LIMIT $3"
        return [_waiting(row) for row in await self._pool.fetch(sql, handler, key, limit)]

    @asynccontextmanager
    async def attempt(self, handler: str, taken: list[Waiting]) -> AsyncIterator[Attempt]:
        """A transaction in which those of `taken` that still wait are locked. Leaving it marks
        them as delivered and commits; an error rolls everything back."""
        streams, seqs = [one.stream for one in taken], [one.seq for one in taken]
        async with self._pool.acquire() as db:
            transaction = db.transaction()
            await transaction.start()
            try:
                rows = await db.fetch(_TAKE, handler, streams, seqs)
                yield Attempt(db, [CommittedEvent.from_row(row) for row in rows])
                # Only what was handed over: the others may be dead, or sent again meanwhile.
                done = [row["stream"] for row in rows], [row["seq"] for row in rows]
                await db.execute(_DELIVERED, handler, *done)
                await transaction.commit()
            except BaseException:
                with suppress(asyncpg.PostgresError, *LOST_CONNECTION):  # it may have been cut
                    await transaction.rollback()
                raise

    async def failed(self, handler: str, one: Waiting, error: str, again_at: datetime) -> None:
        """Remember a failure and when to try again."""
        await self._pool.execute(
            _FAILED, handler, *one.place, one.attempts, _short(error), again_at, "pending"
        )

    async def bury(self, handler: str, one: Waiting, error: str) -> None:
        """Make it a dead letter, and raise the alert about the handler in the same transaction."""
        now = self._clock.now()
        alert = NewAlert(
            key=alert_key(handler),
            category="system",
            severity=Severity.CRITICAL if one.lane == LANES["critical"] else Severity.ERROR,
            title=f"Handler {handler} could not handle an event",
            detail=f"{one.event_type} {one.stream}:{one.seq}, {one.attempts} attempts:"
            f" {_short(error)} Send it again with `tradewright dead-letters redrive`.",
            context={"handler": handler, "stream": one.stream, "seq": one.seq},
        )
        async with self._pool.acquire() as db, db.transaction():
            done = await db.execute(
                _FAILED, handler, *one.place, one.attempts, _short(error), now, "dead"
            )
            if done != "UPDATE 0":
                await alerts.raise_alert(db, self._journal, alert, now)

    async def prune(self, keep: timedelta) -> int:
        """Forget deliveries that were done before `keep` ago; the cursor keeps them done."""
        before, gone = self._clock.now() - keep, 0
        while count := int((await self._pool.execute(_PRUNE, before)).split()[-1]):
            gone += count
        return gone


def alert_key(handler: str) -> str:
    """Key of the alert that is open while the handler has dead letters."""
    return f"dead_letters:{handler}"


def dead_letters(
    db: Db,
    handler: str | None = None,
    stream: str | None = None,
    accounts: list[int] | None = None,
) -> Fetch:
    """Events that a handler gave up on, the newest first; `accounts` None means every stream."""
    where = Where().say("d.status = 'dead'")
    where.add("d.handler = {}", handler).add("d.stream = {}", stream)
    if accounts is not None:
        streams = ["system", *(f"account:{account}" for account in accounts)]
        where.add("d.stream = ANY({})", streams)
    return lister(db, _DEAD, where)


async def redrive(
    db: asyncpg.Connection,
    journal: SharedJournal,
    handler: str | None,
    stream: str | None,
    seq: int | None,
    at: datetime,
) -> dict[str, int]:
    """Let dead letters be tried again, as if for the first time; how many by handler.

    In the caller's transaction. The alert of a handler that has none left is cleared.
    """
    counts: dict[str, int] = {}
    for row in await db.fetch(_REDRIVE, handler, stream, seq):
        counts[row["handler"]] = counts.get(row["handler"], 0) + 1
    for name in counts:
        await db.execute("SELECT pg_notify($1, $2)", CHANNEL, name)
        left = await db.fetchval(
            "SELECT count(*) FROM handler_deliveries WHERE handler = $1 AND status = 'dead'", name
        )
        if not left:
            await alerts.clear(db, journal, alert_key(name), at)
    return counts


async def overview(db: Db) -> list[Row]:
    """By handler: events behind its cursor, waiting, dead; since when the oldest waits."""
    return [dict(row) for row in await db.fetch(_OVERVIEW)]


def _key(handler: EventHandler, event: CommittedEvent) -> str:
    """Its stream where the handler itself cannot tell: handling it will fail, and say why."""
    try:
        return handler.key(event)
    except Exception as error:  # noqa: BLE001 - one event must not hold up all the others
        log.warning("event_without_key", handler=handler.name, id=event.id, error=str(error))
        return event.stream


def _waiting(row: Mapping[str, Any]) -> Waiting:
    fields = dict(row)
    lane = LANES[fields.pop("priority")]
    return Waiting(**fields, lane=lane)


def _short(error: str) -> str:
    return redact_text(error)[:_MOST_OF_AN_ERROR]
