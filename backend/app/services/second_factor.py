"""A second factor: set up with an authenticator app, asked for at sign-in and at fresh checks."""

from typing import Final

import asyncpg
import msgspec

from app.core.clock import Clock
from app.core.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    SecondFactorNeeded,
    Unauthenticated,
)
from app.core.one_time_codes import (
    address,
    is_recovery,
    new_recovery_codes,
    new_secret,
    normal,
    step_of,
)
from app.core.security import hash_token
from app.core.vault import Vault
from app.domain.users import Caller
from app.repositories import audit, refresh_tokens, second_factors, sessions
from app.repositories.audit import Act
from app.repositories.paging import Db, Row

_WRONG: Final = "The code is wrong, too old, or was used before."
_REMEDY: Final = "Type the app's newest code, or one of your recovery codes."


class Proposal(msgspec.Struct, frozen=True):
    """What an authenticator app needs; shown once."""

    secret: str
    uri: str


class SecondFactor:
    """The use cases of one-time codes."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, audit_key: bytes, clock: Clock) -> None:
        self._pool = pool
        self._vault = vault
        self._audit_key = audit_key
        self._clock = clock

    async def state(self, user_id: int) -> tuple[bool, int]:
        """Whether a code is asked for at sign-in, and how many recovery codes are left."""
        found = await second_factors.get(self._pool, user_id)
        is_on = found is not None and found["totp_confirmed_at"] is not None
        return is_on, found["recovery_codes_left"] if found and is_on else 0

    async def propose(self, caller: Caller) -> Proposal:
        """A new secret, which counts from its confirmation on. Raises Conflict when one does."""
        _refuse_keys(caller)
        secret = new_secret()
        key_id, token = self._vault.seal(secret.encode(), _about(caller.user_id))
        if not await second_factors.propose(self._pool, caller.user_id, key_id, token):
            raise Conflict(
                "Two-factor sign-in is on already.", remedy="Turn it off first, then on again."
            )
        return Proposal(secret, address(secret, caller.email))

    async def confirm(self, caller: Caller, code: str) -> list[str]:
        """Turn it on with a first code of the app; the recovery codes are shown this once.

        Raises Conflict without a proposal, InvalidInput for a wrong code.
        """
        _refuse_keys(caller)
        found = await second_factors.get(self._pool, caller.user_id)
        if found is None or found["totp_secret"] is None or found["totp_confirmed_at"]:
            raise Conflict(
                "There is no secret that waits to be confirmed.", remedy="POST /api/auth/totp"
            )
        step = step_of(self._secret(caller.user_id, found), code, self._clock.now())
        if step is None:
            raise InvalidInput(
                "The code is wrong or too old.",
                field="code",
                remedy="Check the clock of the phone, and type the newest code.",
            )
        codes = new_recovery_codes()
        hashes = [hash_token(normal(one)) for one in codes]
        async with self._pool.acquire() as db, db.transaction():
            now = self._clock.now()
            if not await second_factors.confirm(db, caller.user_id, now, hashes):
                raise Conflict("Two-factor sign-in is on already.")
            await second_factors.spend_step(db, caller.user_id, step)
            await self._note(db, caller.actor, caller.user_id, "second_factor_on")
        return codes

    async def turn_off(self, caller: Caller) -> None:
        """Sign in with the password alone from now on. Raises NotFound when it was so."""
        _refuse_keys(caller)
        await self.remove(caller.actor, caller.user_id, ends_sessions=False)

    async def remove(self, actor: str, user_id: int, *, ends_sessions: bool = True) -> None:
        """The same for somebody who lost phone and codes. Raises NotFound when there was none.

        Whoever holds the phone may hold the browser too, so sessions and tokens end.
        """
        now = self._clock.now()
        async with self._pool.acquire() as db, db.transaction():
            if not await second_factors.remove(db, user_id):
                raise NotFound("Two-factor sign-in is not on.", remedy="POST /api/auth/totp")
            if ends_sessions:
                await sessions.revoke_all(db, user_id, now)
                await refresh_tokens.revoke_all(db, user_id, now)
            await self._note(db, actor, user_id, "second_factor_off")

    async def prove(self, user_id: int, code: str | None) -> None:
        """Accept this code, once; nothing is asked of a person without a second factor.

        Raises SecondFactorNeeded without a code, Unauthenticated for one that is wrong or used.
        """
        found = await second_factors.get(self._pool, user_id)
        if found is None or found["totp_confirmed_at"] is None:
            return
        if not code:
            raise SecondFactorNeeded(
                "A code of the authenticator app is needed too.", remedy="Send it as `code`."
            )
        async with self._pool.acquire() as db, db.transaction():
            good = await self._spend(db, user_id, found, code)
            if not good:
                await self._note(db, f"user:{user_id}", user_id, "second_factor_failed")
            elif is_recovery(code):
                await self._note(db, f"user:{user_id}", user_id, "recovery_code_used")
        if not good:
            raise Unauthenticated(_WRONG, remedy=_REMEDY)

    async def _spend(self, db: Db, user_id: int, found: Row, code: str) -> bool:
        if is_recovery(code):
            return await second_factors.spend_recovery(db, user_id, hash_token(normal(code)))
        step = step_of(self._secret(user_id, found), code, self._clock.now())
        return step is not None and await second_factors.spend_step(db, user_id, step)

    def _secret(self, user_id: int, found: Row) -> str:
        token = bytes(found["totp_secret"])
        return self._vault.open(found["totp_key_id"], token, _about(user_id)).decode()

    async def _note(self, db: Db, actor: str, user_id: int, action: str) -> None:
        act = Act(
            actor=actor,
            user_id=user_id,
            action=action,
            resource="user",
            resource_id=str(user_id),
        )
        await audit.append(db, self._audit_key, act, self._clock.now())


def _about(user_id: int) -> str:
    return f"totp:{user_id}"


def _refuse_keys(caller: Caller) -> None:
    if caller.via == "api_key":
        raise Forbidden("A key has no second factor.", remedy="Sign in for that.")
