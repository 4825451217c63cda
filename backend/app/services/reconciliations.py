"""Ask an engine to hold our books against the broker's, and read what comparisons found."""

from typing import Any, Final

import asyncpg
import msgspec

from app.core.clock import Clock
from app.core.errors import NotFound
from app.domain.commands import CommandKind, Desk
from app.domain.notional_caps import refuse_unbounded
from app.domain.users import Caller
from app.repositories import account_reports, audit, broker_states, reconciliations
from app.repositories.audit import Act
from app.repositories.paging import Fetch, Row

GONE_SECONDS: Final = 30.0
"A state that is older was written by a process that is gone."


class Reconciliations:
    """Of accounts that the caller may see."""

    def __init__(self, pool: asyncpg.Pool, desk: Desk, audit_key: bytes, clock: Clock) -> None:
        self._pool, self._desk = pool, desk
        self._audit_key, self._clock = audit_key, clock

    async def ask(self, caller: Caller, account_id: int, *, dry_run: bool, adopt: bool) -> Row:
        """Compare now; the command's row, whose result says what was found and done.

        A dry run changes nothing. `adopt`: the broker is right, says the caller, which is audited.
        What is adopted may be of any size, and trading may go on by it. Raises Forbidden for a key
        with a cap that would adopt, NotFound, Unavailable without an engine.
        """
        if adopt and not dry_run:
            refuse_unbounded(caller)
        await self._seen(caller, account_id)
        payload = {"dry_run": dry_run, "adopt": adopt}
        row = await self._desk.ask(account_id, CommandKind.RECONCILE, payload, caller.actor)
        if not dry_run:
            act = Act(
                actor=caller.actor,
                action="account.adopt" if adopt else "account.reconcile",
                resource="account",
                resource_id=str(account_id),
                after=payload,
            )
            async with self._pool.acquire() as db, db.transaction():
                await audit.append(db, self._audit_key, act, self._clock.now())
        return row

    async def listing(self, caller: Caller, account_id: int, *, differing: bool) -> Fetch:
        """Past comparisons, newest first. Raises NotFound."""
        await self._seen(caller, account_id)
        return reconciliations.listing(self._pool, account_id, caller.visible, differing=differing)

    async def broker(self, caller: Caller, account_id: int) -> Row:
        """How the account and its broker get on now. Raises NotFound."""
        account = await account_reports.get(self._pool, account_id, caller.visible)
        found = await broker_states.listed(self._pool, [account_id])
        if not found:
            return _simulated(account) if account["broker"] == "paper" else _unheard(account)
        (row,) = found
        report: dict[str, Any] = row["report"]
        is_gone = row["age_seconds"] > GONE_SECONDS
        return {
            **{key: row[key] for key in ("account_id", "broker", "mode", "since", "looked_at")},
            "planned_until": row["planned_until"],
            "state": "unknown" if is_gone else row["state"],
            "reason": "No engine runs this account." if is_gone else row["reason"],
            "is_reconciled": report["is_reconciled"] and not is_gone,
            "differences": report["differences"],
            "in_flight": report["in_flight"],
        }

    async def comparison(self, caller: Caller, account_id: int) -> Row:
        """Both books as the last whole look saw them. Raises NotFound."""
        await self._seen(caller, account_id)
        found = await broker_states.comparison(self._pool, account_id)
        known = msgspec.to_builtins(found) if found else {"at": None, "lines": []}
        return {"account_id": account_id, **known}

    async def _seen(self, caller: Caller, account_id: int) -> None:
        if account_id not in await account_reports.ids(self._pool, caller.visible):
            raise NotFound(f"There is no account {account_id}.", remedy="See GET /api/accounts.")


def _simulated(account: Row) -> Row:
    """Paper needs no connection: its book is our own."""
    return _blank(account) | {"state": "up", "is_reconciled": True}


def _unheard(account: Row) -> Row:
    return _blank(account) | {"state": "unknown", "reason": "No engine has run this account yet."}


def _blank(account: Row) -> Row:
    return {
        "account_id": account["id"],
        "broker": account["broker"],
        "mode": account["mode"],
        "state": "unknown",
        "reason": "",
        "since": None,
        "planned_until": None,
        "looked_at": None,
        "is_reconciled": False,
        "differences": [],
        "in_flight": 0,
    }
