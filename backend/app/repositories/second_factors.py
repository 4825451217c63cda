"""The second factor of people: a sealed secret, the last step that was used, recovery hashes."""

from collections.abc import Sequence
from datetime import datetime

from app.repositories.paging import Db, Row


async def get(db: Db, user_id: int) -> Row | None:
    """The sealed secret with its key id, whether it is confirmed, and how many codes are left."""
    row = await db.fetchrow(
        "SELECT totp_secret, totp_key_id, totp_confirmed_at,"
        " cardinality(recovery_hashes) AS recovery_codes_left FROM users WHERE id = $1",
        user_id,
    )
    return dict(row) if row else None


async def propose(db: Db, user_id: int, key_id: str, token: bytes) -> bool:
    """Keep a secret that waits to be confirmed; False when there is a confirmed one."""
    return bool(
        await db.fetchval(
            "UPDATE users SET totp_secret = $2, totp_key_id = $3, totp_last_step = NULL"
            " WHERE id = $1 AND totp_confirmed_at IS NULL RETURNING true",
            user_id,
            token,
            key_id,
        )
    )


async def confirm(db: Db, user_id: int, now: datetime, hashes: Sequence[bytes]) -> bool:
    """From now on a sign-in needs a code; False when it did already, or there is no secret."""
    return bool(
        await db.fetchval(
            "UPDATE users SET totp_confirmed_at = $2, recovery_hashes = $3"
            " WHERE id = $1 AND totp_confirmed_at IS NULL AND totp_secret IS NOT NULL"
            " RETURNING true",
            user_id,
            now,
            list(hashes),
        )
    )


async def remove(db: Db, user_id: int) -> bool:
    """No second factor any more; False when there was none."""
    return bool(
        await db.fetchval(
            "UPDATE users SET totp_secret = NULL, totp_key_id = NULL, totp_confirmed_at = NULL,"
            " totp_last_step = NULL, recovery_hashes = '{}'"
            " WHERE id = $1 AND totp_secret IS NOT NULL RETURNING true",
            user_id,
        )
    )


async def spend_step(db: Db, user_id: int, step: int) -> bool:
    """Take a step; False when it, or a later one, was taken before: the code is replayed."""
    return bool(
        await db.fetchval(
            "UPDATE users SET totp_last_step = $2 WHERE id = $1"
            " AND (totp_last_step IS NULL OR totp_last_step < $2) RETURNING true",
            user_id,
            step,
        )
    )


async def spend_recovery(db: Db, user_id: int, hashed: bytes) -> bool:
    """Take a recovery code; False when it is unknown or was used."""
    return bool(
        await db.fetchval(
            "UPDATE users SET recovery_hashes = array_remove(recovery_hashes, $2)"
            " WHERE id = $1 AND $2 = ANY (recovery_hashes) RETURNING true",
            user_id,
            hashed,
        )
    )
