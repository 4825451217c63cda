"""Sign up once, sign in, stay signed in, sign out: sessions for browsers, tokens for programs."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import anyio
import asyncpg
import msgspec

from app.core import access_tokens
from app.core.clock import Clock
from app.core.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from app.core.security import (
    hash_password,
    hash_token,
    needs_rehash,
    new_token,
    verify_password,
)
from app.core.sessions import SessionOptions
from app.core.system_config import current
from app.domain.passwords import weakness
from app.domain.users import Caller
from app.repositories import audit, refresh_tokens, sessions, users
from app.repositories.audit import Act
from app.repositories.paging import Db
from app.repositories.session_cache import SessionCache

NEW_PASSWORD: Final = "new_password"
"The field of a refused new password: whoever gets so far knows the present one."
_HASHERS: Final = anyio.CapacityLimiter(2)
"Password hashing takes 19 MiB and 45 ms of a core: a flood of sign-ins must not take them all."


class Visit(msgspec.Struct, frozen=True):
    """Where a request comes from."""

    address: str | None = None
    user_agent: str = ""
    correlation_id: str | None = None


class Opened(msgspec.Struct, frozen=True):
    """A new session: the cookie's value is known only here."""

    user_id: int
    cookie: str
    expires_at: datetime


class Tokens(msgspec.Struct, frozen=True):
    """A new pair of tokens."""

    access: str
    refresh: str
    expires_in: int


async def hashed(password: str) -> str:
    """The argon2id hash, made in a thread of a small number."""
    return await anyio.to_thread.run_sync(hash_password, password, limiter=_HASHERS)


def refuse_weak(password: str, email: str, field: str = "password") -> None:
    """Raises InvalidInput for a password that is short or common."""
    if why := weakness(password, email):
        raise InvalidInput(why, field=field, remedy="Take several words that only you know.")


