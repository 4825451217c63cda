"""What actually happened at the broker: one fill."""

from datetime import datetime
from decimal import Decimal

import msgspec


class Execution(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One fill. `quantity` is positive; `signed_quantity` is negative for a sale.

    Unique by (broker, execution_id): a broker that reports the same fill twice changes nothing.
    """

    execution_id: str
    broker: str
    client_order_id: str
    ledger: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    at: datetime

    @property
    def signed_quantity(self) -> Decimal:
        return self.quantity if self.side == "buy" else -self.quantity
