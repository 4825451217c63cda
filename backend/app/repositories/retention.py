"""Forgets what grows by itself and is older than the settings keep it, never what was imported.

TimescaleDB's own retention policies know time only, and would drop an imported history on the day
it was imported. So chunks are dropped here, when nothing in them is to be kept; elsewhere rows are
deleted.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec

from app.core.retention import RetentionOptions

Count = Callable[[int, int, str], None]
"""So many of so many, and of what."""
GROWING: Final = ("live", "simulated")
"Data sets that grow by themselves."
LOCK: Final = 7_236_503
"Advisory lock: one process at a time forgets."
_AT_ONCE: Final = 20_000
"Rows a transaction, so that nobody waits long for a lock and WAL stays small."
_STATEMENT_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Rule:
    """What one table keeps. Without a `dataset` column its rows grow in wall-clock time."""

    table: str
    time: str
    days: str
    has_dataset: bool = True


RULES: Final = (
    Rule("ticks", "at", "ticks_days"),
    Rule("quotes", "at", "quotes_days"),
    Rule("options_data", "at", "options_days"),
    Rule("indicators", "start", "indicators_days"),
    Rule("metrics", "at", "metrics_days", has_dataset=False),
    Rule("quarantine", "recorded_at", "quarantine_days", has_dataset=False),
    Rule("alerts", "resolved_at", "alerts_days", has_dataset=False),
    Rule("availability", "until", "availability_days", has_dataset=False),
    Rule("job_runs", "finished_at", "job_runs_days", has_dataset=False),
)

_ACCOUNT: Final = "Belongs to an account: never forgotten."
_FEW: Final = "One row a thing that people made or switched on: does not grow by itself."
_STATE: Final = "One row a thing, written over."
_MARKET: Final = "Facts of the market, of which replays and backtests are made."
KEPT_OTHERWISE: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            *("account_members", "accounts", "cash_movements", "commands", "daily_performance"),
            *("deployments", "engine_checkpoints", "executions", "ledgers", "order_groups"),
            *("orders", "positions", "reconciliations", "risk_checks", "risk_violations"),
            *("signals", "standing_targets", "strategy_events", "trades", "trading_state"),
        ),
        _ACCOUNT,
    ),
    **dict.fromkeys(
        (
            *("api_keys", "backtest_trades", "backtests", "credentials", "instruments"),
            *("notification_channels", "option_contracts", "sign_up_tokens", "stocks"),
            *("strategies", "sweeps", "system_config", "users"),
        ),
        _FEW,
    ),
    **dict.fromkeys(
        (
            *("bar_series", "broker_states", "feed_states", "handler_cursors", "job_states"),
            *("journal_streams", "leases"),
        ),
        _STATE,
    ),
    **dict.fromkeys(
        (
            *("corporate_actions", "data_gaps", "data_imports", "disclosures", "stock_data"),
            "stock_data_revisions",
        ),
        _MARKET,
    ),
    "alert_deliveries": "Goes with its alert.",
    "audit_trail": "The proof of who did what: its chain has no end.",
    "backups": "One row a backup; the files have a retention of their own.",
    "config_history": "Who changed which setting, for rolling back: as rare as people are.",
    "errors": "RETENTION_ERRORS_DAYS, by the job metric_rollup.",
    "handler_deliveries": "A day once handled, by the bus; a dead letter until it is sent again.",
    "heartbeats": "Each process forgets those that are silent for long.",
    "idempotency_keys": "A day, by the job housekeeping.",
    "market_data_cache": "Until each row expires.",
    "metric_rollups": "RETENTION_METRICS_5M_DAYS and _1H_DAYS, by the job metric_rollup.",
    "refresh_tokens": "A month after their end, by the job housekeeping.",
    "sessions": "A month after their end, by the job housekeeping.",
    "trading_events": "The journal: everything is decided again from it.",
}
"Every other table, and why nothing of it is forgotten here."

# The clock of a simulated data set is that of its accounts.
_CLOCK: Final = """
  SELECT CASE WHEN $1 = 'live' THEN $2 ELSE max(clock_at) END FROM accounts WHERE dataset = $1"""

_HYPERTABLES: Final = "SELECT hypertable_name FROM timescaledb_information.hypertables"
_CHUNKS: Final = """
  SELECT format('%I.%I', chunk_schema, chunk_name) AS name, range_start, range_end
  FROM timescaledb_information.chunks
  WHERE hypertable_name = $1 AND range_start < $2 ORDER BY range_start"""
_DROP: Final = """
  SELECT drop_chunks(
    $1::text::regclass, older_than => $2::timestamptz, newer_than => $3::timestamptz)"""

_DELETE: Final = {
    rule.table: f"""
      DELETE FROM {rule.table} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM {rule.table} WHERE {rule.time} < $1
          {"AND dataset = $2" if rule.has_dataset else ""} LIMIT {_AT_ONCE}))"""
    for rule in RULES
}
_DELETE_BETWEEN: Final = {
    rule.table: f"""
      DELETE FROM {rule.table} WHERE {rule.time} >= $1 AND {rule.time} < $2
        {"AND dataset = $3" if rule.has_dataset else ""}"""
    for rule in RULES
}


class Forgotten(msgspec.Struct, frozen=True):
    """What one table lost."""

    table: str
    dataset: str | None
    before: datetime
    rows: int
    chunks: int


def _quiet(_done: int, _total: int, _what: str) -> None:
    """Nobody wants to know."""


async def forget(
    pool: asyncpg.Pool, now: datetime, kept: RetentionOptions, count: Count = _quiet
) -> list[Forgotten]:
    """Forget what is too old; nothing while another process is at it. `now` is the wall clock."""
    async with pool.acquire() as db:
        if not await db.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            return []
        try:
            forgotten, due = [], await _due(db, now, kept)
            for number, (rule, dataset, before) in enumerate(due):
                count(number, len(due), f"tables were looked through; now {rule.table}")
                if (found := await _forget(db, rule, dataset, before)) is not None:
                    forgotten.append(found)
            return forgotten
        finally:
            await db.execute("SELECT pg_advisory_unlock($1)", LOCK)


async def _due(
    db: asyncpg.Connection, now: datetime, kept: RetentionOptions
) -> list[tuple[Rule, str | None, datetime]]:
    clocks = {name: await db.fetchval(_CLOCK, name, now) for name in GROWING}
    return [
        (rule, dataset, clock - timedelta(days=getattr(kept, rule.days)))
        for rule in RULES
        if getattr(kept, rule.days)
        for dataset, clock in _clocks(rule, clocks, now)
    ]


def _clocks(
    rule: Rule, clocks: dict[str, datetime | None], now: datetime
) -> Iterator[tuple[str | None, datetime]]:
    if not rule.has_dataset:
        yield None, now
        return
    for dataset, clock in clocks.items():
        if clock is not None:
            yield dataset, clock


async def _forget(
    db: asyncpg.Connection, rule: Rule, dataset: str | None, before: datetime
) -> Forgotten | None:
    if rule.table in await _hypertables(db):
        rows, chunks = await _from_chunks(db, rule, dataset, before)
    else:
        rows, chunks = await _from_table(db, rule, dataset, before), 0
    return Forgotten(rule.table, dataset, before, rows, chunks) if rows or chunks else None


async def _hypertables(db: asyncpg.Connection) -> set[str]:
    if not await db.fetchval("SELECT to_regproc('drop_chunks') IS NOT NULL"):
        return set()
    return {row["hypertable_name"] for row in await db.fetch(_HYPERTABLES)}


async def _from_table(
    db: asyncpg.Connection, rule: Rule, dataset: str | None, before: datetime
) -> int:
    arguments = (before, dataset) if rule.has_dataset else (before,)
    rows = 0
    while True:
        said = await db.execute(_DELETE[rule.table], *arguments, timeout=_STATEMENT_SECONDS)
        deleted = _count(said)
        rows += deleted
        if deleted < _AT_ONCE:
            return rows


async def _from_chunks(
    db: asyncpg.Connection, rule: Rule, dataset: str | None, before: datetime
) -> tuple[int, int]:
    """Rows deleted and chunks dropped: a chunk that holds nothing else goes in milliseconds."""
    rows = chunks = 0
    for chunk in await db.fetch(_CHUNKS, rule.table, before):
        start, end = chunk["range_start"], chunk["range_end"]
        if end <= before and not await _holds_others(db, chunk["name"], dataset):
            await db.execute(_DROP, rule.table, end, start)
            chunks += 1
            continue
        until = min(end, before)
        arguments = (start, until, dataset) if rule.has_dataset else (start, until)
        said = await db.execute(_DELETE_BETWEEN[rule.table], *arguments, timeout=_STATEMENT_SECONDS)
        rows += _count(said)
    return rows, chunks


async def _holds_others(db: asyncpg.Connection, chunk: str, dataset: str | None) -> bool:
    """Whether a chunk, named as the catalogue quotes it, has rows of other data sets."""
    if dataset is None:
        return False
    query = f"SELECT EXISTS (SELECT FROM {chunk} WHERE dataset <> $1)"
    return bool(await db.fetchval(query, dataset))


def _count(said: str) -> int:
    """Rows, from a command tag such as `DELETE 7`."""
    return int(said.rpartition(" ")[2])
