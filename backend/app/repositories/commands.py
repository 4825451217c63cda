"""Commands: what people ask of the engine that holds an account, and what came of it."""

from typing import Any, Final

import orjson

from app.core.errors import NotFound
from app.repositories.paging import Db, Row, plain

_COLUMNS: Final = "id, account_id, kind, payload, actor, status, result, created_at, completed_at"


async def submit(
    db: Db,
    account_id: int,
    kind: str,
    payload: dict[str, Any],
    actor: str,
    idempotency_key: str | None = None,
) -> int:
    """Store a command and tell the engine at commit; returns its id."""
    return int(
        await db.fetchval(
            """
            WITH added AS (
              INSERT INTO commands (account_id, kind, payload, actor, idempotency_key)
              VALUES ($1, $2, $3::jsonb, $4, $5) RETURNING id)
            SELECT id FROM added, pg_notify('commands', $1::text)
            """,
            account_id,
            kind,
            orjson.dumps(payload, default=str).decode(),
            actor,
            idempotency_key,
        )
    )


async def get(db: Db, command_id: int, accounts: list[int] | None = None) -> Row:
    """One command. Raises NotFound."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM commands WHERE id = $1"
        " AND ($2::bigint[] IS NULL OR account_id = ANY($2))",
        command_id,
        accounts,
    )
    if row is None:
        raise NotFound(f"There is no command {command_id}.")
    return plain(row, ("payload", "result"))


async def pending(db: Db, account_id: int) -> list[Row]:
    """Commands of an account that were not answered yet, in the order in which they came."""
    found = await db.fetch(
        f"SELECT {_COLUMNS} FROM commands WHERE account_id = $1 AND status = 'pending' ORDER BY id",
        account_id,
    )
    return [plain(row, ("payload", "result")) for row in found]


async def give_up(db: Db, command_id: int, result: dict[str, Any]) -> None:
    """Answer a command that broke its engine, so that the next start does not meet it again."""
    await db.execute(
        """
        WITH answered AS (
          UPDATE commands SET status = 'failed', result = $2::jsonb, completed_at = now()
          WHERE id = $1 AND status = 'pending' RETURNING id)
        SELECT pg_notify('command_done', id::text) FROM answered
        """,
        command_id,
        orjson.dumps(result).decode(),
    )
