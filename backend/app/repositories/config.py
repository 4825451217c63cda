"""Limits and other settings in the database: read, changed with their history."""

from typing import Any, Final

import msgspec
import orjson

from app.domain.limits import Limits
from app.domain.scopes import ALL, tightest, typed
from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister, plain

_HISTORY: Final = Listing(
    select="h.id, h.scope, h.key, h.before, h.after, h.actor, nullif(h.reason, '') AS reason, h.at",
    source="config_history h",
    keys=(("h.id", "bigint"),),
    documents=("before", "after"),
)


async def values(db: Db, scope: str = "all") -> dict[str, Row]:
    """Every key of a scope: value, description, updated_at, updated_by."""
    found = await db.fetch(
        "SELECT key, value, description, updated_at, updated_by FROM system_config"
        " WHERE scope = $1 ORDER BY key",
        scope,
    )
    return {row["key"]: plain(row, ("value",)) for row in found}


async def change(
    db: Db,
    scope: str,
    key: str,
    value: Any,  # noqa: ANN401 - any JSON
    actor: str,
    reason: str,
    *,
    forget: bool = False,
) -> Any:  # noqa: ANN401 - any JSON
    """Store a value with its history, in the caller's transaction; returns the one before.

    A deployment's, symbol's or account's None takes its value away, and so does `forget`. Once it
    commits, processes that listen to `config` hear the key.
    """
    before = await db.fetchval(
        "SELECT value::text FROM system_config WHERE scope = $1 AND key = $2 FOR UPDATE", scope, key
    )
    after = orjson.dumps(value, default=str).decode()
    if forget or (value is None and scope != ALL):
        await db.execute("DELETE FROM system_config WHERE scope = $1 AND key = $2", scope, key)
    else:
        await _store(db, scope, key, after, actor)
    await db.execute(
        "INSERT INTO config_history (scope, key, before, after, actor, reason)"
        " VALUES ($1, $2, $3::jsonb, $4::jsonb, $5, $6)",
        scope,
        key,
        before,
        after,
        actor,
        reason,
    )
    await db.execute("SELECT pg_notify('config', $1)", key)
    return orjson.loads(before) if before is not None else None


async def _store(db: Db, scope: str, key: str, value: str, actor: str) -> None:
    await db.execute(
        """
        INSERT INTO system_config (scope, key, value, updated_by) VALUES ($1, $2, $3::jsonb, $4)
        ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value,
          updated_by = excluded.updated_by
        """,
        scope,
        key,
        value,
        actor,
    )


async def limits(db: Db, account_id: int) -> Limits:
    """The limits of an account: of all and its own the tightest, over the defaults."""
    stored = await values(db)
    known = {field.name for field in msgspec.structs.fields(Limits)}
    given = {key: row["value"] for key, row in stored.items() if key in known}
    own = await values(db, f"account:{account_id}")
    tighter = {
        key: typed(key, row["value"]) for key, row in own.items() if row["value"] is not None
    }
    return tightest(msgspec.convert(given, Limits, strict=False), tighter)


async def scopes(db: Db, account_id: int | None = None) -> dict[str, dict[str, Any]]:
    """What deployments (of one account, or of all) and symbols are limited to, by scope."""
    found = await db.fetch(
        """
        SELECT scope, key, value FROM system_config
        WHERE scope LIKE 'symbol:%' OR (scope LIKE 'deployment:%' AND ($1::bigint IS NULL OR
          split_part(scope, ':', 2)::bigint IN (SELECT id FROM deployments WHERE account_id = $1)))
        ORDER BY scope, key
        """,
        account_id,
    )
    given: dict[str, dict[str, Any]] = {}
    for row in found:
        given.setdefault(row["scope"], {})[row["key"]] = plain(row, ("value",))["value"]
    return given


async def stored_scopes(db: Db) -> list[Row]:
    """Every value that a scope other than `all` has."""
    found = await db.fetch(
        "SELECT scope, key, value, updated_at, updated_by FROM system_config WHERE scope <> 'all'"
        " ORDER BY scope, key"
    )
    return [plain(row, ("value",)) for row in found]


async def past(db: Db, change_id: int) -> Row | None:
    """One change; `is_first`: there was no value before it."""
    row = await db.fetchrow(
        "SELECT id, scope, key, before, after, before IS NULL AS is_first FROM config_history"
        " WHERE id = $1",
        change_id,
    )
    return plain(row, ("before", "after")) if row else None


def history(db: Db, key: str | None = None, scope: str | None = None) -> Fetch:
    """Changes, newest first."""
    return lister(db, _HISTORY, Where().add("h.key = {}", key).add("h.scope = {}", scope))
