"""Who is calling: a session cookie, an access token or an API key, made into a Caller."""

from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.core import access_tokens
from app.core.clock import Clock
from app.core.errors import Unauthenticated
from app.core.security import hash_token, same
from app.core.sessions import SessionOptions
from app.core.system_config import current
from app.domain.users import SCOPES, Caller, Role, Scope
from app.repositories import api_keys, audit, refresh_tokens, sessions, users
from app.repositories.audit import Act
from app.repositories.paging import Row
from app.repositories.session_cache import SessionCache

_STAMP: Final = timedelta(minutes=1)
"Uses are written down no more often than this."


def idle() -> timedelta:
    """A session that was not used for so long is over."""
    return timedelta(minutes=current(SessionOptions).idle_minutes)


class Access:
    """Looks credentials up: what was revoked is out at once.

    Keys and tokens are looked up in PostgreSQL every time, sessions in Redis in between.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        jwt_key: bytes,
        audit_key: bytes,
        cache: SessionCache,
        clock: Clock,
    ) -> None:
        self._db = pool
        self._jwt_key = jwt_key
        self._audit_key = audit_key
        self._cache = cache
        self._clock = clock

    async def by_session(self, cookie: str) -> Caller | None:
        """The person behind a session cookie, or None when the session is over."""
        now, hashed = self._clock.now(), hash_token(cookie)
        known = await self._cache.get(hashed)
        if known is not None:
            return known
        row = await sessions.find(self._db, hashed, now, now - idle())
        if row is None:
            return None
        if now - row["last_seen_at"] > _STAMP:
            await sessions.touch(self._db, row["id"], now)
        caller = await self._caller(
            row, "session", str(row["id"]), session_expires_at=row["expires_at"]
        )
        await self._cache.put(hashed, caller)
        return caller

    async def by_bearer(self, token: str, address: str | None) -> Caller:
        """The person behind an API key or an access token. Raises Unauthenticated."""
        if token.startswith("tw_"):
            return await self._by_key(token, address)
        claims = access_tokens.verify(self._jwt_key, token, self._clock.now())
        row = await refresh_tokens.person(self._db, claims.user_id, claims.family)
        if row is None:
            raise Unauthenticated("The sign-in of this token was ended.", remedy="Sign in again.")
        return await self._caller(row, "token", str(claims.family))

    async def renewed(self, caller: Caller) -> Caller | None:
        """What the same credential may do now; None when it was revoked or has ended.

        Asked of PostgreSQL by every open WebSocket when something of the person changed.
        """
        now = self._clock.now()
        match caller.via:
            case "session":
                row = await sessions.by_id(self._db, int(caller.credential), now)
            case "api_key":
                row = await api_keys.find(self._db, caller.credential, now)
            case _:
                family = UUID(caller.credential)
                row = await refresh_tokens.person(self._db, caller.user_id, family)
        if row is None:
            return None
        return await self._caller(row, caller.via, caller.credential, _granted(row))

    async def forget(self, user_id: int) -> None:
        """Something of a person ended or changed: ask PostgreSQL about their sessions again."""
        hashes = await sessions.live_hashes(self._db, user_id, self._clock.now())
        await self._cache.close(hashes)

    def doubt(self) -> None:
        """Notices of what ended may have been missed."""
        self._cache.doubt()

    async def _by_key(self, token: str, address: str | None) -> Caller:
        _, _, rest = token.partition("_")
        key_id, _, secret = rest.partition("_")
        now, hashed = self._clock.now(), hash_token(secret)
        row = await api_keys.find(self._db, key_id, now)
        if row is None or not same(hashed, bytes(row["secret_hash"])):
            await self._look_at_ended(key_id, hashed, address)
            raise Unauthenticated(
                "The API key is not valid: unknown, expired or revoked.",
                remedy="Make one with `tradewright keys create`, or under Settings.",
            )
        if not _comes_from(address, row["addresses"]):
            await self._note("key_from_other_address", row["user_id"], key_id, address)
            raise Unauthenticated(
                "The API key may not be used from this address.",
                remedy="Make one for this address with `tradewright keys create --address`.",
            )
        if row["last_used_at"] is None or now - row["last_used_at"] > _STAMP:
            await api_keys.used(self._db, key_id, now)
        return await self._caller(row, "api_key", key_id, _granted(row))

    async def _look_at_ended(self, key_id: str, hashed: bytes, address: str | None) -> None:
        """A secret that was good once, in hands that do not know that it ended: say so."""
        ended = await api_keys.ended(self._db, key_id)
        if same(hashed, bytes(ended["secret_hash"]) if ended else bytes(32)) and ended:
            await self._note("ended_key_used", ended["user_id"], key_id, address)

    async def _note(self, action: str, user_id: int, key_id: str, address: str | None) -> None:
        act = Act(
            actor=f"api key {key_id}",
            user_id=user_id,
            action=action,
            resource="api_key",
            resource_id=key_id,
            address=address if address != "unknown" else None,
        )
        async with self._db.acquire() as db, db.transaction():
            await audit.append(db, self._audit_key, act, self._clock.now())

    async def _caller(
        self,
        row: Row,
        via: str,
        credential: str,
        granted: frozenset[Scope] | None = None,
        **more: Any,  # noqa: ANN401 - further fields of Caller
    ) -> Caller:
        role = Role(row["role"])
        scopes = SCOPES[role] if granted is None else SCOPES[role] & granted
        accounts = None
        if role is not Role.ADMIN:
            accounts = tuple(await users.accounts_of(self._db, row["user_id"]))
        return Caller(
            user_id=row["user_id"],
            email=row["email"],
            name=row["name"] or None,
            role=role,
            scopes=scopes,
            via=via,
            credential=credential,
            accounts=accounts,
            verified_at=row.get("verified_at"),
            notional_cap=row.get("notional_cap"),
            **more,
        )


def _granted(row: Row) -> frozenset[Scope] | None:
    """The scopes that a key was given; None for a person, who has those of the role."""
    return frozenset(map(Scope, row["scopes"])) if "scopes" in row else None


def _comes_from(address: str | None, networks: list[str]) -> bool:
    if not networks:
        return True
    try:
        found = ip_address(address or "")
    except ValueError:
        return False
    return any(found in ip_network(network) for network in networks)
