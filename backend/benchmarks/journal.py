"""The journal: events a second in batches, chained and durable, against bare COPY of the rows."""

import asyncio
import time
from collections.abc import Sequence

import asyncpg

from app.domain.ports import Entry
from app.repositories.journal import PostgresJournal, stream_of
from app.repositories.projection import Projection
from benchmarks.accounts import SYMBOL, add_account
from benchmarks.engine import market, recorded
from benchmarks.measure import Result, result, scratch_pool

BATCH = 500
KEY = b"k" * 32
COLUMNS = (
    "seq", "event_type", "priority", "occurred_at", "recorded_at", "caused_by", "correlation_id",
    "actor", "payload", "hash",
)  # fmt: skip


def journal() -> list[Result]:
    """With the chain alone, and with the state tables that are written in the same statement."""
    return asyncio.run(_measure(_story()))


async def _measure(batches: Sequence[Sequence[Entry]]) -> list[Result]:
    count = sum(map(len, batches))
    async with scratch_pool() as pool:
        account_id = await add_account(pool)
        folded = await _append(pool, account_id, batches, Projection)
        plain = await _append(pool, account_id + 1, batches, None)
        bare = await _copy(pool, account_id + 1, account_id + 2)
    words = "at least 20,000 events/s"
    against = "COPY of the same rows into the same table"
    return [
        result(
            "journal: events in batches", count / plain, "events/s", limit=count / bare,
            against=against, figure=words, is_met=count / plain >= 20_000,
        ),
        result(
            "journal: events with state tables", count / folded, "events/s", limit=count / bare,
            against=against, figure=words, is_met=count / folded >= 20_000,
        ),
    ]  # fmt: skip


def _story() -> list[list[Entry]]:
    """What an account journals while it trades: slices and everything they cause, in batches."""
    entries = recorded(market(60_000, SYMBOL))
    batches: list[list[Entry]] = []
    current: list[Entry] = []
    for group in entries:
        offset = len(current)
        current += [
            Entry(one.event, None if one.cause is None else one.cause + offset) for one in group
        ]
        if len(current) >= BATCH:
            batches.append(current)
            current = []
    return batches


async def _append(
    pool: asyncpg.Pool,
    account_id: int,
    batches: Sequence[Sequence[Entry]],
    folds: type[Projection] | None,
) -> float:
    stream = stream_of(account_id)
    await pool.execute(
        "INSERT INTO journal_streams (stream, epoch) VALUES ($1, 1)"
        " ON CONFLICT (stream) DO UPDATE SET epoch = 1",
        stream,
    )
    made = folds(account_id, stream) if folds else None
    writer = await PostgresJournal(pool, stream, account_id, 1, KEY, made).open()
    began = time.perf_counter()
    for batch in batches:
        await writer.append(batch)
    seconds = time.perf_counter() - began
    await writer.close()
    return seconds


async def _copy(pool: asyncpg.Pool, source: int, target: int) -> float:
    """Seconds to COPY the rows of one stream into the table again, as another's."""
    rows = await pool.fetch(
        f"SELECT '{stream_of(target)}' AS stream, {', '.join(COLUMNS)}"
        " FROM trading_events WHERE stream = $1 ORDER BY seq",
        stream_of(source),
    )
    records = [tuple(row) for row in rows]
    await pool.execute("INSERT INTO journal_streams (stream) VALUES ($1)", stream_of(target))
    async with pool.acquire() as db:
        began = time.perf_counter()
        await db.copy_records_to_table(
            "trading_events", records=records, columns=("stream", *COLUMNS)
        )
        return time.perf_counter() - began
