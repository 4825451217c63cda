"""A small honest venue behind the broker port, with faults: for whatever needs a real broker.

`Venue` is the broker's side: it outlives our processes, and what it remembers is the truth that
tests compare our books with. `VenueBroker` is one connection to it, as an adapter would be.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.core.clock import Clock
from app.core.errors import BrokerRejected, BrokerUnavailable
from app.domain.deployments import EXTERNAL
from app.domain.events import (
    BrokerReport,
    ChangeRejected,
    ExecutionBusted,
    ExecutionCorrected,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderReplaced,
)
from app.domain.executions import Execution
from app.domain.orders import (
    BrokerOrder,
    Order,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    foreign_id,
)
from app.domain.ports import BrokerAbilities, BrokerBook, BrokerLink, BrokerSetup
from tests.vendors.exchange import Exchange, Fill, Ticket

ZERO = Decimal(0)
News = BrokerReport | BrokerLink


@dataclass
class Faults:
    """What goes wrong, until it is changed back."""

    lose_answers: int = 0
    "So many submits, cancels or replaces are carried out and never answered."
    lose_requests: int = 0
    "So many are neither carried out nor answered."
    refuse: str | None = None
    "Why every order is refused."
    hang: asyncio.Event | None = None
    "A submit is carried out, and its answer waits until this is set."
    mute: bool = False
    "Nothing is told unasked any more; what happens meanwhile is told to nobody."
    duplicate: bool = False
    "Everything is told twice."
    unfindable: int = 0
    "So many questions for an order are answered with none, though it is there."
    forgets_fills: bool = False
    "Executions are not in the book (yet), though orders say that they were filled."
    empty: bool = False
    "The book is answered without anything in it."
    book_fails: Exception | None = None
    link_fails: Exception | None = None
    "What ends the reports at once."


class Venue:
    """The broker's side."""

    def __init__(self, clock: Clock, cash: Decimal = Decimal(100_000), fee: Decimal = ZERO) -> None:
        self.clock = clock
        self.exchange = Exchange(clock.now, cash, fee)
        self.exchange.filled, self.exchange.ended = self._on_fill, self._on_end
        self.exchange.changed = self._on_change
        self.faults = Faults()
        self.is_up = True
        self.requests: list[tuple[str, str]] = []
        "What was asked of it, by kind and client id, in order."
        self.prices: dict[str, Decimal] = {}
        "Average prices that it tells of what it held before."
        self._listeners: list[asyncio.Queue[News]] = []

    # ------------------------------------------------------------------------- what happens

    def print(self, symbol: str, price: float, size: float | None = None) -> None:
        """A trade on the market: fills what it reaches."""
        self.exchange.print(symbol, price, size)

    def by_hand(
        self, side: str, quantity: float, symbol: str = "AAPL", limit: float | None = None
    ) -> Ticket:
        """Somebody places an order on the broker's own screen."""
        ticket = Ticket(
            number=len(self.exchange.tickets) + 1,
            reference="",
            symbol=symbol,
            side="buy" if side == "buy" else "sell",
            quantity=Decimal(str(quantity)),
            kind="market" if limit is None else "limit",
            limit=None if limit is None else Decimal(str(limit)),
            life="gtc",
        )
        self.exchange.place(ticket)
        self.exchange.settle(ticket)
        return ticket

    def hold(self, symbol: str, quantity: float, average: float | None = None) -> None:
        """Shares are in the account without any trade: transferred, or from before our time."""
        self.exchange.positions[symbol] = Decimal(str(quantity))
        if average is not None:
            self.prices[symbol] = Decimal(str(average))

    def pay(self, amount: float) -> None:
        """Cash comes or goes without any trade: a deposit, interest, a fee."""
        self.exchange.cash += Decimal(str(amount))

    def bust(self, fill: Fill) -> None:
        was = execution_of(fill)
        self.exchange.bust(fill)
        self.tell(
            ExecutionBusted(
                broker="venue",
                execution_id=was.execution_id,
                client_order_id=was.client_order_id,
                reason="clearly erroneous",
                at=self.clock.now(),
            )
        )

    def correct(self, fill: Fill, price: float) -> None:
        was = execution_of(fill)
        self.exchange.correct(fill, price=Decimal(str(price)))
        self.tell(
            ExecutionCorrected(
                execution=execution_of(fill),
                corrects=was.execution_id,
                reason="price corrected",
                at=self.clock.now(),
            )
        )

    # ------------------------------------------------------------------------------ the link

    def disconnect(self, reason: str = "cable cut", until: datetime | None = None) -> None:
        """Nobody is told anything any more until `connect`; what happens meanwhile happens."""
        if self.is_up:
            self._send(
                BrokerLink(is_up=False, reason=reason, at=self.clock.now(), planned_until=until)
            )
        self.is_up = False

    def connect(self) -> None:
        self.is_up = True
        self._send(BrokerLink(is_up=True, at=self.clock.now()))

    def listen(self) -> "asyncio.Queue[News]":
        queue: asyncio.Queue[News] = asyncio.Queue()
        self._listeners.append(queue)
        queue.put_nowait(BrokerLink(is_up=self.is_up, at=self.clock.now()))
        return queue

    def forget(self, queue: "asyncio.Queue[News]") -> None:
        if queue in self._listeners:
            self._listeners.remove(queue)

    def tell(self, news: BrokerReport) -> None:
        """To everybody who is connected."""
        if self.is_up and not self.faults.mute:
            self._send(news)
            if self.faults.duplicate:
                self._send(news)

    def _send(self, news: News) -> None:
        for queue in self._listeners:
            queue.put_nowait(news)

    def _on_fill(self, ticket: Ticket, fill: Fill) -> None:
        self.tell(OrderFilled(execution=execution_of(fill)))

    def _on_end(self, ticket: Ticket) -> None:
        at, identity = self.clock.now(), identity_of(ticket)
        if ticket.state == "canceled":
            self.tell(OrderCanceled(client_order_id=identity, reason=ticket.reason, at=at))
        elif ticket.state == "expired":
            self.tell(OrderExpired(client_order_id=identity, reason=ticket.reason, at=at))

    def _on_change(self, ticket: Ticket) -> None:
        self.tell(replaced(ticket, self.clock.now()))


