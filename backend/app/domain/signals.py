"""What a strategy, or a person, believes: a target to hold, not an instruction to trade."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from app.domain.orders import OrderTerms


class SignalType(StrEnum):
    """Direction of the wanted exposure."""

    LONG = "long"
    FLAT = "flat"
    SHORT = "short"


class Signal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold `exposure` (-1 short .. +1 long) of `symbol` in `ledger`.

    A person may want an exact signed `quantity` instead, on explicit `terms`.
    `stop_loss` and `take_profit` are absolute prices of the protective legs; with `stop_trail`, a
    distance in money, the stop follows the market, from `stop_loss` on where that is named.
    `oco` are the terms of a second order for the same shares: one cancels the other.
    """

    signal_id: str
    ledger: str
    deployment_id: int | None
    symbol: str
    exposure: float
    price: float
    at: datetime
    valid_until: datetime | None = None
    quantity: Decimal | None = None
    terms: OrderTerms | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    stop_trail: Decimal | None = None
    oco: OrderTerms | None = None
    reasons: tuple[str, ...] = ()
    indicator_values: dict[str, float] = {}

    @property
    def signal_type(self) -> SignalType:
        wanted = self.exposure if self.quantity is None else self.quantity
        if wanted > 0:
            return SignalType.LONG
        return SignalType.SHORT if wanted < 0 else SignalType.FLAT


class Target(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The standing wish for one (ledger, symbol): journaled, so a restart keeps it."""

    ledger: str
    symbol: str
    signal_id: str
    exposure: float
    quantity: Decimal
    attempt: int
    valid_until: datetime | None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    stop_trail: Decimal | None = None
    terms: OrderTerms | None = None
    oco: OrderTerms | None = None
    is_met: bool = False
