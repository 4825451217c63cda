"""Fills of late, so that one the broker takes back or corrects can be taken out of the books again.

Positions are a fold over fills: without one of them, the fold is made anew from where it was.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from itertools import takewhile

import msgspec

from app.domain.executions import Execution
from app.domain.portfolio import ONE, Ledger, Position, Trade


class BookedFill(msgspec.Struct, kw_only=True, gc=False):
    """A fill as it was booked, for which order, and the position that it met."""

    execution: Execution
    signal_id: str | None
    leg: str | None
    before: Position


class Rebooked(msgspec.Struct, frozen=True):
    """What taking a fill back, or correcting it, makes of its ledger and symbol."""

    position: Position
    cash: Decimal
    "What the ledger's cash changes by."
    voided: tuple[Trade, ...]
    "Round trips that never were, or were others."
    closed: tuple[Trade, ...]
    "What they are instead."


class Fills:
    """The fills of an account's last days in the order in which they were booked."""

    def __init__(self, fills: Iterable[BookedFill] = ()) -> None:
        self._fills: deque[BookedFill] = deque(fills)

    def add(self, fill: BookedFill) -> None:
        """Remember one more, booked just now."""
        self._fills.append(fill)

    def forget(self, until: datetime) -> None:
        """Drop what was booked first while it was filled before `until`: it stands for ever."""
        fills = self._fills
        while fills and fills[0].execution.at < until:
            fills.popleft()

    def find(self, execution_id: str) -> BookedFill | None:
        """The fill of that id; None when it is too old, or was taken back."""
        for one in reversed(self._fills):
            if one.execution.execution_id == execution_id:
                return one
        return None

    def of_order(self, client_order_id: str) -> list[Execution]:
        """What was filled of one order of late, as it counts now."""
        found = (one.execution for one in self._fills)
        return [one for one in found if one.client_order_id == client_order_id]

    def of_symbol(self, symbol: str) -> list[Execution]:
        """What was filled of a symbol of late, over all ledgers, as it counts now."""
        return [one.execution for one in self._fills if one.execution.symbol == symbol]

    def snapshot(self) -> list[BookedFill]:
        """All of them, for a checkpoint."""
        return [msgspec.structs.replace(one) for one in self._fills]

    def rebook(
        self,
        fill: BookedFill,
        instead: Execution | None,
        now: Position,
        multiplier: Decimal = ONE,
    ) -> Rebooked:
        """Take `fill` out, or put `instead` in its place; `now` is the position as it is.

        Where something else than fills changed the position since (a split), the fill is undone by
        its opposite: quantity and cash are right then, the average price is near.
        """
        later = self._from(fill)
        before, trades, spent = _fold(fill.before, later, multiplier)
        if before != now:
            return self._reverse(fill, instead, now, multiplier)
        if instead is None:
            del later[0]
            self._fills.remove(fill)
        else:
            fill.execution = instead
        after, others, cost = _fold(fill.before, later, multiplier)
        return Rebooked(
            position=after,
            cash=cost - spent,
            voided=tuple(trade for trade in trades if trade not in others),
            closed=tuple(trade for trade in others if trade not in trades),
        )

    def _from(self, fill: BookedFill) -> list[BookedFill]:
        """That one and all later ones of its ledger and symbol."""
        key, later = _key(fill), takewhile(lambda one: one is not fill, reversed(self._fills))
        return [fill, *reversed([one for one in later if _key(one) == key])]

    def _reverse(
        self, fill: BookedFill, instead: Execution | None, now: Position, multiplier: Decimal
    ) -> Rebooked:
        self._fills.remove(fill)
        added = [_as(fill, opposite(fill.execution))]
        if instead is not None:
            added.append(_as(fill, instead))
        after, trades, cost = _fold(now, added, multiplier)
        self._fills.extend(added[1:])
        return Rebooked(position=after, cash=cost, voided=(), closed=tuple(trades))


def opposite(execution: Execution) -> Execution:
    """The fill that undoes another: shares, money and commission."""
    return msgspec.structs.replace(
        execution,
        execution_id=f"{execution.execution_id}:undone",
        side="sell" if execution.side == "buy" else "buy",
        commission=-execution.commission,
    )


def _as(fill: BookedFill, execution: Execution) -> BookedFill:
    return msgspec.structs.replace(fill, execution=execution)


def _key(fill: BookedFill) -> tuple[str, str]:
    return fill.before.ledger, fill.before.symbol


def _fold(
    before: Position, fills: Iterable[BookedFill], multiplier: Decimal
) -> tuple[Position, list[Trade], Decimal]:
    """The position after these fills, the round trips that they completed, and the cash.

    Each fill remembers the position that it met now.
    """
    ledger, trades = Ledger(name=before.ledger, positions={before.symbol: before}), []
    for one in fills:
        one.before = ledger.position(before.symbol)
        _, trade = ledger.apply(
            one.execution, multiplier=multiplier, signal_id=one.signal_id, leg=one.leg
        )
        if trade is not None:
            trades.append(trade)
    return ledger.position(before.symbol), trades, ledger.cash
