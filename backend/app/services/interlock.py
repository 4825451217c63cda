"""The interlock of real money: a setting, a fresh proof of a person, the number typed out."""

from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from app.core.clock import Clock
from app.core.errors import ConfigurationError, Conflict, InvalidInput, NotFound
from app.domain.commands import CommandKind
from app.domain.deployments import AccountMode, TradingState
from app.repositories import accounts, audit, commands, orders, trading_state
from app.repositories.accounts import Account
from app.repositories.audit import Act
from app.repositories.paging import Db

VARIABLE: Final = "TRADEWRIGHT_LIVE_TRADING"
REASON: Final = "disarmed"


class NotArmed(ConfigurationError):
    """An account of real money may not trade: nobody armed it, or the setting is off."""


class Armed(msgspec.Struct, frozen=True):
    """Which account may trade real money, since when, and who said so."""

    account_id: int
    name: str
    armed_at: datetime | None
    armed_by: str | None
    trading_state: TradingState
    "What the account's own latch lets through now."


class Interlock:
    """Arms and disarms accounts of mode live. `is_on` is what TRADEWRIGHT_LIVE_TRADING says."""

    def __init__(self, pool: asyncpg.Pool, audit_key: bytes, clock: Clock, *, is_on: bool) -> None:
        self._pool = pool
        self._audit_key = audit_key
        self._clock = clock
        self._is_on = is_on

    async def arm(self, actor: str, user_id: int | None, account_id: int, typed: str) -> Armed:
        """Let an account trade real money; its engine takes it up within seconds.

        A halt, that of `disarm` too, stays until somebody resumes.

        The caller has made sure that the person has just proved who they are. `typed` is the
        account's number at the broker, or ours where it names none. Raises NotFound, Conflict when
        there is nothing to arm or the setting is off, InvalidInput when something else was typed.
        """
        async with self._pool.acquire() as db, db.transaction():
            account = await _get(db, account_id)
            if account.mode is not AccountMode.LIVE:
                raise Conflict(
                    f"Account {account.name!r} trades no real money.",
                    remedy="Only accounts of the mode live are armed.",
                )
            if not self._is_on:
                raise Conflict(
                    "Trading real money is switched off.", remedy=f"Set {VARIABLE}=true; restart."
                )
            if typed.strip() != number_of(account):
                raise InvalidInput(
                    "What was typed is not the account's number.",
                    field="account",
                    remedy="Type its number at the broker, or ours where it has none here.",
                )
            now = self._clock.now()
            await self._change(db, account, "armed", actor, user_id, now)
            state = await _latched(db, account.id)
        return Armed(account.id, account.name, now, actor, state)

    async def disarm(self, actor: str, user_id: int | None, account_id: int) -> Armed:
        """Halt it at once, and let its engine not connect again until it is armed. Raises NotFound.

        An engine at work sends no more orders but cancels its open entries; protective legs stay.
        """
        account = await _get(self._pool, account_id)
        is_real = account.mode is AccountMode.LIVE
        if is_real:
            # By itself and first: from here on the wire gate refuses, whatever comes after.
            halted = TradingState.HALTED
            await trading_state.latch(self._pool, f"account:{account.id}", halted, REASON, actor)
        async with self._pool.acquire() as db, db.transaction():
            await self._change(db, account, "disarmed", actor, user_id, None)
            if is_real:
                payload = {"reason": REASON, "flatten": False}
                await commands.submit(db, account.id, CommandKind.TRADING_HALT, payload, actor)
            state = await _latched(db, account.id)
        return Armed(account.id, account.name, None, None, state)

    async def _change(
        self,
        db: asyncpg.Connection,
        account: Account,
        action: str,
        actor: str,
        user_id: int | None,
        at: datetime | None,
    ) -> None:
        armed_by = actor if at else None
        changed = {"armed_at": at, "armed_by": armed_by}
        await accounts.change_settings(db, account.id, changed)
        act = Act(
            actor=actor,
            user_id=user_id,
            action=f"account.{action}",
            resource="account",
            resource_id=str(account.id),
            before={"armed_at": account.settings.armed_at, "armed_by": account.settings.armed_by},
            after=changed,
        )
        await audit.append(db, self._audit_key, act, self._clock.now())
        await accounts.tell(db, account.id)


def check(account: Account, *, is_on: bool) -> None:
    """Raises NotArmed for an account of real money that may not trade."""
    if account.mode is not AccountMode.LIVE:
        return
    if not is_on:
        raise NotArmed(
            f"Account {account.name!r} trades real money, which is switched off.",
            remedy=f"Set {VARIABLE}=true; restart.",
        )
    if account.settings.armed_at is None:
        raise NotArmed(
            f"Account {account.name!r} trades real money and is not armed.",
            remedy=f"tradewright accounts arm {account.name!r}",
        )


async def left_alone(db: Db, account_id: int) -> str | None:
    """What of an account that may not connect nobody watches over here; None for nothing."""
    working = await orders.count_open(db, account_id)
    held = await accounts.count_held(db, account_id)
    return f"{working} open orders, {held} positions" if working or held else None


def number_of(account: Account) -> str:
    """What has to be typed: the account's number at the broker, else ours."""
    return str(account.settings.broker.get("account") or account.id)


async def _latched(db: Db, account_id: int) -> TradingState:
    scope = f"account:{account_id}"
    rows = await trading_state.states(db)
    found = (TradingState(row["state"]) for row in rows if row["scope"] == scope)
    return next(found, TradingState.ACTIVE)


async def _get(db: Db, account_id: int) -> Account:
    try:
        return await accounts.get(db, account_id)
    except LookupError:
        raise NotFound(
            f"There is no account {account_id}.", remedy="See GET /api/accounts."
        ) from None
