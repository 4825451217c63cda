"""The wire gate: the latch of the emergency stop, held in memory so that reading it never waits."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from app.core import clock
from app.core.errors import TradewrightError
from app.db.halt_file import Halt, HaltFile
from app.domain.deployments import TradingState
from app.domain.orders import Leg, Order
from app.repositories import trading_state
from app.repositories.paging import Db

ALL: Final = "all"
_GUARDIAN: Final = "guardian"


class Latch(NamedTuple):
    """One scope's row: what may be sent, and the epoch of that decision."""

    state: TradingState
    epoch: int


class HaltedOutside(TradewrightError):
    """The guardian halted the account: its engine begins anew, to learn what was done meanwhile."""


class WireGate:
    """Called right before the wire. Closed until the latch was read once."""

    def __init__(
        self,
        account_id: int,
        home: Path | None = None,
        *,
        quiet: Callable[[], None] = lambda: None,
    ) -> None:
        """`home` holds the guardian's halts, which need no database.

        `quiet` is called when a stop was read while something was on its way, and no longer is.
        """
        self._account_id = account_id
        self._scope = f"account:{account_id}"
        self._latches: dict[str, Latch] = {}
        self._file = None if home is None else HaltFile(home, account_id)
        self._owned_until = 0.0
        self._quiet = quiet
        self._sending = 0
        self._is_awaited = False
        "Whether a decision was read that is not confirmed yet."

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Something may be on its way to the broker: until it is answered no stop is confirmed.

        It passed the gate before the stop, and may wait for a connection or its turn in the
        adapter: who is told that nothing goes out any more must be able to believe it.
        """
        self._sending += 1
        try:
            yield
        finally:
            self._sending -= 1
            if not self._sending and self._is_awaited:
                self._is_awaited = False
                self._quiet()

    def own(self, until: float) -> None:
        """The lease is good until this instant of `clock.elapsed`."""
        self._owned_until = until

    def fence(self) -> str | None:
        """Why nothing at all may be written to the wire, cancels included; None when it may.

        Read synchronously right before the wire: after a pause, however long, its first answer is
        that the lease may have run out.
        """
        return None if clock.elapsed() < self._owned_until else "the lease may have run out"

    @property
    def is_halted_outside(self) -> bool:
        """Whether the guardian's file is there. Nothing is sent then, not even a flatten."""
        return self._file is not None and self._file.is_there()

    def __call__(self, order: Order) -> str | None:
        """Why `order` must not be sent now; None when it may."""
        if not self._latches:
            return "the trading state is not known yet"
        if self.is_halted_outside:
            return "trading is halted (guardian)"
        for scope, latch in self._latches.items():
            if latch.state is TradingState.HALTED and order.leg is not Leg.FLATTEN:
                return f"trading is halted ({scope})"
            if latch.state is TradingState.REDUCING and order.leg is Leg.ENTRY:
                return f"trading is reducing ({scope})"
        return None

    async def settle(self, db: Db) -> Halt | None:
        """Make the guardian's file a latch of the database, and lift it; None without a file.

        Only where the books were held against the broker's since it was written: what the guardian
        cancelled and closed is known then, and cannot be done again.
        """
        if self._file is None or (halt := self._file.read()) is None:
            return None
        await self.refresh(db)
        own = self._latches.get(self._scope)
        if own is None or own.state is not TradingState.HALTED:
            reason = f"{_GUARDIAN}: {halt.reason}"
            await trading_state.latch(db, self._scope, TradingState.HALTED, reason, _GUARDIAN)
            await self.refresh(db)
        self._file.remove()
        return halt

    async def refresh(self, db: Db) -> None:
        """Read the latch again, obey it from here on, and say so unless something is on its way."""
        rows = await trading_state.states(db)
        latches = {row["scope"]: row for row in rows if row["scope"] in (ALL, self._scope)}
        for scope, row in latches.items():
            # Two may read at once: an answer that was overtaken must not loosen a newer stop.
            known = self._latches.get(scope)
            if known is None or row["epoch"] >= known.epoch:
                self._latches[scope] = _latch(row)
        own = latches.get(self._scope)
        if own is None or own["confirmed_epoch"] >= own["epoch"]:
            return
        self._is_awaited = self._sending > 0
        if not self._is_awaited:
            await trading_state.confirm(db, self._account_id, own["epoch"])
        elif own["heard_epoch"] < own["epoch"]:
            await trading_state.hear(db, self._account_id, own["epoch"])


def _latch(row: Mapping[str, Any]) -> Latch:
    return Latch(TradingState(row["state"]), row["epoch"])
