"""The newest prices and chains, stored to fill an empty cache, and the word that bars changed."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from app.marketdata.cache import Kind, Remembered
from app.repositories.paging import Db

CHANNEL: Final = "market_data"
"Its notices say `{dataset}|{symbol}`: bars or contracts changed that may be remembered somewhere."

# A price of the past never replaces a newer one: a process may save late.
_SAVE: Final = """
  INSERT INTO market_data_cache (dataset, instrument_id, kind, payload, at, expires_at)
  SELECT n.dataset, i.id, n.kind, n.payload::jsonb, n.at, $6
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
    AS n (dataset, symbol, kind, payload, at)
  JOIN instruments i ON i.symbol = n.symbol
  ON CONFLICT (dataset, instrument_id, kind) DO UPDATE
    SET payload = excluded.payload, at = excluded.at, expires_at = excluded.expires_at
    WHERE market_data_cache.at <= excluded.at"""

_LOAD: Final = """
  SELECT c.dataset, i.symbol, c.kind, c.payload::text AS payload, c.at
  FROM market_data_cache c JOIN instruments i ON i.id = c.instrument_id
  WHERE (c.expires_at IS NULL OR c.expires_at > $1) AND c.kind = ANY($2)
  ORDER BY c.dataset, i.symbol, c.kind"""

_KINDS: Final = (Kind.QUOTE, Kind.OPTION_CHAIN)


async def save(db: Db, rows: Sequence[Remembered], expires_at: datetime | None) -> None:
    """Keep rows in place of older ones; symbols that nobody knows are left out."""
    if rows:
        await db.execute(
            _SAVE,
            [row.dataset for row in rows],
            [row.symbol for row in rows],
            [row.kind for row in rows],
            [row.payload.decode() for row in rows],
            [row.at for row in rows],
            expires_at,
        )


async def load(db: Db, now: datetime) -> list[Remembered]:
    """What was saved and has not expired."""
    found = await db.fetch(_LOAD, now, list(_KINDS))
    return [
        Remembered(
            dataset=row["dataset"],
            symbol=row["symbol"],
            kind=Kind(row["kind"]),
            payload=row["payload"].encode(),
            at=row["at"],
        )
        for row in found
    ]


async def drop_expired(db: Db, now: datetime) -> None:
    """Forget what is too old to fill a cache with."""
    await db.execute("DELETE FROM market_data_cache WHERE expires_at <= $1", now)


async def announce(db: Db, dataset: str, symbols: Iterable[str]) -> None:
    """Within the transaction that changes bars or contracts: caches drop them once it commits."""
    await db.execute(
        "SELECT pg_notify($1, $2 || '|' || symbol) FROM unnest($3::text[]) AS s (symbol)",
        CHANNEL,
        dataset,
        sorted(set(symbols)),
    )
