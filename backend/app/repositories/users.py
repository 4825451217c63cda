"""People who may sign in, the accounts they see, and the one-time tokens that let them sign up."""

from datetime import datetime
from typing import Final

from app.core.errors import NotFound
from app.domain.users import CONSOLE
from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister

_COLUMNS: Final = """u.id, u.email, nullif(u.name, '') AS name, u.role, u.active AS is_active,
   u.created_at, u.last_sign_in_at, u.totp_confirmed_at IS NOT NULL AS has_second_factor,
   ARRAY(SELECT m.account_id FROM account_members m WHERE m.user_id = u.id ORDER BY 1)
     AS account_ids"""
_LISTING: Final = Listing(
    select=_COLUMNS, source="users u", keys=(("u.id", "bigint"),), descending=False
)


def listing(db: Db) -> Fetch:
    """Everybody, oldest first; never a password hash."""
    return lister(db, _LISTING, Where().add("u.email <> {}", CONSOLE))


async def get(db: Db, user_id: int) -> Row:
    """One person. Raises NotFound."""
    row = await db.fetchrow(f"SELECT {_COLUMNS} FROM users u WHERE u.id = $1", user_id)
    if row is None:
        raise NotFound(f"There is no user {user_id}.", remedy="See GET /api/users.")
    return dict(row)


async def exist(db: Db) -> bool:
    """True once anybody signed up."""
    return bool(await db.fetchval("SELECT EXISTS (SELECT FROM users WHERE email <> $1)", CONSOLE))


async def lock(db: Db) -> None:
    """Let nobody else add or change users until the transaction ends: sign-up, the last admin."""
    await db.execute("SELECT pg_advisory_xact_lock(hashtext('tradewright.users'))")


async def credentials(db: Db, email: str) -> Row | None:
    """What a password is checked against."""
    row = await db.fetchrow(
        "SELECT id, email, password_hash, active FROM users WHERE email = lower($1)", email
    )
    return dict(row) if row else None


async def password_hash(db: Db, user_id: int) -> str:
    """The stored argon2id hash of a person."""
    return str(await db.fetchval("SELECT password_hash FROM users WHERE id = $1", user_id))


async def add(db: Db, email: str, name: str, role: str, hashed: str) -> int | None:
    """The new person's id, or None when the address is taken."""
    found = await db.fetchval(
        "INSERT INTO users (email, name, role, password_hash) VALUES (lower($1), $2, $3, $4)"
        " ON CONFLICT (email) DO NOTHING RETURNING id",
        email,
        name,
        role,
        hashed,
    )
    return int(found) if found is not None else None


async def change(
    db: Db, user_id: int, role: str | None, active: bool | None, name: str | None
) -> None:
    """Change what is given; None leaves a value as it is."""
    await db.execute(
        "WITH changed AS (UPDATE users SET role = coalesce($2, role),"
        " active = coalesce($3, active), name = coalesce($4, name) WHERE id = $1 RETURNING id)"
        " SELECT pg_notify('access', id::text) FROM changed",
        user_id,
        role,
        active,
        name,
    )


async def set_password(db: Db, user_id: int, hashed: str) -> None:
    await db.execute(
        "UPDATE users SET password_hash = $2, password_changed_at = now() WHERE id = $1",
        user_id,
        hashed,
    )


async def rehash(db: Db, user_id: int, hashed: str) -> None:
    """Store the same password under newer parameters: nothing else changes."""
    await db.execute("UPDATE users SET password_hash = $2 WHERE id = $1", user_id, hashed)


async def signed_in(db: Db, user_id: int, at: datetime) -> None:
    await db.execute("UPDATE users SET last_sign_in_at = $2 WHERE id = $1", user_id, at)


async def admins(db: Db) -> list[int]:
    """Ids of active admins who can sign in, the oldest first."""
    found = await db.fetch(
        "SELECT id FROM users WHERE role = 'admin' AND active AND email <> $1 ORDER BY id", CONSOLE
    )
    return [row["id"] for row in found]


async def set_accounts(db: Db, user_id: int, role: str, account_ids: list[int]) -> None:
    """These accounts, and no other, are the person's to see (and to trade, for a trader)."""
    await db.execute(
        "DELETE FROM account_members WHERE user_id = $1 AND account_id <> ALL($2)",
        user_id,
        account_ids,
    )
    await db.execute(
        "INSERT INTO account_members (account_id, user_id, role)"
        " SELECT id, $1, $3 FROM accounts WHERE id = ANY($2)"
        " ON CONFLICT (account_id, user_id) DO UPDATE SET role = excluded.role",
        user_id,
        account_ids,
        role,
    )


async def accounts_of(db: Db, user_id: int) -> list[int]:
    """Accounts that a person who is no admin may see."""
    found = await db.fetch(
        "SELECT account_id AS id FROM account_members WHERE user_id = $1"
        " UNION SELECT id FROM accounts WHERE owner_id = $1 ORDER BY id",
        user_id,
    )
    return [row["id"] for row in found]


# ---------------------------------------------------------------------------------- first run


async def replace_sign_up_token(db: Db, hashed: bytes) -> None:
    """From now on only this token signs up the first person."""
    await db.execute("DELETE FROM sign_up_tokens WHERE used_at IS NULL")
    await db.execute("INSERT INTO sign_up_tokens (token_hash, role) VALUES ($1, 'admin')", hashed)


async def find_sign_up_token(db: Db, hashed: bytes, at: datetime) -> Row | None:
    """An unused, unexpired token; locked, so that two sign-ups cannot both use it."""
    row = await db.fetchrow(
        "SELECT id, role FROM sign_up_tokens WHERE token_hash = $1 AND used_at IS NULL"
        " AND (expires_at IS NULL OR expires_at > $2) FOR UPDATE",
        hashed,
        at,
    )
    return dict(row) if row else None


async def spend_sign_up_token(db: Db, token_id: int, user_id: int, at: datetime) -> None:
    await db.execute(
        "UPDATE sign_up_tokens SET used_at = $3, used_by = $2 WHERE id = $1", token_id, user_id, at
    )
