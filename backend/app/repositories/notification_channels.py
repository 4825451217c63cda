"""Channels of notifications; their sealed addresses are read by whoever sends, by nobody else."""

from typing import Any, Final

from app.core.errors import NotFound
from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister

_COLUMNS: Final = """c.id, c.name, c.service, c.hint, c.min_severity, c.categories, c.quiet_from,
   c.quiet_to, c.time_zone, c.level, c.tells_resolved, c.wants_digest, c.is_enabled, c.created_by,
   c.created_at, c.updated_at,
   (SELECT max(d.delivered_at) FROM alert_deliveries d WHERE d.channel = c.name)
     AS last_delivered_at"""
_LISTING: Final = Listing(
    select=_COLUMNS,
    source="notification_channels c",
    keys=(("c.level", "bigint"), ("c.id", "bigint")),
    descending=False,
)
_SEALED: Final = """
  SELECT id, name, key_id, ciphertext, min_severity, categories, quiet_from, quiet_to, time_zone,
    level, tells_resolved, wants_digest, is_enabled
  FROM notification_channels"""
_ADD: Final = """
  INSERT INTO notification_channels (name, service, hint, key_id, ciphertext, min_severity,
    categories, quiet_from, quiet_to, time_zone, level, tells_resolved, wants_digest, is_enabled,
    created_by)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
  ON CONFLICT (name) DO NOTHING RETURNING id"""
_CHANGE: Final = """
  UPDATE notification_channels SET min_severity = $2, categories = $3, quiet_from = $4,
    quiet_to = $5, time_zone = $6, level = $7, tells_resolved = $8, wants_digest = $9,
    is_enabled = $10
  WHERE id = $1"""
_RESEAL: Final = """
  UPDATE notification_channels SET service = $2, hint = $3, key_id = $4, ciphertext = $5
  WHERE id = $1"""


def listing(db: Db) -> Fetch:
    """Those that hear first before those that hear later; never an address."""
    return lister(db, _LISTING, Where())


async def get(db: Db, channel_id: int) -> Row:
    """One channel, without its address. Raises NotFound."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM notification_channels c WHERE c.id = $1", channel_id
    )
    if row is None:
        raise NotFound(
            f"There is no notification channel {channel_id}.",
            remedy="See GET /api/notification-channels.",
        )
    return dict(row)


async def sealed(db: Db) -> list[Row]:
    """Every channel with its sealed address, in the order of their levels."""
    return [dict(row) for row in await db.fetch(f"{_SEALED} ORDER BY level, id")]


async def sealed_one(db: Db, channel_id: int) -> Row | None:
    """One of them."""
    row = await db.fetchrow(f"{_SEALED} WHERE id = $1", channel_id)
    return dict(row) if row else None


async def add(db: Db, values: dict[str, Any]) -> int | None:
    """The new channel's id; None when the name is taken. `values` by the columns' names."""
    found = await db.fetchval(
        _ADD,
        *(values[name] for name in ("name", "service", "hint", "key_id", "ciphertext")),
        *_settings(values),
        values["created_by"],
    )
    return int(found) if found is not None else None


async def change(db: Db, channel_id: int, values: dict[str, Any]) -> None:
    """Set everything but name and address."""
    await db.execute(_CHANGE, channel_id, *_settings(values))


async def reseal(
    db: Db, channel_id: int, service: str, hint: str, key_id: str, ciphertext: bytes
) -> None:
    """Another address, or the same under another key."""
    await db.execute(_RESEAL, channel_id, service, hint, key_id, ciphertext)


async def remove(db: Db, channel_id: int) -> bool:
    """False when it was not there."""
    done = await db.execute("DELETE FROM notification_channels WHERE id = $1", channel_id)
    return done != "DELETE 0"


def _settings(values: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(
        values[name]
        for name in (
            *("min_severity", "categories", "quiet_from", "quiet_to", "time_zone", "level"),
            *("tells_resolved", "wants_digest", "is_enabled"),
        )
    )
