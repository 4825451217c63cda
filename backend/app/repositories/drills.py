"""What an account shows while a fault is drilled on it: its link, its engine, its fills, alerts."""

from datetime import datetime
from typing import Final

import asyncpg
import msgspec

_STATE: Final = """
  SELECT b.state, b.report, b.looked_at, clock_timestamp() AS now,
    coalesce(l.expires_at, 'epoch') AS engine_until,
    EXISTS (SELECT FROM feed_states f WHERE f.account_id = a.id AND f.state = 'up') AS has_feed
  FROM accounts a LEFT JOIN broker_states b ON b.account_id = a.id
    LEFT JOIN leases l ON l.resource = 'account:' || a.id
  WHERE a.id = $1"""
_COUNTS: Final = """
  SELECT (SELECT count(*) FROM executions WHERE account_id = $1) AS fills,
    (SELECT count(*) FROM orders o WHERE account_id = $1 AND quantity <
       (SELECT sum(e.quantity) FROM executions e
        WHERE e.order_id = o.id AND e.busted_at IS NULL)) AS doubled"""
_ALERTS: Final = """
  SELECT DISTINCT severity, title FROM alerts
  WHERE (account_id = $1 OR account_id IS NULL) AND last_seen_at >= $2 ORDER BY title"""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One look. `at` is the database's clock."""

    at: datetime
    state: str | None
    "Of the link; None for the simulated broker, which has none."
    is_reconciled: bool
    differences: int
    failures: int
    looked_at: datetime | None
    engine_until: datetime
    "Until when an engine holds the account, unless it renews that."
    has_feed: bool = False
    "Whether a live feed of the account is heard."

    @property
    def has_engine(self) -> bool:
        return self.engine_until > self.at

    @property
    def is_well(self) -> bool:
        """An engine has the account, connected, with books that were compared and agree."""
        is_linked = self.state is None or (self.state == "up" and self.is_reconciled)
        return self.has_engine and is_linked and not self.failures


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Fills of the account, and orders that were filled for more than they are for."""

    fills: int
    doubled: int


async def look(db: asyncpg.Connection, account_id: int) -> Seen:
    """How the account is now."""
    row = await db.fetchrow(_STATE, account_id)
    report = msgspec.json.decode(row["report"] or "{}")
    return Seen(
        at=row["now"],
        state=row["state"],
        is_reconciled=bool(report.get("is_reconciled")),
        differences=len(report.get("differences", ())),
        failures=int(report.get("failures", 0)),
        looked_at=row["looked_at"],
        engine_until=row["engine_until"],
        has_feed=row["has_feed"],
    )


async def counts(db: asyncpg.Connection, account_id: int) -> Counts:
    """What may not change by itself."""
    row = await db.fetchrow(_COUNTS, account_id)
    return Counts(fills=row["fills"], doubled=row["doubled"])


async def alerts_since(db: asyncpg.Connection, account_id: int, at: datetime) -> list[str]:
    """What an operator was told."""
    rows = await db.fetch(_ALERTS, account_id, at)
    return [f"{row['severity']}: {row['title']}" for row in rows]
