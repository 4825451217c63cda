"""Fills as IBKR tells them: once each, with their commission, and what it later made of them.

A correction has an id that differs behind the last dot only (…01.01 becomes …01.02) and replaces
its predecessor; one to no shares at all is taken for a bust. The commission comes by a message of
its own: a fill waits for it a moment, and what comes later is told as a correction.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from app.adapters.clients.ibkr_errors import NAME
from app.adapters.clients.ibkr_terms import UNSET
from app.core.clock import Clock
from app.domain.events import BrokerReport, ExecutionBusted, ExecutionCorrected, OrderFilled
from app.domain.executions import Execution

PENDING: Final = -1.0
"Seen in the wild for a commission that is not known yet."
SETTLING_SECONDS: Final = 5.0
"A correction needs that long at most to get from here into our books."
REMEMBERED: Final = timedelta(days=3)
ZERO: Final = Decimal(0)
Tell = Callable[[BrokerReport], None]


@dataclass(slots=True)
class Known:
    """The newest version of one fill, under the id that it was told by."""

    version: int
    execution: Execution
    is_told: bool = True
    fees: int = 0
    "How often its commission came late."
    before: Execution | None = None
    "What it was until `changed_at`."
    changed_at: float = 0.0
    is_gone: bool = False
    "Though it is of the time that IBKR's list covers, the list lacks it."


class Executions:
    """Tells each fill once by `tell`. All versions of a fill have one name."""

    def __init__(self, tell: Tell, clock: Clock, *, patience_seconds: float) -> None:
        """`patience_seconds`: how long a fill waits for its commission."""
        self._tell, self._clock, self._patience = tell, clock, patience_seconds
        self._known: dict[str, Known] = {}
        self._waiting: dict[str, tuple[Execution, asyncio.TimerHandle]] = {}
        "By name; a fill that nobody was told of yet."
        self._fees: dict[str, Decimal] = {}
        "By IBKR's id."

    def hear(self, execution: Execution, *, is_news: bool = True) -> None:
        """A fill, told for the first time or again; `is_news` False only remembers it."""
        name, version = split(execution.execution_id)
        if name in self._waiting:
            if version <= split(self._waiting[name][0].execution_id)[1]:
                return
            self._go(name)
        known = self._known.get(name)
        if known is not None and version <= known.version:
            return
        fee = self._fees.get(execution.execution_id)
        if known is None and not is_news:
            paid = msgspec.structs.replace(execution, commission=fee or ZERO)
            self._known[name] = Known(version, paid, is_told=False)
        elif fee is not None or known is not None or not execution.quantity:
            self._settle(name, execution, fee)
        else:
            loop = asyncio.get_running_loop()
            handle = loop.call_later(self._patience, self._go, name)
            self._waiting[name] = (execution, handle)

    def commission(self, execution_id: str, amount: float) -> None:
        """What a fill cost; rebates are negative."""
        if abs(amount) > UNSET or amount == PENDING:
            return
        fee = Decimal(str(amount))
        self._fees[execution_id] = fee
        name, version = split(execution_id)
        if name in self._waiting and self._waiting[name][0].execution_id == execution_id:
            self._go(name)
            return
        known = self._known.get(name)
        if known is not None and known.version == version and known.execution.commission != fee:
            self._charge(known, execution_id, fee)

    def flush(self, identity: str | None = None) -> None:
        """Tell what waits for a commission, without it; only of one order where that is named."""
        for name, (execution, _) in list(self._waiting.items()):
            if identity in (None, execution.client_order_id):
                self._go(name)

    def forget(self) -> None:
        """Drop what IBKR itself has forgotten."""
        until = self._clock.now() - REMEMBERED
        self._known = {name: one for name, one in self._known.items() if one.execution.at >= until}
        kept = self._known.keys() | self._waiting.keys()
        self._fees = {key: fee for key, fee in self._fees.items() if split(key)[0] in kept}

    def take(self, since: datetime | None = None) -> tuple[Execution, ...]:
        """Fills as they stand, under the ids that they were told by; busted ones are gone.

        Whoever takes them knows of them: what becomes of them later is told. A correction that
        was told just now may still be on its way: until then the fill is as it was, for a new id
        would look like another fill.
        """
        self.flush()
        found, now = [], self._clock.monotonic()
        for known in self._known.values():
            one = known.execution
            if known.before is not None and now - known.changed_at < SETTLING_SECONDS:
                one = known.before
            if one.quantity and not known.is_gone and (since is None or one.at >= since):
                known.is_told = True
                found.append(one)
        return tuple(found)

    def names(self) -> set[str]:
        """All that were told."""
        return set(self._known)

    def compare(self, before: set[str], listed: Iterable[str]) -> datetime | None:
        """Hold a list of IBKR's, by id, against those known `before` it was asked for.

        Returns from when on the list is whole: it goes back to midnight somewhere, and so at
        least to the oldest fill in it. None where it is empty.
        """
        there = {split(one)[0] for one in listed} & self._known.keys()
        since = min((self._known[name].execution.at for name in there), default=None)
        for name, known in self._known.items():
            is_covered = since is not None and known.execution.at >= since
            known.is_gone = is_covered and name in before and name not in there
        return since

    def of(self, identity: str) -> list[Execution]:
        """Fills of one order, those that still wait for their commission too."""
        held = [one.execution for one in self._known.values() if one.execution.quantity]
        waiting = [one for one, _ in self._waiting.values()]
        return [one for one in held + waiting if one.client_order_id == identity]

    # ---------------------------------------------------------------------------- inside

    def _go(self, name: str) -> None:
        """Its commission came, or will come later."""
        execution, handle = self._waiting.pop(name)
        handle.cancel()
        self._settle(name, execution, self._fees.get(execution.execution_id))

    def _settle(self, name: str, execution: Execution, fee: Decimal | None) -> None:
        known = self._known.get(name)
        if fee is None:
            fee = known.execution.commission if known is not None else ZERO
        execution = msgspec.structs.replace(execution, commission=fee)
        before = ancestors(execution.execution_id)
        version = split(execution.execution_id)[1]
        if known is None:
            self._known[name] = Known(version, execution)
        else:
            before = [known.execution.execution_id]
            self._change(known, version, execution)
        if not before:
            self._tell(OrderFilled(execution=execution))
        elif self._known[name].is_told:
            self._replace(before, execution)

    def _change(self, known: Known, version: int, execution: Execution) -> None:
        known.before, known.changed_at = known.execution, self._clock.monotonic()
        known.version, known.execution = version, execution

    def _charge(self, known: Known, execution_id: str, fee: Decimal) -> None:
        if not known.is_told:
            known.execution = msgspec.structs.replace(known.execution, commission=fee)
            return
        known.fees += 1
        before = known.execution.execution_id
        identity = f"{execution_id}:fee{known.fees}"
        charged = msgspec.structs.replace(known.execution, execution_id=identity, commission=fee)
        self._change(known, known.version, charged)
        self._correct(known.execution, before, "The commission came after the fill.")

    def _replace(self, before: Sequence[str], execution: Execution) -> None:
        """Told for each id that our books may have it under; the first that they know counts."""
        for one in before:
            if execution.quantity:
                self._correct(execution, one, f"IBKR corrected the fill {one}.")
            else:
                self._bust(execution, one)

    def _correct(self, execution: Execution, before: str, reason: str) -> None:
        at = self._clock.now()
        self._tell(ExecutionCorrected(execution=execution, corrects=before, reason=reason, at=at))

    def _bust(self, execution: Execution, before: str) -> None:
        self._tell(
            ExecutionBusted(
                broker=NAME,
                execution_id=before,
                client_order_id=execution.client_order_id,
                reason="IBKR took the fill back.",
                at=self._clock.now(),
            )
        )


def split(execution_id: str) -> tuple[str, int]:
    """What all versions of a fill share, and which version this is.

    >>> split("0000e0d5.1e6b8c5f.01.02")
    ('0000e0d5.1e6b8c5f.01', 2)
    """
    name, _, version = execution_id.rpartition(".")
    return (name, int(version)) if name and version.isdigit() else (execution_id, 1)


def ancestors(execution_id: str) -> list[str]:
    """Ids that a fill may have been told under before, in this life of the process or another.

    >>> ancestors("0000e0d5.1e6b8c5f.01.02")
    ['0000e0d5.1e6b8c5f.01.01', '0000e0d5.1e6b8c5f.01.01:fee1']
    """
    name, version = split(execution_id)
    digits = len(execution_id) - len(name) - 1
    told = [f"{name}.{one:0{digits}}" for one in range(1, version)]
    return [one for plain in told for one in (plain, f"{plain}:fee1")]
