"""Positions, trades and cash: a fold over executions, nothing else."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

ZERO: Final = Decimal(0)


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What one ledger holds of one symbol now; `quantity` is signed."""

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

    def unrealized_pnl(self, price: Decimal) -> Decimal:
        return (price - self.average_price) * self.quantity


class Trade(msgspec.Struct, frozen=True, kw_only=True):
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
