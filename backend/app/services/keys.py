"""API keys: made by a person for their programs, shown once, revoked at once."""

from datetime import datetime, timedelta
from secrets import token_hex
from typing import Final

import asyncpg

from app.core.clock import Clock
from app.core.errors import Forbidden, InvalidInput, NotFound
from app.core.security import hash_token, new_token
from app.domain.users import SCOPES, Role, Scope
from app.repositories import api_keys, audit
from app.repositories.audit import Act
from app.repositories.paging import Row

LONGEST: Final = timedelta(days=3650)


class Keys:
    """The use cases of API keys."""

    def __init__(self, pool: asyncpg.Pool, audit_key: bytes, clock: Clock) -> None:
        self._pool = pool
        self._audit_key = audit_key
        self._clock = clock

    async def create(
        self,
        actor: str,
        user_id: int,
        role: Role,
        name: str,
        scopes: frozenset[Scope],
        expires_at: datetime | None = None,
        claim: object = None,
    ) -> tuple[Row, str]:
        """The key's row, and the key itself, which nobody can show again.

        Raises Forbidden for a scope beyond the person's role, InvalidInput for a past end.
        """
        if beyond := scopes - SCOPES[role]:
            raise Forbidden(
                f"A {role} cannot give a key {', '.join(sorted(beyond))}.",
                remedy=f"Choose among {', '.join(sorted(SCOPES[role]))}.",
            )
        now = self._clock.now()
        if expires_at is not None and not now < expires_at < now + LONGEST:
            raise InvalidInput(
                "The key would end in the past, or in more than ten years.", field="expires_at"
            )
        key_id, secret = token_hex(6), new_token(32)
        async with self._pool.acquire() as db, db.transaction():
            if callable(claim):
                await claim(db)
            names = sorted(str(scope) for scope in scopes)
            row = await api_keys.add(
                db, user_id, key_id, hash_token(secret), name, names, expires_at
            )
            after = {"name": name, "scopes": names, "expires_at": expires_at}
            await audit.append(
                db, self._audit_key, _act(actor, user_id, "created", key_id, after), now
            )
        return row, f"tw_{key_id}_{secret}"

    async def revoke(self, actor: str, user_id: int | None, key_id: str) -> None:
        """End a key (of this person, where one is given). Raises NotFound."""
        now = self._clock.now()
        async with self._pool.acquire() as db, db.transaction():
            if not await api_keys.revoke(db, key_id, now, user_id):
                raise NotFound(f"There is no live key {key_id!r}.", remedy="See /api/api-keys.")
            await audit.append(db, self._audit_key, _act(actor, user_id, "revoked", key_id), now)


def _act(actor: str, user_id: int | None, action: str, key_id: str, after: object = None) -> Act:
    return Act(
        actor=actor,
        user_id=user_id,
        action=action,
        resource="api_key",
        resource_id=key_id,
        after=after,
    )
