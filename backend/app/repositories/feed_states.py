"""States of live feeds: the process that reads them writes, health and metrics read."""

from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.repositories.paging import Db, Row

_SAVE: Final = """
  INSERT INTO feed_states (account_id, provider, place, state, report, at)
  SELECT $1, f.provider, f.place, f.state, f.report, clock_timestamp()
  FROM unnest($2::text[], $3::bigint[], $4::text[], $5::jsonb[])
    AS f (provider, place, state, report)
  ON CONFLICT (account_id, provider) DO UPDATE SET place = excluded.place, state = excluded.state,
    report = excluded.report, at = excluded.at"""

_FORGET: Final = "DELETE FROM feed_states WHERE account_id = $1 AND provider <> ALL($2::text[])"

_LIST: Final = """
  SELECT f.account_id, a.name AS account, f.provider, f.place, f.state, f.report,
    extract(epoch FROM clock_timestamp() - f.at)::float8 AS age_seconds
  FROM feed_states f JOIN accounts a ON a.id = f.account_id
  WHERE a.active ORDER BY f.account_id, f.place"""


async def save(pool: asyncpg.Pool, account_id: int, reports: Sequence[Any]) -> None:
    """The chain of one account as it is now; `reports` are `LinkReport`s, the best first."""
    names = [report.provider for report in reports]
    async with pool.acquire() as db, db.transaction():
        await db.execute(
            _SAVE,
            account_id,
            names,
            [report.place for report in reports],
            [str(report.state) for report in reports],
            [msgspec.json.encode(report).decode() for report in reports],
        )
        await db.execute(_FORGET, account_id, names)


async def listed(db: Db) -> list[Row]:
    """Every provider of every live account, with its report and how old that is in seconds."""
    rows = await db.fetch(_LIST)
    return [{**dict(row), "report": msgspec.json.decode(row["report"])} for row in rows]
