"""Alerts on their way to channels: planned once a round, claimed, retried, told apart for ever."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister, plain

_LISTING: Final = Listing(
    select="""d.id, d.alert_id, d.channel, d.kind, d.round, d.status, d.attempts, d.error,
      CASE WHEN d.status = 'pending' THEN d.next_attempt_at END AS next_attempt_at,
      d.delivered_at, d.created_at""",
    source="alert_deliveries d",
    keys=(("d.id", "bigint"),),
)
_ALERT: Final = """a.id, a.key, a.rule, a.category, a.severity, a.title, a.detail, a.occurrences,
   a.metadata AS context, a.account_id, a.deployment_id, a.raised_at, a.resolved_at, a.resolved_by,
   a.acknowledged_at, a.round, a.announced, a.is_end_announced"""
_UNANNOUNCED: Final = f"""
  SELECT {_ALERT} FROM alerts a
  WHERE a.announced < a.round OR a.resolved_at IS NOT NULL AND NOT a.is_end_announced
  ORDER BY a.id LIMIT $1 FOR UPDATE SKIP LOCKED"""
_ADD: Final = """
  INSERT INTO alert_deliveries (alert_id, channel, kind, round, next_attempt_at)
  SELECT $1, name, $3, $4, $5 FROM unnest($2::text[]) AS name
  ON CONFLICT (alert_id, channel, kind, round) DO NOTHING"""
_ESCALATE: Final = """
  UPDATE alerts SET round = round + 1
  WHERE resolved_at IS NULL AND acknowledged_at IS NULL AND severity = 'critical'
    AND announced = round AND announced_at < $1 AND round <= $2 RETURNING id"""
_IS_ANY: Final = """
  SELECT EXISTS (
      SELECT FROM alerts
      WHERE announced < round OR resolved_at IS NOT NULL AND NOT is_end_announced
    ) OR EXISTS (
      SELECT FROM alert_deliveries WHERE status = 'pending' AND next_attempt_at <= $1
    )"""

# The first of each channel to which nothing is being sent. Whoever asks at the same moment finds
# the same ones: they are locked, or the condition is looked at again once they are not.
_CLAIM: Final = """
  WITH first AS (
    SELECT DISTINCT ON (d.channel) d.id,
      array_position(ARRAY['critical', 'error', 'warning', 'info'], a.severity) AS rank
    FROM alert_deliveries d JOIN alerts a ON a.id = d.alert_id
    WHERE d.status = 'pending' AND d.next_attempt_at <= $1 AND NOT EXISTS (
      SELECT FROM alert_deliveries o WHERE o.channel = d.channel AND o.status = 'pending'
        AND (o.is_sending AND o.next_attempt_at > $1 OR NOT $4 AND o.attempts > 0))
    ORDER BY d.channel, rank, d.id
  )
  UPDATE alert_deliveries d
  SET attempts = d.attempts + 1, next_attempt_at = $2, is_sending = true
  FROM (
    SELECT d.id FROM alert_deliveries d JOIN first f ON f.id = d.id
    WHERE d.status = 'pending' AND d.next_attempt_at <= $1
    ORDER BY f.rank, d.id LIMIT $3 FOR UPDATE OF d SKIP LOCKED
  ) due
  WHERE d.id = due.id
  RETURNING d.id, d.alert_id, d.channel, d.kind, d.round, d.attempts"""


def listing(db: Db, alert_id: int) -> Fetch:
    """Those of one alert, newest first."""
    return lister(db, _LISTING, Where().add("d.alert_id = {}", alert_id))


async def alert(db: Db, alert_id: int) -> Row:
    """An alert with all that an announcement says of it."""
    row = await db.fetchrow(f"SELECT {_ALERT} FROM alerts a WHERE a.id = $1", alert_id)
    assert row is not None  # deliveries go with their alert
    return plain(row, ("context",))


async def unannounced(db: asyncpg.Connection, limit: int) -> list[Row]:
    """Alerts with a round, or an end, that no deliveries were made for; locked."""
    return [plain(row, ("context",)) for row in await db.fetch(_UNANNOUNCED, limit)]


async def add(
    db: Db, alert_id: int, channels: Sequence[str], kind: str, round_: int, at: datetime
) -> None:
    """One delivery a channel, due at once; those that exist stay as they are."""
    await db.execute(_ADD, alert_id, list(channels), kind, round_, at)


async def mark_announced(db: Db, alert_id: int, round_: int, at: datetime) -> None:
    """The deliveries of this round are made."""
    await db.execute(
        "UPDATE alerts SET announced = $2, announced_at = $3 WHERE id = $1", alert_id, round_, at
    )


async def mark_end_announced(db: Db, alert_id: int) -> None:
    """Nothing is left to tell of it."""
    await db.execute(
        "UPDATE alerts SET announced = round, is_end_announced = true WHERE id = $1", alert_id
    )


async def tell_no_end(db: Db, alert_id: int) -> None:
    """That it is over is no news; what it says is still to be announced."""
    await db.execute("UPDATE alerts SET is_end_announced = true WHERE id = $1", alert_id)


async def told(db: Db, alert_id: int) -> list[str]:
    """Channels that have heard of an alert."""
    found = await db.fetch(
        "SELECT DISTINCT channel FROM alert_deliveries"
        " WHERE alert_id = $1 AND kind = 'raised' AND status = 'delivered' ORDER BY 1",
        alert_id,
    )
    return [row["channel"] for row in found]


async def escalate(db: Db, before: datetime, most: int) -> list[int]:
    """Begin another round of critical alerts announced before then that nobody acknowledged."""
    return [row["id"] for row in await db.fetch(_ESCALATE, before, most)]


async def is_any(db: Db, now: datetime) -> bool:
    """Whether anything is to be planned or sent: one look at two small indexes."""
    return bool(await db.fetchval(_IS_ANY, now))


async def claim(
    db: Db, now: datetime, until: datetime, limit: int, *, failing: bool = True
) -> list[Row]:
    """Take due deliveries, one a channel, the gravest first; nobody else sees them before `until`.

    Nothing is taken for a channel to which something is being sent, whoever sends it: what a
    channel gets stays in order. Without `failing` channels are left out that have failed lately.
    """
    return [dict(row) for row in await db.fetch(_CLAIM, now, until, limit, failing)]


async def delivered(db: Db, delivery_id: int, at: datetime) -> None:
    """The other side has it."""
    await db.execute(
        "UPDATE alert_deliveries SET status = 'delivered', delivered_at = $2, error = NULL,"
        " is_sending = false"
        " WHERE id = $1",
        delivery_id,
        at,
    )


async def postpone(db: Db, delivery_id: int, until: datetime) -> None:
    """Quiet hours: that was no attempt."""
    await db.execute(
        "UPDATE alert_deliveries SET next_attempt_at = $2, attempts = attempts - 1,"
        " is_sending = false WHERE id = $1",
        delivery_id,
        until,
    )


async def failed(db: Db, delivery_id: int, error: str, again: datetime) -> None:
    """Try again then."""
    await db.execute(
        "UPDATE alert_deliveries SET error = $2, next_attempt_at = $3, is_sending = false"
        " WHERE id = $1",
        delivery_id,
        error,
        again,
    )


async def give_up(db: Db, delivery_id: int, status: str, error: str) -> None:
    """`dead`: it never arrived. `skipped`: it no longer mattered."""
    await db.execute(
        "UPDATE alert_deliveries SET status = $2, error = $3, is_sending = false WHERE id = $1",
        delivery_id,
        status,
        error,
    )
