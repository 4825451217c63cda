"""Connections to real brokers: the process that holds one writes, health, metrics and UI read."""

from datetime import datetime
from typing import Any, Final

import msgspec

from app.engine.comparison import Comparison
from app.repositories.paging import Db, Row


class BrokerReport(msgspec.Struct, frozen=True, kw_only=True):
    """How one account and its broker get on now."""

    account_id: int
    broker: str
    state: str
    "connecting, up, down or refused."
    reason: str = ""
    since: datetime
    planned_until: datetime | None = None
    looked_at: datetime | None = None
    is_reconciled: bool = False
    "Since the connection came up; before that nothing is sent but cancels."
    differences: tuple[str, ...] = ()
    in_flight: int = 0
    "Orders that the broker has not answered."
    failures: int = 0
    "Looks at the broker's books that failed, since the last one that did not."


_SAVE: Final = """
  INSERT INTO broker_states
    (account_id, broker, state, reason, since, planned_until, looked_at, report, at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, clock_timestamp())
  ON CONFLICT (account_id) DO UPDATE SET broker = excluded.broker, state = excluded.state,
    reason = excluded.reason, since = excluded.since, planned_until = excluded.planned_until,
    looked_at = excluded.looked_at, report = excluded.report, at = excluded.at"""

_LIST: Final = """
  SELECT b.account_id, a.name AS account, b.broker, a.mode, b.state, b.reason, b.since,
    b.planned_until, b.looked_at, b.report,
    extract(epoch FROM clock_timestamp() - b.at)::float8 AS age_seconds
  FROM broker_states b JOIN accounts a ON a.id = b.account_id
  WHERE a.active AND ($1::bigint[] IS NULL OR b.account_id = ANY($1)) ORDER BY b.account_id"""


async def save(db: Db, report: BrokerReport) -> None:
    """How it is now."""
    figures: dict[str, Any] = {
        "is_reconciled": report.is_reconciled,
        "differences": list(report.differences),
        "in_flight": report.in_flight,
        "failures": report.failures,
    }
    await db.execute(
        _SAVE,
        report.account_id,
        report.broker,
        report.state,
        report.reason,
        report.since,
        report.planned_until,
        report.looked_at,
        msgspec.json.encode(figures).decode(),
    )


async def keep_comparison(db: Db, account_id: int, made: Comparison) -> None:
    """Both books as a whole look saw them, in the place of the look before."""
    await db.execute(
        "UPDATE broker_states SET comparison = $2::jsonb WHERE account_id = $1",
        account_id,
        msgspec.json.encode(made).decode(),
    )


async def comparison(db: Db, account_id: int) -> Comparison | None:
    """What the last whole look saw; None where there was none."""
    found = await db.fetchval(
        "SELECT comparison FROM broker_states WHERE account_id = $1", account_id
    )
    return msgspec.json.decode(found, type=Comparison) if found else None


async def listed(db: Db, accounts: list[int] | None = None) -> list[Row]:
    """Every account with a real broker, with its figures and how old they are in seconds."""
    rows = await db.fetch(_LIST, accounts)
    return [{**dict(row), "report": msgspec.json.decode(row["report"])} for row in rows]
