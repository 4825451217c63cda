"""What stream and tables of one account say at one instant, for the invariants to compare."""

from decimal import Decimal
from typing import Final

import asyncpg
import msgspec

from app.domain.events import Event, decode
from app.domain.orders import OPEN
from app.engine.invariants import OrderRow, Tables
from app.engine.witness import DECISIONS
from app.repositories import journal
from app.repositories.chain import GENESIS, Record

_HEAD: Final = """
SELECT s.seq - s.unfolded AS seq, CASE WHEN s.unfolded = 0 THEN s.hash ELSE coalesce(
  (SELECT e.hash FROM trading_events e WHERE e.stream = s.stream AND e.seq = s.seq - s.unfolded), $2
) END AS hash
FROM journal_streams s WHERE stream = $1
"""
"Where the tables stand: those of an intent follow milliseconds after it."
_ACCOUNT: Final = "SELECT starting_cash, cash FROM accounts WHERE id = $1"
_POSITIONS: Final = """
SELECT p.ledger, i.symbol, p.quantity FROM positions p JOIN instruments i ON i.id = p.instrument_id
WHERE p.account_id = $1 AND p.quantity <> 0
"""
_LEDGERS: Final = "SELECT ledger, cash FROM ledgers WHERE account_id = $1"
_ORDERS: Final = """
SELECT client_order_id, status, quantity, filled_quantity FROM orders
WHERE account_id = $1 AND status = ANY($2)
"""
_COUNT: Final = "SELECT count(*) FROM trading_events WHERE stream = $1 AND seq > $2 AND seq <= $3"
_PAST: Final = sorted(DECISIONS - {"slice_closed"})
"Of what was before we came, prices are not read: there may be years of them."


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One account at one instant."""

    seq: int
    hash: bytes
    starting_cash: Decimal
    tables: Tables
    records: tuple[Record, ...]
    "What is new in the stream: all of it, or (from the beginning on) decisions alone."
    counted: int
    "How many events there are beyond the last look, whatever they are."

    @property
    def events(self) -> list[tuple[int, Event]]:
        """The new events with their numbers."""
        return [(record.seq, decode(record.payload)) for record in self.records]


async def snapshot(pool: asyncpg.Pool, account_id: int, after: int | None) -> Snapshot:
    """Everything of one instant; `after` is the last event that is known, None for the first look.

    `after` is 0 for a stream that was still empty.
    """
    stream = journal.stream_of(account_id)
    async with (
        pool.acquire() as db,
        db.transaction(isolation="repeatable_read", readonly=True),
    ):
        head = await db.fetchrow(_HEAD, stream, GENESIS)
        account = await db.fetchrow(_ACCOUNT, account_id)
        known = after or 0
        records: list[Record] = []
        while page := await journal.read(
            db, stream, records[-1].seq if records else known, _PAST if after is None else None
        ):
            records += page
        records = [record for record in records if record.seq <= head["seq"]]
        return Snapshot(
            seq=head["seq"],
            hash=bytes(head["hash"]),
            starting_cash=account["starting_cash"],
            tables=await _tables(db, account_id, account["cash"]),
            records=tuple(records),
            counted=await db.fetchval(_COUNT, stream, known, head["seq"]),
        )


async def _tables(db: asyncpg.Connection, account_id: int, cash: Decimal) -> Tables:
    positions = await db.fetch(_POSITIONS, account_id)
    ledgers = await db.fetch(_LEDGERS, account_id)
    orders = await db.fetch(_ORDERS, account_id, sorted(OPEN))
    return Tables(
        cash=cash,
        positions={(row["ledger"], row["symbol"]): row["quantity"] for row in positions},
        ledgers={row["ledger"]: row["cash"] for row in ledgers},
        orders={
            row["client_order_id"]: OrderRow(row["status"], row["quantity"], row["filled_quantity"])
            for row in orders
        },
    )