class VenueBroker:
    """One connection: the whole broker port, honestly."""

    is_simulated = False
    abilities = BrokerAbilities(links_orders=True)
    name = "venue"

    def __init__(self, venue: Venue, setup: BrokerSetup | None = None) -> None:
        self.venue, self.setup = venue, setup
        self.is_closed = False
        self._queue: asyncio.Queue[News] | None = None

    @property
    def _faults(self) -> Faults:
        return self.venue.faults

    async def submit(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        self._begin("submit", order.client_order_id)
        if self._faults.refuse is not None:
            raise BrokerRejected(self._faults.refuse, api_name=self.name)
        self._lose_request()
        exchange = self.venue.exchange
        if exchange.find(order.client_order_id):
            raise BrokerRejected("client order id must be unique", api_name=self.name)
        ticket = ticket_of(order, len(exchange.tickets) + 1)
        exchange.place(ticket)
        if self._faults.hang is not None:
            await self._faults.hang.wait()
        accepted = OrderAccepted(
            client_order_id=order.client_order_id, broker_order_id=f"v{ticket.number}", at=at
        )
        self._lose_answer(lambda: exchange.settle(ticket))
        self.venue.tell(accepted)
        exchange.settle(ticket)
        return (accepted,)

    async def cancel(self, client_order_id: str, at: datetime) -> Sequence[BrokerReport]:
        self._begin("cancel", client_order_id)
        self._lose_request()
        ticket = self._ticket(client_order_id)
        if ticket is None or not ticket.is_open:
            raise BrokerRejected("the order is not open", api_name=self.name)
        self.venue.exchange.end(ticket, "canceled", "as asked")
        self._lose_answer()
        return (OrderCanceled(client_order_id=client_order_id, reason="as asked", at=at),)

    async def replace(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        self._begin("replace", order.client_order_id)
        self._lose_request()
        ticket = self._ticket(order.client_order_id)
        if ticket is None or not ticket.is_open:
            reason = "the order is not open"
            return (
                ChangeRejected(
                    client_order_id=order.client_order_id, change="replace", reason=reason, at=at
                ),
            )
        change = (order.quantity, order.limit_price, order.stop_price, order.trail)
        self.venue.exchange.change(ticket, *change)
        self._lose_answer(lambda: self.venue.exchange.settle(ticket))
        report = replaced(ticket, at)
        self.venue.exchange.settle(ticket)
        return (report,)

    def observe(self, seen: object) -> Sequence[BrokerReport]:
        return ()

    async def reports(self) -> AsyncIterator[News]:
        if self._faults.link_fails is not None:
            raise self._faults.link_fails
        self._queue = self.venue.listen()
        try:
            while True:
                yield await self._queue.get()
        finally:
            self.venue.forget(self._queue)

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        self._begin("find", client_order_id)
        if self._faults.unfindable > 0:
            self._faults.unfindable -= 1
            return None
        ticket = self._ticket(client_order_id)
        return None if ticket is None else broker_order(ticket)

    async def book(self, since: datetime | None = None) -> BrokerBook:
        self._begin("book", "")
        await asyncio.sleep(0)  # an answer takes its time
        if self._faults.book_fails is not None:
            raise self._faults.book_fails
        exchange = self.venue.exchange
        if self._faults.empty:
            return BrokerBook(open_orders=(), executions=(), positions={}, cash=exchange.cash)
        fills = [] if self._faults.forgets_fills else exchange.fills
        return BrokerBook(
            open_orders=tuple(broker_order(t) for t in exchange.tickets if t.is_open),
            closed_orders=tuple(broker_order(t) for t in exchange.tickets if not t.is_open),
            executions=tuple(
                execution_of(f) for f in fills if f.quantity and (since is None or f.at >= since)
            ),
            complete_since=None if self._faults.forgets_fills else since,
            positions={s: q for s, q in exchange.positions.items() if q},
            average_prices=dict(self.venue.prices),
            cash=exchange.cash,
        )

    async def cancel_all(self) -> None:
        self._begin("cancel_all", "")
        for ticket in self.venue.exchange.open():
            self.venue.exchange.end(ticket, "canceled", "all cancelled")

    async def close(self) -> None:
        self.is_closed = True
        if self._queue is not None:
            self.venue.forget(self._queue)

    # ------------------------------------------------------------------------------- inside

    def _begin(self, kind: str, client_order_id: str) -> None:
        if self.is_closed or not self.venue.is_up:
            raise BrokerUnavailable("no connection", api_name=self.name)
        self.venue.requests.append((kind, client_order_id))

    def _lose_request(self) -> None:
        if self._faults.lose_requests > 0:
            self._faults.lose_requests -= 1
            raise TimeoutError("nothing was heard")

    def _lose_answer(self, then: Callable[[], Any] = lambda: None) -> None:
        if self._faults.lose_answers > 0:
            self._faults.lose_answers -= 1
            then()
            raise TimeoutError("no answer")

    def _ticket(self, identity: str) -> Ticket | None:
        found = [t for t in self.venue.exchange.tickets if identity_of(t) == identity]
        return found[0] if found else None


VENUES: dict[str, Venue] = {}
"Venues that `Adapter` finds by the account's setting `venue`."


class Adapter(VenueBroker):
    """As the registry makes it, by an entry point of another package."""

    def __init__(self, setup: BrokerSetup) -> None:
        super().__init__(VENUES[setup.settings["venue"]], setup)


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `venue` a broker like any that a package brings."""
    info = folder / "venue-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: venue\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tradewright.brokers]\nvenue = tests.venue:Adapter\n")
    monkeypatch.syspath_prepend(str(folder))


# ------------------------------------------------------------------------------- translation


def identity_of(ticket: Ticket) -> str:
    return ticket.reference or foreign_id(f"v{ticket.number}")


def ticket_of(order: Order, number: int) -> Ticket:
    return Ticket(
        number=number,
        reference=order.client_order_id,
        symbol=order.symbol,
        side="buy" if order.side is Side.BUY else "sell",
        quantity=order.quantity,
        kind=order.type.value,
        limit=order.limit_price,
        stop=order.stop_price,
        trail=order.trail,
        life=order.time_in_force.value,
        group=order.group_id if order.leg.is_protective else None,
    )


def execution_of(fill: Fill) -> Execution:
    ticket = fill.ticket
    return Execution(
        execution_id=f"f{fill.number}.{fill.version}",
        broker="venue",
        client_order_id=identity_of(ticket),
        ledger=EXTERNAL,
        symbol=ticket.symbol,
        side=ticket.side,
        quantity=fill.quantity,
        price=fill.price,
        commission=fill.fee,
        at=fill.at,
    )


def broker_order(ticket: Ticket) -> BrokerOrder:
    states = {
        "open": OrderStatus.PARTIALLY_FILLED if ticket.filled else OrderStatus.ACCEPTED,
        "filled": OrderStatus.FILLED,
        "canceled": OrderStatus.CANCELED,
        "expired": OrderStatus.EXPIRED,
        "rejected": OrderStatus.REJECTED,
    }
    return BrokerOrder(
        broker_order_id=f"v{ticket.number}",
        client_order_id=ticket.reference or None,
        symbol=ticket.symbol,
        side=Side(ticket.side),
        quantity=ticket.quantity,
        status=states[ticket.state],
        type=OrderType(ticket.kind),
        limit_price=ticket.limit,
        stop_price=ticket.stop,
        trail=ticket.trail,
        time_in_force=TimeInForce(ticket.life),
        filled_quantity=ticket.filled,
        average_price=ticket.average or None,
        at=ticket.at,
        reason=ticket.reason or None,
    )


def replaced(ticket: Ticket, at: datetime) -> OrderReplaced:
    return OrderReplaced(
        client_order_id=identity_of(ticket),
        broker_order_id=f"v{ticket.number}",
        quantity=ticket.quantity,
        limit_price=ticket.limit,
        stop_price=ticket.stop,
        trail=ticket.trail,
        at=at,
    )
