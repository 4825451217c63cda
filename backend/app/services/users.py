"""Admins let people in, change what they may do, and shut them out."""

import anyio
import asyncpg

from app.core.clock import Clock
from app.core.errors import Conflict, InvalidInput, NotFound
from app.core.security import hash_password
from app.domain.passwords import weakness
from app.domain.users import Role
from app.repositories import api_keys, audit, refresh_tokens, sessions, users
from app.repositories.audit import Act
from app.repositories.paging import Db, Row
from app.repositories.session_cache import SessionCache


class Users:
    """The use cases of one person's account with us."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        audit_key: bytes,
        clock: Clock,
        cache: SessionCache | None = None,
    ) -> None:
        self._pool = pool
        self._cache = cache
        self._audit_key = audit_key
        self._clock = clock

    async def add(
        self,
        actor: str,
        email: str,
        password: str,
        name: str | None,
        role: Role,
        account_ids: list[int],
        claim: object = None,
    ) -> Row:
        """A new person. Raises InvalidInput for a weak password, Conflict for a known address."""
        if why := weakness(password, email):
            raise InvalidInput(why, field="password", remedy="Take several words.")
        secret = await anyio.to_thread.run_sync(hash_password, password)
        async with self._pool.acquire() as db, db.transaction():
            if callable(claim):
                await claim(db)
            user_id = await users.add(db, email, name or "", role, secret)
            if user_id is None:
                raise Conflict(f"{email} has signed up already.", remedy="Take another address.")
            await users.set_accounts(db, user_id, role, account_ids)
            found = await users.get(db, user_id)
            await self._note(db, actor, "added", user_id, None, _public(found))
            return found

    async def reset_password(self, actor: str, email: str, password: str) -> Row:
        """A new password for somebody who forgot theirs; every session and token of theirs ends.

        Raises NotFound for an unknown address, InvalidInput for a weak password.
        """
        if why := weakness(password, email):
            raise InvalidInput(why, field="password", remedy="Take several words.")
        secret = await anyio.to_thread.run_sync(hash_password, password)
        now = self._clock.now()
        async with self._pool.acquire() as db, db.transaction():
            known = await users.credentials(db, email)
            if known is None:
                raise NotFound(f"Nobody signs in as {email}.", remedy="See tradewright users list.")
            user_id = known["id"]
            await users.set_password(db, user_id, secret)
            await sessions.revoke_all(db, user_id, now)
            await refresh_tokens.revoke_all(db, user_id, now)
            found = await users.get(db, user_id)
            await self._note(db, actor, "password_reset", user_id, None, _public(found))
            return found

    async def change(
        self,
        actor: str,
        user_id: int,
        role: Role | None,
        active: bool | None,
        name: str | None,
        account_ids: list[int] | None,
    ) -> Row:
        """Change what is given. Raises Conflict when no active admin would be left."""
        now = self._clock.now()
        async with self._pool.acquire() as db, db.transaction():
            await users.lock(db)
            before = await users.get(db, user_id)
            await users.change(db, user_id, role, active, name)
            if not await users.admins(db):
                raise Conflict(
                    "Nobody would be left who may administer.", remedy="Make another admin first."
                )
            after_role = role or Role(before["role"])
            if account_ids is not None or role is not None:
                wanted = before["account_ids"] if account_ids is None else account_ids
                await users.set_accounts(db, user_id, after_role, wanted)
            if active is False:
                await sessions.revoke_all(db, user_id, now)
                await refresh_tokens.revoke_all(db, user_id, now)
                await api_keys.revoke_all(db, user_id, now)
            found = await users.get(db, user_id)
            await self._note(db, actor, "changed", user_id, _public(before), _public(found))
        if self._cache is not None:  # else a running API hears of it from the database
            await self._cache.close(await sessions.live_hashes(self._pool, user_id, now))
        return found

    async def _note(
        self, db: Db, actor: str, action: str, user_id: int, before: Row | None, after: Row
    ) -> None:
        act = Act(
            actor=actor,
            action=action,
            resource="user",
            resource_id=str(user_id),
            before=before,
            after=after,
        )
        await audit.append(db, self._audit_key, act, self._clock.now())


def _public(row: Row) -> Row:
    return {name: row[name] for name in ("email", "name", "role", "is_active", "account_ids")}
