"""When an order that nobody answered for may be given up: the rule of "not found". Pure."""

from typing import Final

import msgspec

from app.domain.orders import Order, OrderStatus

MISSES: Final = 5
SPAN_SECONDS: Final = 30.0
LEASE_SECONDS: Final = 10.0
"More than `repositories.leases.SECONDS`: so long another may still believe it owns the account."
BROKER_SECONDS: Final = 30.0
"So long a request may lie at a broker, or on the way, before it is carried out."


class Misses(msgspec.Struct):
    """How often a broker said that it has no such order, with all its lists read.

    Times are seconds of a clock that only goes forward: a wall clock that steps would make minutes
    of a moment.
    """

    first: float
    last: float
    count: int = 1

    def again(self, now: float) -> None:
        """Once more."""
        self.count, self.last = self.count + 1, now


def never_arrived(order: Order, misses: Misses, now: float) -> bool:
    """Whether an unknown order counts as one that the broker never got.

    "Not found" once means nothing: brokers answer from copies that lag behind, and a request may
    still be on its way. Only then it is rejected, and what it was for is asked for anew. The first
    miss came after the submission, so that what has passed since it is long enough.
    """
    if order.status is not OrderStatus.UNKNOWN:
        return False
    is_sure = misses.count >= MISSES and misses.last - misses.first >= SPAN_SECONDS
    return is_sure and now - misses.first >= LEASE_SECONDS + BROKER_SECONDS
