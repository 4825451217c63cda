"""Emergency stop, reduce and resume: the latch, the gates' answer, and the engines' commands."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, Protocol

import asyncpg
import msgspec

from app.core.clock import Clock
from app.core.errors import Conflict, NotFound, Unavailable
from app.domain.commands import CommandKind
from app.domain.deployments import TradingState
from app.domain.events import Severity
from app.domain.notional_caps import refuse_unbounded
from app.domain.users import Caller
from app.repositories import (
    account_reports,
    alerts,
    audit,
    config,
    leases,
    orders,
    trading_state,
)
from app.repositories import accounts as account_rows
from app.repositories.alerts import NewAlert
from app.repositories.audit import Act
from app.repositories.journal import SharedJournal
from app.repositories.paging import Row

CONFIRM_SECONDS: Final = 0.2
"A wire gate that is silent for longer is reported: 202, and a critical alert."
ALL: Final = "all"
_STRICTEST: Final = (TradingState.HALTED, TradingState.REDUCING, TradingState.ACTIVE)


class Desk(Protocol):
    """Hands commands to engines, waiting for the outcome or not."""

    async def ask(
        self, account_id: int, kind: CommandKind, payload: Mapping[str, Any], actor: str
    ) -> Row: ...

    async def submit(
        self, account_id: int, kind: CommandKind, payload: Mapping[str, Any], actor: str
    ) -> int: ...


class Notices(Protocol):
    """Wakes whoever waits for a change of the trading state."""

    def next_change(self) -> "asyncio.Future[None]": ...


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a stop, reduce or resume."""

    state: TradingState
    latched_at: datetime
    confirmed: list[int]
    unconfirmed: list[int]
    commands: list[int]
    canceled_orders: int | None = None
    milliseconds: float = 0.0


