"""The outside world as the inside sees it: adapters implement these, nothing else does I/O."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from app.domain.events import (
    BrokerReport,
    CorporateActionDue,
    Event,
    OrderAdjusted,
    SessionClosed,
    SliceClosed,
)
from app.domain.executions import Execution
from app.domain.market import SliceOpened
from app.domain.orders import Order


class BrokerBook(msgspec.Struct, frozen=True, kw_only=True):
    """What a broker says it has: open orders, and net quantity by symbol from its own fills."""

    open_orders: tuple[Order, ...]
    executions: tuple[Execution, ...]


class Broker(Protocol):
    """Submits and cancels orders and reports what became of them.

    `submit` and `cancel` return the reports known at once. They raise BrokerRejected for a definite
    no and anything else for "don't know", which the driver turns into `order_unknown`.
    """

    name: str
    is_simulated: bool
    "True when the whole book is ours to rebuild, so that a resubmission can double nothing."

    async def submit(self, order: Order, at: datetime) -> Sequence[BrokerReport]: ...

    async def cancel(self, client_order_id: str, at: datetime) -> Sequence[BrokerReport]: ...

    def observe(
        self, seen: SliceOpened | SliceClosed | SessionClosed | CorporateActionDue | OrderAdjusted
    ) -> Iterable[BrokerReport]:
        """Only a simulated broker watches the market; a real one returns ()."""
        ...

    async def book(self) -> BrokerBook:
        """Open orders and fills as the broker has them, for reconciliation."""
        ...


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One event on its way into the journal; `cause` is the index in the batch of its cause."""

    event: Event
    cause: int | None = None


class Journal(Protocol):
    """Remembers events durably, all or none, before anyone acts on them."""

    async def append(self, entries: Sequence[Entry]) -> int:
        """Append to the stream; returns the last seq. Raises Fenced when the lease was lost."""
        ...
