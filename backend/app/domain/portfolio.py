"""Positions, trades and cash: a fold over executions, nothing else."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.executions import Execution

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)
PRECISION: Final = Decimal("0.00000001")
"Quotients are rounded to what the database keeps, so that the fold and its tables agree."


class Position(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one ledger holds of one symbol now; `quantity` is signed.

    `realized_pnl` (before costs) and `commission` run since the ledger's first fill; the fields
    from `entry_quantity` on describe the round trip under way and are zero while flat. Prices are
    as they are quoted; money counts the multiplier: an option contract is 100 shares.
    """

    ledger: str
    symbol: str
    quantity: Decimal = ZERO
    average_price: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    commission: Decimal = ZERO
    opened_at: datetime | None = None
    entry_quantity: Decimal = ZERO
    "Largest absolute quantity since the position was last flat."
    signal_id: str | None = None
    entered: Decimal = ZERO
    "Signed quantity of all entries of this trip."
    entry_value: Decimal = ZERO
    "What the entries cost: signed quantity times price times multiplier."
    exit_value: Decimal = ZERO
    "What the exits brought."
    trip_pnl: Decimal = ZERO
    trip_commission: Decimal = ZERO

    def unrealized_pnl(self, price: Decimal, multiplier: Decimal = ONE) -> Decimal:
        return (price - self.average_price) * self.quantity * multiplier


class Trade(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A round trip of one ledger: from flat, to a position, back to flat (or through it).

    `quantity` is signed by direction and is the largest held; `pnl` is net of `commission`.
    """

    trade_id: str
    ledger: str
    symbol: str
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    entry_at: datetime
    exit_at: datetime
    commission: Decimal
    pnl: Decimal
    entry_signal_id: str | None = None
    exit_signal_id: str | None = None
    exit_leg: str | None = None


class Ledger(msgspec.Struct, kw_only=True):
    """One ledger's book: cash flow since the start and positions. Only the fold writes it."""

    name: str
    cash: Decimal = ZERO
    positions: dict[str, Position] = {}

    def position(self, symbol: str) -> Position:
        return self.positions.get(symbol) or Position(ledger=self.name, symbol=symbol)

    def apply(
        self,
        execution: Execution,
        *,
        multiplier: Decimal = ONE,
        signal_id: str | None = None,
        leg: str | None = None,
    ) -> tuple[Position, Trade | None]:
        """Fold one fill in: the position after it, and the round trip that it completed.

        A fill through zero closes one trade and opens the next; its commission is shared by
        quantity. `multiplier` is the instrument's; `signal_id` and `leg` are the order's, for
        attribution.
        """
        signed, commission, trade = execution.signed_quantity, execution.commission, None
        position = self.position(execution.symbol)
        worth = execution.price * multiplier
        self.cash -= signed * worth + commission
        if position.quantity * signed < 0:
            closing = -position.quantity
            if abs(signed) < abs(closing):
                closing = signed
            opening, share = signed - closing, commission
            if opening and commission:
                share = (commission * closing / signed).quantize(PRECISION)
            position, trade = _close(
                position, closing, share, execution, multiplier, signal_id, leg
            )
            signed, commission = opening, commission - share
        if signed:
            position = _open(position, signed, commission, execution, worth, signal_id)
        self.positions[execution.symbol] = position
        return position, trade


def _open(
    held: Position,
    signed: Decimal,
    commission: Decimal,
    execution: Execution,
    worth: Decimal,
    signal_id: str | None,
) -> Position:
    """`worth`: what one unit cost, multiplier and all."""
    quantity, price = held.quantity + signed, execution.price
    average = price
    if held.quantity:
        paid = held.average_price * held.quantity + signed * price
        average = (paid / quantity).quantize(PRECISION)
    return Position(
        ledger=held.ledger,
        symbol=held.symbol,
        quantity=quantity,
        average_price=average,
        realized_pnl=held.realized_pnl,
        commission=held.commission + commission,
        opened_at=held.opened_at or execution.at,
        entry_quantity=max(held.entry_quantity, abs(quantity)),
        signal_id=held.signal_id or signal_id,
        entered=held.entered + signed,
        entry_value=held.entry_value + signed * worth,
        exit_value=held.exit_value,
        trip_pnl=held.trip_pnl,
        trip_commission=held.trip_commission + commission,
    )


def _close(
    held: Position,
    signed: Decimal,
    commission: Decimal,
    execution: Execution,
    multiplier: Decimal,
    signal_id: str | None,
    leg: str | None,
) -> tuple[Position, Trade | None]:
    quantity, worth = held.quantity + signed, execution.price * multiplier
    exit_value, costs = held.exit_value - signed * worth, held.trip_commission + commission
    if quantity:
        pnl = signed * (held.average_price - execution.price) * multiplier
        return msgspec.structs.replace(
            held,
            quantity=quantity,
            realized_pnl=held.realized_pnl + pnl,
            commission=held.commission + commission,
            exit_value=exit_value,
            trip_pnl=held.trip_pnl + pnl,
            trip_commission=costs,
        ), None
    # Flat: the money that went in and out says exactly what was won, without any quotient.
    won, entered = exit_value - held.entry_value, held.entered * multiplier
    flat = Position(
        ledger=held.ledger,
        symbol=held.symbol,
        realized_pnl=held.realized_pnl - held.trip_pnl + won,
        commission=held.commission + commission,
    )
    return flat, Trade(
        trade_id=f"{held.ledger}/{execution.execution_id}",
        ledger=held.ledger,
        symbol=held.symbol,
        quantity=held.entry_quantity if held.entered > 0 else -held.entry_quantity,
        entry_price=(held.entry_value / entered).quantize(PRECISION),
        exit_price=(exit_value / entered).quantize(PRECISION),
        entry_at=held.opened_at or execution.at,
        exit_at=max(held.opened_at or execution.at, execution.at),  # fills come in any order
        commission=costs,
        pnl=won - costs,
        entry_signal_id=held.signal_id,
        exit_signal_id=signal_id,
        exit_leg=leg,
    )
