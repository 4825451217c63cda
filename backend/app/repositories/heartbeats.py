"""Heartbeats: each process writes its own row, others see how old it is."""

from typing import Any, Final

import msgspec

from app.repositories.paging import Db, Row

GUARDIAN: Final = "guardian"
WORKER: Final = "worker"
"Of each worker `worker:<host>:<process>`."
EXTERNAL: Final = "external"
"Of each vendor that is switched on `external:<vendor>`: whether it could be reached."
_BEAT: Final = """
  INSERT INTO heartbeats (name, at, state) VALUES ($1, clock_timestamp(), $2::jsonb)
  ON CONFLICT (name) DO UPDATE SET at = excluded.at, state = excluded.state"""
_LIST: Final = """
  SELECT name, state, extract(epoch FROM clock_timestamp() - at)::float8 AS age_seconds
  FROM heartbeats WHERE name LIKE $1 ORDER BY name"""


async def beat(db: Db, name: str, state: Any) -> None:  # noqa: ANN401 - whatever msgspec can write
    """Say that `name` is alive, and what of it."""
    await db.execute(_BEAT, name, msgspec.json.encode(state).decode())


async def listed(db: Db, pattern: str = "%") -> list[Row]:
    """Those whose name is LIKE `pattern`, with their state and its age in seconds."""
    rows = await db.fetch(_LIST, pattern)
    return [{**dict(row), "state": msgspec.json.decode(row["state"])} for row in rows]


async def find(db: Db, name: str) -> Row | None:
    """One of them; None when it has never been heard of."""
    rows = await listed(db, name)
    return rows[0] if rows else None


async def forget(db: Db, pattern: str, seconds: float) -> None:
    """Those whose name is LIKE `pattern` and that were silent for longer than `seconds`."""
    await db.execute(
        "DELETE FROM heartbeats WHERE name LIKE $1"
        " AND at < clock_timestamp() - make_interval(secs => $2)",
        pattern,
        seconds,
    )
