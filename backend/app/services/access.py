"""Who is calling: a session cookie, an access token or an API key, made into a Caller."""

from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any, Final
from uuid import UUID

from app.core import access_tokens
from app.core.clock import Clock
from app.core.errors import Unauthenticated
from app.core.security import hash_token, same
from app.domain.users import SCOPES, Caller, Role, Scope
from app.repositories import api_keys, refresh_tokens, sessions, users
from app.repositories.paging import Db, Row

IDLE: Final = timedelta(minutes=30)
"A session that was not used for so long is over."
_STAMP: Final = timedelta(minutes=1)
"Uses are written down no more often than this."


class Access:
    """Looks credentials up, every time: what was revoked is out at once."""

    def __init__(self, db: Db, jwt_key: bytes, clock: Clock) -> None:
        self._db = db
        self._jwt_key = jwt_key
        self._clock = clock

    async def by_session(self, cookie: str) -> Caller | None:
        """The person behind a session cookie, or None when the session is over."""
        now = self._clock.now()
        row = await sessions.find(self._db, hash_token(cookie), now, now - IDLE)
        if row is None:
            return None
        if now - row["last_seen_at"] > _STAMP:
            await sessions.touch(self._db, row["id"], now)
        return await self._caller(
            row, "session", str(row["id"]), session_expires_at=row["expires_at"]
        )

    async def by_bearer(self, token: str, address: str | None) -> Caller:
        """The person behind an API key or an access token. Raises Unauthenticated."""
        if token.startswith("tw_"):
            return await self._by_key(token, address)
        claims = access_tokens.verify(self._jwt_key, token, self._clock.now())
        row = await refresh_tokens.person(self._db, claims.user_id, claims.family)
        if row is None:
            raise Unauthenticated("The sign-in of this token was ended.", remedy="Sign in again.")
        return await self._caller(row, "token", str(claims.family))

    async def still_valid(self, caller: Caller) -> bool:
        """Whether what opened a connection still stands: asked by every open WebSocket."""
        now = self._clock.now()
        match caller.via:
            case "session":
                return await sessions.is_live(self._db, int(caller.credential), now)
            case "api_key":
                return await api_keys.is_live(self._db, caller.credential, now)
            case _:
                family = UUID(caller.credential)
                return await refresh_tokens.person(self._db, caller.user_id, family) is not None

    async def _by_key(self, token: str, address: str | None) -> Caller:
        _, _, rest = token.partition("_")
        key_id, _, secret = rest.partition("_")
        now = self._clock.now()
        row = await api_keys.find(self._db, key_id, now)
        hashed = bytes(row["secret_hash"]) if row else bytes(32)
        if not same(hash_token(secret), hashed) or row is None:
            raise Unauthenticated(
                "The API key is not valid: unknown, expired or revoked.",
                remedy="Make one with `tradewright keys create`, or under Settings.",
            )
        if not _comes_from(address, row["addresses"]):
            raise Unauthenticated("The API key may not be used from this address.")
        if row["last_used_at"] is None or now - row["last_used_at"] > _STAMP:
            await api_keys.used(self._db, key_id, now)
        return await self._caller(row, "api_key", key_id, frozenset(map(Scope, row["scopes"])))

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
            **more,
        )


def _comes_from(address: str | None, networks: list[str]) -> bool:
    if not networks:
        return True
    if address is None:
        return False
    return any(ip_address(address) in ip_network(network) for network in networks)
