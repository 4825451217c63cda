"""When an order that nobody answered for may be given up: the rule of "not found". Pure."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from app.domain.orders import Order, OrderStatus

MISSES: Final = 5
SPAN: Final = timedelta(seconds=30)
LEASE: Final = timedelta(seconds=10)
"As `repositories.leases.SECONDS`: so long another process may still believe it owns the account."
BROKER_TIMEOUT: Final = timedelta(seconds=30)
"So long a request may lie at a broker, or on the way, before it is carried out."


class Misses(msgspec.Struct):
    """How often a broker said that it has no such order, with all its lists read."""

    first: datetime
    last: datetime
    count: int = 1

    def again(self, at: datetime) -> None:
        """Once more."""
        self.count, self.last = self.count + 1, max(self.last, at)


def never_arrived(order: Order, misses: Misses, at: datetime) -> bool:
    """Whether an unknown order counts as one that the broker never got.

    "Not found" once means nothing: brokers answer from copies that lag behind, and a request may
    still be on its way. Only then it is rejected, and what it was for is asked for anew.
    """
    if order.status is not OrderStatus.UNKNOWN:
        return False
    is_sure = misses.count >= MISSES and misses.last - misses.first >= SPAN
    return is_sure and at - (order.submitted_at or order.at) >= LEASE + BROKER_TIMEOUT
