"""The outside world as the inside sees it: adapters implement these, nothing else does I/O."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from app.domain.deployments import AccountMode
from app.domain.events import (
    BrokerReport,
    CorporateActionDue,
    Event,
    OrderAdjusted,
    SessionClosed,
    SliceClosed,
)
from app.domain.executions import Execution
from app.domain.instruments import Instrument
from app.domain.market import SliceOpened
from app.domain.orders import BrokerOrder as BrokerOrder
from app.domain.orders import Order, OrderType, TimeInForce

ZERO = Decimal(0)


class BrokerBook(msgspec.Struct, frozen=True, kw_only=True):
    """What a broker says it has, asked at one instant."""

    open_orders: tuple[BrokerOrder, ...]
    executions: tuple[Execution, ...]
    "Fills, of orders that are not ours too, as far back as was asked or the broker remembers."
    complete_since: datetime | None = None
    "From when on every fill that counts is among `executions`, for certain; None: nobody knows."
    closed_orders: tuple[BrokerOrder, ...] = ()
    "Orders that ended, as far back as was asked or the broker remembers."
    positions: Mapping[str, Decimal] | None = None
    "Signed quantity by symbol, whole; None where the book is ours to rebuild (paper)."
    average_prices: Mapping[str, Decimal] = {}
    "What was paid on average a share, by symbol, where the broker says so."
    cash: Decimal | None = None
    "The account's cash as the broker counts it, fees and all."


class BrokerLink(msgspec.Struct, frozen=True, kw_only=True):
    """The connection to the broker came up or went down; after each `up` the book must be read."""

    is_up: bool
    reason: str = ""
    at: datetime
    planned_until: datetime | None = None
    "The end of an outage that was to be expected (a nightly restart): nobody need be woken."


class BrokerAbilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a broker can do by itself; the engine holds the rest, "protected only while running"."""

    types: frozenset[OrderType] = frozenset(OrderType)
    times_in_force: frozenset[TimeInForce] = frozenset(TimeInForce)
    can_replace: bool = True
    links_orders: bool = False
    "Whether orders of one `group_id` are one-cancels-other at the broker itself."
    is_fractional: bool = False
    can_short: bool = True
    takes_both_sides: bool = True
    "Whether it takes an order that could meet one on the other side that rests there."
    remembers: timedelta | None = None
    "How far back executions can be asked for; None: without end."


class BrokerSetup(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter is made with: whose account it serves, and what may be traded."""

    account_id: int
    mode: AccountMode = AccountMode.PAPER
    instruments: Mapping[str, Instrument] = {}
    settings: Mapping[str, Any] = {}
    "The account's own settings of this broker; of paper the fill model."
    is_guardian: bool = False
    "Made for the guardian, beside the engine's own connection, which it must not take away."


class Broker(Protocol):
    """Submits, changes and cancels orders, and reports what became of them.

    `submit`, `replace` and `cancel` return the reports known at once. They raise BrokerRejected for
    a definite no, BrokerUnavailable where it is certain that nothing was sent, and anything else
    for "don't know", which the driver turns into `order_unknown`. An adapter never sends a request
    that makes or changes an order twice by itself, and never waits before it sends one: where it
    may not send now (no link, no budget) it raises BrokerUnavailable at once, for the gate was read
    just before the call. An order made without any client id is called `foreign_id(…)` everywhere:
    in reports, fills, `find`, `cancel`. It says "external" as the ledger of a fill; the driver
    knows whose it is.
    """

    name: str
    is_simulated: bool
    "True when the whole book is ours to rebuild, so that a resubmission can double nothing."
    abilities: BrokerAbilities

    async def submit(self, order: Order, at: datetime) -> Sequence[BrokerReport]: ...

    async def cancel(self, client_order_id: str, at: datetime) -> Sequence[BrokerReport]: ...

    async def replace(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        """Change a resting order; `order` carries the new quantity and prices.

        OrderReplaced, or ChangeRejected (as BrokerRejected raised: the order is as before).
        """
        ...

    def observe(
        self, seen: SliceOpened | SliceClosed | SessionClosed | CorporateActionDue | OrderAdjusted
    ) -> Iterable[BrokerReport]:
        """Only a simulated broker watches the market; a real one returns ()."""
        ...

    def reports(self) -> AsyncIterator[BrokerReport | BrokerLink]:
        """What the broker tells unasked, for ever; reconnects by itself. A simulated one has none.

        The first item is a BrokerLink. Before the first `is_up` nothing can be sent.
        """
        ...

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        """The order by our id, open or closed; None when the broker definitely has none.

        Raises BrokerUnavailable (or anything else) where it cannot say.
        """
        ...

    async def book(self, since: datetime | None = None) -> BrokerBook:
        """Orders, fills since then, positions and cash as the broker has them.

        Raises rather than return a part: an empty list means that there is nothing.
        """
        ...

    async def cancel_all(self) -> None:
        """Cancel every open order of the account, whoever made it: for the guardian."""
        ...

    async def close(self) -> None:
        """End the connection; orders stay as they are."""
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
