"""API keys: made by a person for their programs, shown once, revoked at once."""

from datetime import datetime, timedelta
from decimal import Decimal
from ipaddress import ip_network
from secrets import token_hex
from typing import Final

import asyncpg
import msgspec

from app.core.clock import Clock
from app.core.errors import Forbidden, InvalidInput, NotFound
from app.core.security import hash_token, new_token
from app.domain.users import SCOPES, Role, Scope
from app.repositories import api_keys, audit
from app.repositories.audit import Act
from app.repositories.paging import Row

LONGEST: Final = timedelta(days=3650)


class KeyWish(msgspec.Struct, frozen=True, kw_only=True):
    """What a key is to be: what for, and how far it reaches."""

    name: str
    scopes: frozenset[Scope]
    expires_at: datetime | None = None
    addresses: tuple[str, ...] = ()
    "Networks it may come from; empty: any."
    notional_cap: Decimal | None = None
    "Largest value of one order."


class Keys:
    """The use cases of API keys."""

    def __init__(self, pool: asyncpg.Pool, audit_key: bytes, clock: Clock) -> None:
        self._pool = pool
        self._audit_key = audit_key
        self._clock = clock

    async def create(
        self, actor: str, user_id: int, role: Role, wish: KeyWish, claim: object = None
    ) -> tuple[Row, str]:
        """The key's row, and the key itself, which nobody can show again.

        Raises Forbidden for a scope beyond the person's role, InvalidInput for a past end or what
        is no network.
        """
        if beyond := wish.scopes - SCOPES[role]:
            raise Forbidden(
                f"A {role} cannot give a key {', '.join(sorted(beyond))}.",
                remedy=f"Choose among {', '.join(sorted(SCOPES[role]))}.",
            )
        now = self._clock.now()
        if wish.expires_at is not None and not now < wish.expires_at < now + LONGEST:
            raise InvalidInput(
                "The key would end in the past, or in more than ten years.", field="expires_at"
            )
        if wish.notional_cap is not None and wish.notional_cap <= 0:
            raise InvalidInput(
                "A key that may order nothing needs no cap.",
                field="notional_cap",
                remedy="Leave out the scope trade instead.",
            )
        addresses = [network(text) for text in wish.addresses]
        key_id, secret = token_hex(6), new_token(32)
        names = sorted(str(scope) for scope in wish.scopes)
        after = {
            "name": wish.name,
            "scopes": names,
            "expires_at": wish.expires_at,
            "addresses": addresses,
            "notional_cap": wish.notional_cap,
        }
        async with self._pool.acquire() as db, db.transaction():
            if callable(claim):
                await claim(db)
            row = await api_keys.add(
                db,
                user_id,
                key_id,
                hash_token(secret),
                name=wish.name,
                scopes=names,
                expires_at=wish.expires_at,
                addresses=addresses,
                notional_cap=wish.notional_cap,
            )
            act = _act(actor, user_id, "created", key_id, after)
            await audit.append(db, self._audit_key, act, now)
        return row, f"tw_{key_id}_{secret}"

    async def revoke(self, actor: str, user_id: int | None, key_id: str) -> None:
        """End a key (of this person, where one is given). Raises NotFound."""
        now = self._clock.now()
        async with self._pool.acquire() as db, db.transaction():
            if not await api_keys.revoke(db, key_id, now, user_id):
                raise NotFound(f"There is no live key {key_id!r}.", remedy="See /api/api-keys.")
            await audit.append(db, self._audit_key, _act(actor, user_id, "revoked", key_id), now)


def network(text: str) -> str:
    """An address or network in its usual form. Raises InvalidInput."""
    try:
        return str(ip_network(text.strip(), strict=False))
    except ValueError:
        raise InvalidInput(
            f"{text[:60]!r} is no address or network.",
            field="addresses",
            remedy="Write 203.0.113.7 or 10.0.0.0/8.",
        ) from None


def _act(actor: str, user_id: int | None, action: str, key_id: str, after: object = None) -> Act:
    return Act(
        actor=actor,
        user_id=user_id,
        action=action,
        resource="api_key",
        resource_id=key_id,
        after=after,
    )
