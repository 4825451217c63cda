"""An order in the paper book with what the market did to it so far, and the book as a value."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.orders import STOPS, Order, OrderChange
from app.domain.trailing import followed

ZERO: Final = Decimal(0)

Meeting = tuple[datetime, int]
"""Start of the bar, and 0 for its open or 1 for the whole of it."""


class Resting(msgspec.Struct, kw_only=True, gc=False):
    """An order in the book with what the market did to it so far."""

    order: Order
    filled: Decimal = ZERO
    value: Decimal = ZERO
    charged: Decimal = ZERO
    is_triggered: bool = False
    "A stop that was touched is a market order from then on, a stop-limit a limit order."
    seen_open: datetime | None = None
    "The open that had already printed when the order came; it meets only later ones."
    last_fill: Meeting | None = None
    "Bar and meeting of the newest fill: given again after a crash they do not fill again."
    trailed: Decimal | None = None
    "Where a trailing stop has got to; None where it still stands at the order's own stop price."

    changed_at: datetime | None = None
    "When it was replaced: with its new terms it meets only later bars."

    @property
    def remaining(self) -> Decimal:
        return self.order.quantity - self.filled

    @property
    def waits(self) -> bool:
        """Whether a stop must be touched before it can fill."""
        return not self.is_triggered and self.order.type in STOPS

    @property
    def stop(self) -> Decimal | None:
        """The stop as it stands now."""
        return self.order.stop_price if self.trailed is None else self.trailed

    def change(self, change: OrderChange, at: datetime) -> None:
        """Other quantity and prices from `at` on; a stop that moved trails from its new place."""
        before, self.order, self.changed_at = self.order, self.order.changed(change), at
        if (before.stop_price, before.trail) != (change.stop_price, change.trail):
            self.trailed = None

    def follow(self, high: Decimal, low: Decimal) -> None:
        """A bar closed, and the stop was not touched: if it trails, it comes closer."""
        trail = self.order.trail
        if trail is not None and not self.is_triggered:
            self.trailed = followed(self.order.side, trail, self.stop, high, low)


class BookState(msgspec.Struct, kw_only=True):
    """The whole book as a value, for a checkpoint."""

    resting: dict[str, Resting] = {}
    known: list[str] = []
    "Ids of orders that came before, newest last."
    volumes: dict[str, float] = {}
    opened: dict[str, datetime] = {}
    used: dict[str, tuple[datetime, Decimal]] = {}
    closed_until: datetime | None = None
    volume_factors: dict[str, float] = {}
