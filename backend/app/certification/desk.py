"""What a case works with: orders under ids of their own, and what became of them."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec

from app.certification.venue import Act, Venue
from app.core.errors import BrokerRejected, BrokerUnavailable
from app.domain.events import BrokerReport, OrderAccepted, OrderCanceled, OrderFilled
from app.domain.executions import Execution
from app.domain.orders import BrokerOrder, Order, OrderType, Side, TimeInForce
from app.domain.orders import Leg as Leg
from app.domain.ports import Broker, BrokerBook

T = TypeVar("T")
FAR: Final = Decimal(1)
"A limit that a purchase never reaches."


def expect(is_so: object, otherwise: str) -> None:
    """Raises AssertionError with the sentence of what is wrong."""
    if not is_so:
        raise AssertionError(otherwise)


def exact(number: float | Decimal | None) -> Decimal | None:
    return None if number is None else Decimal(str(number))


class Desk:
    """One case's way to the broker. Every order that it makes is remembered, to be cleaned up."""

    def __init__(self, venue: Venue, number: int = 0) -> None:
        self.venue, self._number = venue, number
        self.made: list[str] = []
        self.is_moved = Act.PRINT in venue.acts
        "Whether the market is ours: then nothing costs anything, and orders may be larger."

    @property
    def broker(self) -> Broker:
        return self.venue.broker

    @property
    def now(self) -> datetime:
        return self.venue.now()

    # --------------------------------------------------------------------------------- orders

    def order(self, **terms: Any) -> Order:  # noqa: ANN401 - the fields of an order
        """A purchase far from the market, for the day, unless `terms` say otherwise."""
        self._number += 1
        identity = f"{self.venue.account_id}-{self.venue.run}-{self._number}-e1"
        fields: dict[str, Any] = {
            "client_order_id": identity, "ledger": "manual", "signal_id": identity,
            "symbol": self.venue.symbol, "side": Side.BUY, "leg": Leg.ENTRY, "at": self.now,
            "type": OrderType.LIMIT, "time_in_force": TimeInForce.DAY,
            "quantity": 10 if self.is_moved else 1,
        }  # fmt: skip
        if terms.get("type", OrderType.LIMIT) is OrderType.LIMIT:
            fields["limit_price"] = FAR
        fields |= terms
        for name in ("quantity", "limit_price", "stop_price", "trail"):
            fields[name] = exact(fields.get(name))
        made = Order(**fields)
        self.made.append(made.client_order_id)
        return made

    def market(self, **terms: Any) -> Order:  # noqa: ANN401 - as above
        return self.order(type=OrderType.MARKET, **terms)

    async def submit(self, order: Order) -> Sequence[BrokerReport]:
        """As the driver does: what is answered is heard."""
        return self._heard(await self.broker.submit(order, self.now))

    async def cancel(self, identity: str) -> Sequence[BrokerReport]:
        return self._heard(await self.broker.cancel(identity, self.now))

    async def replace(self, order: Order, **terms: float) -> Order:
        """Ask for other terms; the order as it should become."""
        changed = msgspec.structs.replace(order, **{k: exact(v) for k, v in terms.items()})
        self._heard(await self.broker.replace(changed, self.now))
        return changed

    def _heard(self, reports: Sequence[BrokerReport]) -> Sequence[BrokerReport]:
        self.venue.heard += reports
        return reports

    async def take(self, order: Order | None = None, **terms: Any) -> Order:  # noqa: ANN401
        """Submit an order and wait until it is accepted."""
        order = order or self.order(**terms)
        await self.submit(order)
        name = order.client_order_id
        await self.until(lambda: self.of(OrderAccepted, name), f"{name} is accepted")
        return order

    async def taken_by_hand(self, **terms: Any) -> BrokerOrder:  # noqa: ANN401
        """An order that somebody made on the broker's own screen, as the book has it."""
        await self.act(Act.BY_HAND, **terms)
        made = [o for o in (await self.broker.book()).open_orders if o.client_order_id is None]
        expect(made, "An order that was made by hand is not in the book.")
        return made[-1]

    async def refused(self, order: Order) -> BrokerRejected | None:
        """The definite no to an order; None when it was taken."""
        try:
            await self.submit(order)
        except BrokerRejected as error:
            return error
        return None

    # ----------------------------------------------------------------------------- the market

    async def act(self, act: Act, **given: Any) -> Any:  # noqa: ANN401 - each has its own result
        return await self.venue.act(act, **given)

    async def print(self, price: float, size: int | None = None, symbol: str | None = None) -> None:
        await self.act(Act.PRINT, symbol=symbol or self.venue.symbol, price=price, size=size)

    async def buy(self, quantity: float = 10, price: float = 100) -> Order:
        """Bought at the market, and filled."""
        order = await self.take(type=OrderType.MARKET, quantity=quantity)
        await self.print(price)
        await self.filled(order)
        return order

    async def filled(self, order: Order, quantity: float | None = None) -> list[Execution]:
        """Wait until so much of it was told as filled."""
        wanted = order.quantity if quantity is None else exact(quantity)
        name = order.client_order_id
        await self.until(
            lambda: self.quantity(name) == wanted, f"{wanted:f} of {name} are told as filled"
        )
        return self.fills(name)

    # -------------------------------------------------------------------------- what came of it

    def of(self, kind: type[T], identity: str | None = None) -> list[T]:
        """What was heard of this kind, of one order."""
        return [
            one
            for one in self.venue.heard
            if isinstance(one, kind) and identity in (None, getattr(one, "client_order_id", None))
        ]

    def fills(self, identity: str) -> list[Execution]:
        """Each once, by its identity, in the order in which they were heard."""
        told = [one.execution for one in self.of(OrderFilled)]
        found = {one.execution_id: one for one in told if one.client_order_id == identity}
        return list(found.values())

    def quantity(self, identity: str) -> Decimal:
        return sum((one.quantity for one in self.fills(identity)), Decimal(0))

    async def canceled(self, order: Order) -> None:
        name = order.client_order_id
        await self.until(lambda: self.of(OrderCanceled, name), f"{name} is told as canceled")

    async def until(self, true: Callable[[], object], what: str) -> None:
        await self.venue.until(true, what)

    async def book(self) -> BrokerBook:
        return await self.broker.book()

    async def rests(self, order: Order) -> BrokerOrder | None:
        """The order among the open ones of the book; fails when it is there twice."""
        name = order.client_order_id
        found = [one for one in (await self.book()).open_orders if one.client_order_id == name]
        expect(len(found) <= 1, f"{name} is in the book {len(found)} times.")
        return found[0] if found else None

    async def ended(self, order: Order) -> BrokerOrder | None:
        """The order among the closed ones of the book."""
        name = order.client_order_id
        closed = (await self.book()).closed_orders
        return next((one for one in closed if one.client_order_id == name), None)

    def relinked(self) -> Awaitable[None]:
        """Until the link has gone down from now on, and is up again."""
        began = len(self.venue.links)
        return self.until(
            lambda: self.venue.is_up and any(not one.is_up for one in self.venue.links[began:]),
            "the link went down and is up again",
        )

    async def clean_up(self) -> None:
        """Cancel what this case left."""
        open_ = {one.client_order_id for one in (await self.book()).open_orders}
        for name in self.made:
            if name in open_:
                try:
                    await self.cancel(name)
                except (BrokerRejected, BrokerUnavailable):
                    continue
