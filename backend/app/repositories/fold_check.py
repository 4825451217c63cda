"""Invariant: tables = fold(journal). Folds a stream in memory and compares it with the rows."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.deployments import DeploymentState
from app.domain.events import decode
from app.repositories import journal
from app.repositories.folds.book import Book, InstrumentIds
from app.repositories.folds.rows import Key, Row, Table
from app.repositories.folds.tables import ACCOUNTS, ALL, DEPLOYMENTS, TRADING_STATE
from app.repositories.projection import INSTRUMENTS, apply

_PATIENCE_SECONDS: Final = (0.01, 0.02, 0.05, 0.1, 0.0)
_HEAD: Final = "SELECT seq, unfolded FROM journal_streams WHERE stream = $1"
_DRAWN: Final = frozenset({"id", "order_id"})
"Ids come from sequences: another fold would draw others."
_DOCUMENTS: Final = frozenset(
    {"terms", "indicator_values", "market_context", "metadata", "result", "wanted"}
)
_FILTERS: Final = {
    "accounts": "id = $1",
    "commands": "account_id = $1 AND status <> 'pending'",
    "cash_movements": "account_id = $1 AND seq IS NOT NULL",
    "strategy_events": "account_id = $1 AND seq IS NOT NULL",
}


class Difference(msgspec.Struct, frozen=True):
    """One row that is not what the journal says; None where one side has no such row."""

    table: str
    key: Key
    folded: Row | None
    stored: Row | None


async def differences(pool: asyncpg.Pool, account_id: int) -> list[Difference]:
    """Every row of an account's tables that differs from the fold of its stream.

    The latch is left out: an emergency stop is stored before the engine learns of it.
    """
    return await compare(pool, await _folded(pool, account_id))


async def compare(pool: asyncpg.Pool, book: Book) -> list[Difference]:
    """Every stored row of the book's account that is not as `book` has it."""
    found: list[Difference] = []
    for table in ALL:
        if table is not TRADING_STATE:
            found += await _compare(pool, book, table)
    return found


async def _folded(pool: asyncpg.Pool, account_id: int) -> Book:
    book = Book(account_id)
    for row in await pool.fetch(INSTRUMENTS.format(where="true")):
        book.instruments[row["symbol"]] = InstrumentIds(row["instrument_id"], row["stock_id"])
    cash = await pool.fetchval("SELECT starting_cash FROM accounts WHERE id = $1", account_id)
    account = {"id": account_id, "cash": cash, "clock_at": None, "reconciled_at": None}
    book.rows.remember(ACCOUNTS, account)
    for row in await pool.fetch(
        "SELECT id, strategy_id FROM deployments WHERE account_id = $1", account_id
    ):
        book.strategies[row["id"]] = row["strategy_id"]
        created = {"id": row["id"], "state": DeploymentState.CREATED}
        nothing = dict.fromkeys(("reason", "started_at", "stopped_at"))
        book.rows.remember(DEPLOYMENTS, created | nothing)
    stream = journal.stream_of(account_id)
    shown = await _shown(pool, stream)
    async for record in journal.scan(pool, stream):
        if record.seq > shown:
            break
        if record.event_type in ("order_approved", "order_seen"):
            book.order_ids.append(record.seq)
        apply(book, record, decode(record.payload))
    return book


async def _shown(pool: asyncpg.Pool, stream: str) -> int:
    """Seq of the last event that the tables show; those of an intent follow within milliseconds.

    Where nobody is left to write them they do not, until the stream is opened again.
    """
    for seconds in _PATIENCE_SECONDS:
        head = await pool.fetchrow(_HEAD, stream)
        if head is None or not head["unfolded"]:
            break
        await asyncio.sleep(seconds)
    return 0 if head is None else int(head["seq"] - head["unfolded"])


async def _compare(pool: asyncpg.Pool, book: Book, table: Table) -> list[Difference]:
    columns = [*table.key, *(c for c in (table.columns or table.updates) if c not in table.key)]
    compared = [column for column in columns if column not in _DRAWN or column in table.key]
    sql = f"SELECT {', '.join(compared)} FROM {table.name} WHERE " + _FILTERS.get(
        table.name, "account_id = $1"
    )
    stored = {_key(table, row): _stored(row) for row in await pool.fetch(sql, book.account_id)}
    folded = {_key(table, row): _plain(row, compared) for row in book.rows.of(table)}
    if table is ACCOUNTS and folded[(book.account_id,)]["clock_at"] is None:
        return []  # nothing happened yet, and the clock was set by whoever made the account
    return [
        Difference(table.name, key, folded.get(key), stored.get(key))
        for key in sorted(stored.keys() | folded.keys(), key=str)
        if stored.get(key) != folded.get(key)
    ]


def _key(table: Table, row: Mapping[str, Any]) -> Key:
    return tuple(row[column] for column in table.key)


def _stored(row: Mapping[str, Any]) -> Row:
    return {
        name: msgspec.json.decode(value) if name in _DOCUMENTS and value is not None else value
        for name, value in row.items()
    }


def _plain(row: Row, columns: list[str]) -> Row:
    """As PostgreSQL gives it back: documents through JSON."""
    return {
        name: msgspec.json.decode(msgspec.json.encode(row.get(name)))
        if name in _DOCUMENTS
        else row.get(name)
        for name in columns
    }
