"""Controls on the command line: emergency stop, reduce, resume."""

from typing import Annotated, Any

import msgspec
import typer

from app.console.connection import Connected, run
from app.console.output import Json, show
from app.console.words import Account, Reason
from app.core.clock import system
from app.repositories.journal import SharedJournal
from app.services.trading import Control, Trading


def estop(
    account: Account = None,
    flatten: Annotated[bool, typer.Option(help="Also close every position.")] = False,
    reason: Reason = "emergency stop from the command line",
    as_json: Json = False,
) -> None:
    """Emergency stop: from here on nothing but cancels (and the flatten) reaches a broker."""

    async def work(at: Connected) -> dict[str, Any]:
        control = await _trading(at).emergency_stop(at.caller, reason, account, flatten=flatten)
        return _control(control)

    _controlled(run(work), as_json=as_json)


def reduce(
    account: Account = None,
    reason: Reason = "asked for on the command line",
    as_json: Json = False,
) -> None:
    """Let positions only shrink."""

    async def work(at: Connected) -> dict[str, Any]:
        return _control(await _trading(at).reduce(at.caller, reason, account))

    _controlled(run(work), as_json=as_json)


def resume(
    account: Account = None,
    reason: Reason = "asked for on the command line",
    as_json: Json = False,
) -> None:
    """Trade again after a stop."""

    async def work(at: Connected) -> dict[str, Any]:
        return _control(await _trading(at).resume(at.caller, reason, account))

    _controlled(run(work), as_json=as_json)


def _trading(at: Connected) -> Trading:
    journal = SharedJournal(at.pool, at.journal_key)
    return Trading(at.pool, at.desk, at.notices, journal, at.audit_key, system)


def _control(control: Control) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(control)
    return found


def _controlled(found: dict[str, Any], *, as_json: bool) -> None:
    waiting = ", ".join(map(str, found["unconfirmed"]))
    note = f" Not confirmed by the engine of account {waiting} yet." if waiting else ""
    show(found, f"Trading is {found['state']}.{note}", as_json=as_json)