class Trading:
    """The controls that a person needs when something is wrong."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        desk: Desk,
        notices: Notices,
        journal: SharedJournal,
        audit_key: bytes,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._desk = desk
        self._notices = notices
        self._journal = journal
        self._audit_key = audit_key
        self._clock = clock

    async def state(self, caller: Caller | None = None) -> Row:
        """What may be sent now: the strictest of all scopes, and each of them."""
        rows = [
            row
            for row in await trading_state.states(self._pool)
            if caller is None or row["scope"] == ALL or caller.may_see(_account_of(row["scope"]))
        ]
        active: Row = {"state": TradingState.ACTIVE, "reason": None, "actor": None}
        worst = min(
            rows, key=lambda row: _STRICTEST.index(TradingState(row["state"])), default=active
        )
        return {
            "state": worst["state"],
            "reason": worst["reason"] or None,
            "actor": worst["actor"],
            "since": worst.get("latched_at"),
            "scopes": rows,
        }

    async def emergency_stop(
        self, caller: Caller, reason: str, account_id: int | None, *, flatten: bool
    ) -> Control:
        """Latch first, tell afterwards. `unconfirmed` are gates that were silent for 200 ms."""
        started = time.perf_counter()
        accounts, _ = await asyncio.gather(self._accounts(caller, account_id), self._check_armed())
        whole = account_id is None and caller.accounts is None
        scopes = [*([ALL] if whole else []), *map(_scope, accounts)]
        async with self._pool.acquire() as db, db.transaction():
            for scope in sorted(scopes):
                await trading_state.latch(db, scope, TradingState.HALTED, reason, caller.actor)
        latched_at = self._clock.now()
        payload = {"reason": reason, "flatten": flatten}
        # All at once: what is told beside the latch must not keep the answer waiting.
        counted = asyncio.gather(*(self._cancelable(account, flatten) for account in accounts))
        noted = self._note(caller, "emergency_stop", account_id, reason, {"flatten": flatten})
        kind, actor = CommandKind.TRADING_HALT, caller.actor
        asked = (self._desk.submit(account, kind, payload, actor) for account in accounts)
        silent, commands, canceled, _ = await asyncio.gather(
            self._unconfirmed(accounts), asyncio.gather(*asked), counted, noted
        )
        control = Control(
            state=TradingState.HALTED,
            latched_at=latched_at,
            confirmed=[account for account in accounts if account not in silent],
            unconfirmed=silent,
            commands=commands,
            canceled_orders=sum(canceled),
            milliseconds=round((time.perf_counter() - started) * 1000, 1),
        )
        if silent:
            await self._alert(silent)
        return control

    async def reduce(self, caller: Caller, reason: str, account_id: int | None) -> Control:
        """Ask each engine to let positions only shrink."""
        accounts = await self._accounts(caller, account_id)
        await self._note(caller, "reduce", account_id, reason)
        return await self._ask_all(
            accounts, CommandKind.TRADING_REDUCE, TradingState.REDUCING, reason, caller
        )

    async def resume(self, caller: Caller, reason: str, account_id: int | None) -> Control:
        """Lift the latch of all (unless one account is named), then each account's own.

        Accounts that were disarmed stay halted. Raises Conflict where one of them is named, and
        Forbidden for a key with a cap.
        """
        refuse_unbounded(caller)
        accounts = await self._accounts(caller, account_id)
        disarmed = await account_rows.disarmed(self._pool, accounts)
        if account_id in disarmed:
            raise _not_armed(account_id)
        accounts = [account for account in accounts if account not in disarmed]
        if account_id is None and caller.accounts is None:
            async with self._pool.acquire() as db, db.transaction():
                await trading_state.latch(db, ALL, TradingState.ACTIVE, reason, caller.actor)
        await self._note(caller, "resume", account_id, reason)
        return await self._ask_all(
            accounts, CommandKind.TRADING_RESUME, TradingState.ACTIVE, reason, caller
        )

    async def change(
        self, caller: Caller, account_id: int, kind: CommandKind, payload: Mapping[str, Any]
    ) -> Row:
        """One account's halt, reduce or resume as a command; its row with the outcome.

        Raises Conflict for resuming an account of real money that is not armed, and Forbidden for
        resuming with a key that has a cap.
        """
        is_resume = kind is CommandKind.TRADING_RESUME
        if is_resume:
            refuse_unbounded(caller)
        await self._accounts(caller, account_id)
        if is_resume and await account_rows.disarmed(self._pool, [account_id]):
            raise _not_armed(account_id)
        row = await self._desk.ask(account_id, kind, payload, caller.actor)
        await self._note(caller, kind.removeprefix("trading_"), account_id, str(payload["reason"]))
        return row

    async def _accounts(self, caller: Caller, account_id: int | None) -> list[int]:
        rows = await account_reports.ids(self._pool, caller.visible)
        if account_id is None:
            return rows
        if account_id not in rows:
            raise NotFound(f"There is no account {account_id}.", remedy="See GET /api/accounts.")
        return [account_id]

    async def _check_armed(self) -> None:
        armed = (await config.values(self._pool)).get("emergency_stop")
        if armed and armed["value"] is False:
            raise Conflict(
                "The emergency stop is switched off.",
                remedy="Set emergency_stop to true under Configuration; an account can be halted.",
            )

    async def _unconfirmed(self, accounts: list[int]) -> list[int]:
        """Accounts whose engine's gate does not obey the newest epoch within 200 ms.

        Where no engine holds an account nobody can send, and whoever takes it reads the latch
        first: nothing is left to confirm.
        """
        held = set(await leases.held(self._pool))
        wanted = [account for account in accounts if account in held]
        deadline = time.perf_counter() + CONFIRM_SECONDS
        while True:
            changed = self._notices.next_change()
            silent = await trading_state.unconfirmed(self._pool, wanted)
            left = deadline - time.perf_counter()
            if not silent or left <= 0:
                changed.cancel()
                return silent
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await changed

    async def _cancelable(self, account_id: int, flatten: bool) -> int:
        return await orders.count_open(self._pool, account_id, protective=flatten)

    async def _ask_all(
        self,
        accounts: list[int],
        kind: CommandKind,
        state: TradingState,
        reason: str,
        caller: Caller,
    ) -> Control:
        started, at = time.perf_counter(), self._clock.now()
        answers = await asyncio.gather(
            *(
                self._desk.ask(account, kind, {"reason": reason}, caller.actor)
                for account in accounts
            ),
            return_exceptions=True,
        )
        done: list[int] = []
        commands: list[int] = []
        for account, answer in zip(accounts, answers, strict=True):
            if isinstance(answer, BaseException):
                if not isinstance(answer, Unavailable):
                    raise answer
                commands.append(
                    await self._desk.submit(account, kind, {"reason": reason}, caller.actor)
                )
                continue
            commands.append(answer["id"])
            if answer["status"] == "completed":
                done.append(account)
        return Control(
            state=state,
            latched_at=at,
            confirmed=done,
            unconfirmed=[account for account in accounts if account not in done],
            commands=commands,
            milliseconds=round((time.perf_counter() - started) * 1000, 1),
        )

    async def _alert(self, silent: list[int]) -> None:
        names = ", ".join(map(str, silent))
        alert = NewAlert(
            key="emergency_stop_unconfirmed",
            category="trading",
            severity=Severity.CRITICAL,
            title=f"The emergency stop is latched, but account {names} did not confirm it",
            detail=f"No wire gate answered within {CONFIRM_SECONDS * 1000:.0f} ms.",
            context={"accounts": silent},
        )
        async with self._pool.acquire() as db, db.transaction():
            await alerts.raise_alert(db, self._journal, alert, self._clock.now())

    async def _note(
        self,
        caller: Caller,
        action: str,
        account_id: int | None,
        reason: str,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        act = Act(
            actor=caller.actor,
            user_id=caller.user_id,
            action=action,
            resource="trading_state",
            resource_id=ALL if account_id is None else _scope(account_id),
            reason=reason,
            after=after,
        )
        async with self._pool.acquire() as db, db.transaction():
            await audit.append(db, self._audit_key, act, self._clock.now())


def _not_armed(account_id: int | None) -> Conflict:
    """An engine may still be connected: resumed, it would send real orders unarmed."""
    return Conflict(
        f"Account {account_id} trades real money and is not armed.",
        remedy="Arm it first: tradewright accounts arm. A halt with flatten closes what it holds.",
    )


def _scope(account_id: int) -> str:
    return f"account:{account_id}"


def _account_of(scope: str) -> int:
    return int(scope.partition(":")[2])
