"""`audit verify`: rows of the journal and of the audit trail checked a second."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import asyncpg

from app.repositories import audit, journal
from app.repositories.audit import Act
from app.repositories.chain import GENESIS, Record, link
from benchmarks.measure import Result, at_least, scratch_pool

KEY = b"k" * 32
ROWS = 200_000
STREAM = "account:1"
BEGAN = datetime(2026, 1, 2, 14, 30, tzinfo=UTC)
COLUMNS = (
    "stream", "seq", "event_type", "priority", "occurred_at", "recorded_at", "caused_by",
    "correlation_id", "actor", "payload", "hash",
)  # fmt: skip
ACTS = 5_000
FIGURE = 100_000


def chains() -> list[Result]:
    """The best of three, by the clock; and by processor time, which a busy machine leaves alone."""
    return asyncio.run(_measure())


async def _measure() -> list[Result]:
    async with scratch_pool() as pool:
        await _journal(pool)
        await _trail(pool)
        clock, processor = await _best(lambda: journal.verify(pool, STREAM, KEY))
        trail, _ = await _best(lambda: audit.verify(pool, KEY))
    return [
        at_least("audit verify: journal", ROWS / clock, "rows/s", FIGURE),
        at_least("audit verify: journal, of a processor", ROWS / processor, "rows/s", FIGURE),
        at_least("audit verify: audit trail", ACTS / trail, "rows/s", FIGURE),
    ]


async def _best(work: Callable[[], Awaitable[int]]) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    times = []
    for _ in range(3):
        began, used = time.perf_counter(), time.process_time()
        await work()
        times.append((time.perf_counter() - began, time.process_time() - used))
    return min(one for one, _ in times), min(one for _, one in times)


async def _journal(pool: asyncpg.Pool) -> None:
    """Events of 400 bytes, chained as the engine does."""
    last, rows = GENESIS, []
    for seq in range(1, ROWS + 1):
        at = BEGAN + timedelta(seconds=seq)
        record = Record(
            stream=STREAM, seq=seq, event_type="slice_closed", priority="normal", occurred_at=at,
            recorded_at=at, caused_by=seq - 1 or None, correlation_id=f"signal-{seq}",
            actor="engine", payload=f'{{"at":"{at.isoformat()}","bars":"{"9" * 330}"}}',
        )  # fmt: skip
        last = link(KEY, last, record)
        rows.append(
            (record.stream, seq, record.event_type, record.priority, at, at, record.caused_by,
             record.correlation_id, record.actor, record.payload, last)
        )  # fmt: skip
    await pool.execute(
        "INSERT INTO journal_streams (stream, seq, hash) VALUES ($1, $2, $3)", STREAM, ROWS, last
    )
    async with pool.acquire() as db:
        await db.copy_records_to_table("trading_events", records=rows, columns=COLUMNS)


async def _trail(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as db, db.transaction():
        for number in range(ACTS):
            act = Act(
                actor="ada@example.com", action="changed", resource="config",
                resource_id="max_position_size", before=number, after=number + 1, reason="test",
            )  # fmt: skip
            await audit.append(db, KEY, act, BEGAN)