class Auth:
    """The use cases around being signed in."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        jwt_key: bytes,
        audit_key: bytes,
        cache: SessionCache,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._cache = cache
        self._jwt_key = jwt_key
        self._audit_key = audit_key
        self._clock = clock

    async def needs_sign_up(self) -> bool:
        """True until the first person has signed up."""
        return not await users.exist(self._pool)

    async def first_run_token(self) -> str | None:
        """A fresh token for the first sign-up, or None when somebody exists; older ones end."""
        async with self._pool.acquire() as db, db.transaction():
            await users.lock(db)
            if await users.exist(db):
                return None
            token = new_token(24)
            await users.replace_sign_up_token(db, hash_token(token))
            return token

    async def sign_up(
        self, token: str, email: str, name: str, password: str, visit: Visit
    ) -> Opened:
        """Make the first person, an admin, and sign them in. The token is good for one of them.

        Raises Conflict when somebody exists already, Forbidden for a wrong token.
        """
        refuse_weak(password, email)
        secret = await hashed(password)
        now = self._clock.now()
        async with self._pool.acquire() as db, db.transaction():
            await users.lock(db)
            if await users.exist(db):
                raise Conflict(
                    "Somebody has signed up already.", remedy="Sign in, or ask an admin for access."
                )
            found = await users.find_sign_up_token(db, hash_token(token), now)
            if found is None:
                raise Forbidden(
                    "The first-run token is not valid.",
                    remedy="Copy the address that `tradewright up` printed last.",
                )
            user_id = await users.add(db, email, name, found["role"], secret)
            if user_id is None:
                raise Conflict(f"{email} is taken.")
            await users.spend_sign_up_token(db, found["id"], user_id, now)
            await self._note(db, visit, user_id, email, "signed_up")
            return await self._open(db, user_id, visit)

    async def check_password(self, email: str, password: str, visit: Visit) -> int:
        """The person's id. Raises Unauthenticated, after the same time for any wrong pair."""
        found = await users.credentials(self._pool, email)
        stored = found["password_hash"] if found and found["active"] else None
        good = await anyio.to_thread.run_sync(verify_password, stored, password, limiter=_HASHERS)
        if not good or found is None:
            await self._note_failure(visit, email)
            raise Unauthenticated(
                "The address or the password is wrong.", remedy="Check both, and Caps Lock."
            )
        if needs_rehash(found["password_hash"]):
            await users.rehash(self._pool, found["id"], await hashed(password))
        return int(found["id"])

    async def open_session(self, user_id: int, email: str, visit: Visit) -> Opened:
        """A new browser session: never the id of an old one."""
        async with self._pool.acquire() as db, db.transaction():
            await users.signed_in(db, user_id, self._clock.now())
            await self._note(db, visit, user_id, email, "signed_in")
            return await self._open(db, user_id, visit)

    async def open_tokens(self, user_id: int, email: str, visit: Visit) -> Tokens:
        """The first pair of a new family."""
        async with self._pool.acquire() as db, db.transaction():
            await users.signed_in(db, user_id, self._clock.now())
            await self._note(db, visit, user_id, email, "signed_in")
            return await self._issue(db, user_id, uuid4(), visit, self._clock.now())

    async def refresh(self, token: str, visit: Visit) -> Tokens:
        """The next pair. A token that was used before ends its whole family: one copy is stolen."""
        now = self._clock.now()
        reused = False
        async with self._pool.acquire() as db, db.transaction():
            found = await refresh_tokens.find(db, hash_token(token))
            if found and found["active"] and found["revoked_at"] is None:
                if found["used_at"] is None and found["expires_at"] > now:
                    await refresh_tokens.spend(db, found["id"], now)
                    return await self._issue(db, found["user_id"], found["family"], visit)
                if reused := found["used_at"] is not None:
                    await refresh_tokens.revoke_family(db, found["family"], now)
                    await self._note(db, visit, found["user_id"], "", "refresh_token_reused")
        why = "was used before, so its sign-in was ended" if reused else "is not valid"
        raise Unauthenticated(f"The refresh token {why}.", remedy="Sign in again.")

    async def sign_out(self, caller: Caller | None, refresh_token: str | None) -> None:
        """End the caller's session or token family, and that of `refresh_token`; never fails."""
        now = self._clock.now()
        if caller and caller.via == "session":
            await sessions.revoke(self._pool, caller.user_id, int(caller.credential), now)
            await self._forget(caller.user_id)
        if caller and caller.via == "token":
            await refresh_tokens.revoke_family(self._pool, UUID(caller.credential), now)
        if refresh_token:
            async with self._pool.acquire() as db, db.transaction():
                found = await refresh_tokens.find(db, hash_token(refresh_token))
                if found:
                    await refresh_tokens.revoke_family(db, found["family"], now)

    async def revoke_session(self, caller: Caller, session_id: int) -> None:
        """End one of the caller's sessions. Raises NotFound."""
        if not await sessions.revoke(self._pool, caller.user_id, session_id, self._clock.now()):
            raise NotFound(f"There is no live session {session_id}.", remedy="See /api/sessions.")
        await self._forget(caller.user_id)

    async def revoke_other_sessions(self, caller: Caller) -> None:
        """End the caller's sessions and token sign-ins, except what they ask with."""
        now = self._clock.now()
        async with self._pool.acquire() as db, db.transaction():
            await sessions.revoke_all(db, caller.user_id, now, _session_of(caller))
            await refresh_tokens.revoke_all(db, caller.user_id, now, _family_of(caller))
        await self._forget(caller.user_id)

    async def confirm_password(self, caller: Caller, password: str, visit: Visit) -> None:
        """Raises InvalidInput when it is not the caller's password."""
        stored = await users.password_hash(self._pool, caller.user_id)
        good = await anyio.to_thread.run_sync(verify_password, stored, password, limiter=_HASHERS)
        if not good:
            await self._note_failure(visit, caller.email, "step_up_failed")
            raise InvalidInput("The password is wrong.", field="password")

    async def step_up(self, caller: Caller, visit: Visit) -> Opened | None:
        """The caller has proved again who they are: a session gets another id, tokens stay.

        Raises Forbidden for a key, Unauthenticated when the session has just ended.
        """
        if caller.via == "api_key":
            raise Forbidden("A key cannot prove who uses it.", remedy="Sign in for that.")
        now, opened = self._clock.now(), None
        async with self._pool.acquire() as db, db.transaction():
            if caller.via == "token":
                await refresh_tokens.verify_family(db, UUID(caller.credential), now)
            else:
                cookie = new_token(32)
                ends = await sessions.rotate(db, int(caller.credential), hash_token(cookie), now)
                if ends is None:
                    raise Unauthenticated("The session has ended.", remedy="Sign in again.")
                opened = Opened(caller.user_id, cookie, ends)
            await self._note(db, visit, caller.user_id, caller.email, "stepped_up")
        await self._forget(caller.user_id)
        return opened

    async def knows_address(self, email: str, visit: Visit) -> bool:
        """Whether this person has signed in from there before."""
        if visit.address is None:
            return False
        return await sessions.knows_address(self._pool, email, visit.address)

    async def change_password(self, caller: Caller, current: str, new: str, visit: Visit) -> None:
        """Set a new password; every other session and every token sign-in ends."""
        if caller.via == "api_key":
            raise Forbidden("An API key cannot change a password.", remedy="Sign in for that.")
        stored = await users.password_hash(self._pool, caller.user_id)
        good = await anyio.to_thread.run_sync(verify_password, stored, current, limiter=_HASHERS)
        if not good:
            await self._note_failure(visit, caller.email, "password_change_failed")
            raise InvalidInput("The current password is wrong.", field="current_password")
        refuse_weak(new, caller.email, NEW_PASSWORD)
        secret, now = await hashed(new), self._clock.now()
        async with self._pool.acquire() as db, db.transaction():
            await users.set_password(db, caller.user_id, secret)
            await sessions.revoke_all(db, caller.user_id, now, _session_of(caller))
            await refresh_tokens.revoke_all(db, caller.user_id, now)
            await self._note(db, visit, caller.user_id, caller.email, "password_changed")
        await self._forget(caller.user_id)

    async def _forget(self, user_id: int) -> None:
        """Let no process answer for the person's sessions from memory."""
        hashes = await sessions.live_hashes(self._pool, user_id, self._clock.now())
        await self._cache.close(hashes)

    async def _open(self, db: Db, user_id: int, visit: Visit) -> Opened:
        now, cookie = self._clock.now(), new_token(32)
        expires_at = now + timedelta(hours=current(SessionOptions).hours)
        await sessions.add(
            db, user_id, hash_token(cookie), now, expires_at, visit.address, visit.user_agent
        )
        return Opened(user_id, cookie, expires_at)

    async def _issue(
        self,
        db: Db,
        user_id: int,
        family: UUID,
        visit: Visit,
        verified_at: datetime | None = None,
    ) -> Tokens:
        now, token = self._clock.now(), f"twr_{new_token(32)}"
        hashed = hash_token(token)
        ends = now + timedelta(days=current(SessionOptions).refresh_days)
        await refresh_tokens.add(db, user_id, family, hashed, ends, visit.address, verified_at)
        access = access_tokens.issue(self._jwt_key, access_tokens.Claims(user_id, family), now)
        return Tokens(access, token, int(access_tokens.LIFETIME.total_seconds()))

    async def _note(self, db: Db, visit: Visit, user_id: int, actor: str, action: str) -> None:
        act = Act(
            actor=actor or f"user:{user_id}",
            action=action,
            resource="user",
            user_id=user_id,
            resource_id=str(user_id),
            address=visit.address,
            correlation_id=visit.correlation_id,
        )
        await audit.append(db, self._audit_key, act, self._clock.now())

    async def _note_failure(self, visit: Visit, email: str, action: str = "sign_in_failed") -> None:
        act = Act(
            actor=email[:254].lower(),
            action=action,
            resource="user",
            address=visit.address,
            correlation_id=visit.correlation_id,
        )
        async with self._pool.acquire() as db, db.transaction():
            await audit.append(db, self._audit_key, act, self._clock.now())


def _session_of(caller: Caller) -> int | None:
    return int(caller.credential) if caller.via == "session" else None


def _family_of(caller: Caller) -> UUID | None:
    return UUID(caller.credential) if caller.via == "token" else None
