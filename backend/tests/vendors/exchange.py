"""A small honest market for loopback brokers: orders rest, prints fill them, groups share one fill.

It knows nothing of a vendor's protocol: a loopback gives it tickets and tells its clients what
becomes of them. What it remembers is the truth that tests compare our books with.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_UP, Decimal
from typing import Any, Final, Literal

ZERO: Final = Decimal(0)
Kind = Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
State = Literal["open", "filled", "canceled", "expired", "rejected"]


@dataclass(eq=False, kw_only=True)
class Ticket:
    """One order as the market has it. `tag` is the loopback's own note on it."""

    number: int
    reference: str
    "The client's own id."
    symbol: str
    side: Literal["buy", "sell"]
    quantity: Decimal
    kind: Kind = "market"
    limit: Decimal | None = None
    stop: Decimal | None = None
    trail: Decimal | None = None
    life: Literal["day", "gtc", "ioc", "fok"] = "day"
    group: str | None = None
    at: datetime | None = None
    tag: Any = None
    state: State = "open"
    filled: Decimal = ZERO
    spent: Decimal = ZERO
    reason: str = ""
    is_triggered: bool = False

    @property
    def sign(self) -> int:
        return 1 if self.side == "buy" else -1

    @property
    def left(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def average(self) -> Decimal:
        return self.spent / self.filled if self.filled else ZERO

    @property
    def is_open(self) -> bool:
        return self.state == "open"


@dataclass(eq=False, kw_only=True)
class Fill:
    """A part of a ticket that traded; a correction changes it in place and counts `version` up."""

    number: int
    ticket: Ticket
    quantity: Decimal
    price: Decimal
    fee: Decimal
    at: datetime
    version: int = 1


@dataclass
class Exchange:
    """Matches at the price of the last print. Of a group, all are reduced by the same share.

    `filled`, `ended` and `changed` tell the loopback.
    """

    now: Callable[[], datetime]
    cash: Decimal = Decimal(100_000)
    fee: Decimal = ZERO
    "Of each fill."
    tickets: list[Ticket] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    positions: dict[str, Decimal] = field(default_factory=dict)
    "Signed shares."
    multipliers: dict[str, Decimal] = field(default_factory=dict)
    "Of option contracts; of all others it is one."
    last: dict[str, Decimal] = field(default_factory=dict)
    filled: Callable[[Ticket, Fill], None] = lambda *_: None
    ended: Callable[[Ticket], None] = lambda *_: None
    changed: Callable[[Ticket], None] = lambda *_: None

    # ---------------------------------------------------------------------------- orders

    def place(self, ticket: Ticket) -> None:
        """Rest it, or fill it at once where the last print says so."""
        ticket.at = self.now()
        self.tickets.append(ticket)

    def settle(self, ticket: Ticket) -> None:
        """What the last print means for a ticket that was just placed or changed."""
        price = self.last.get(ticket.symbol)
        if price is not None and ticket.is_open:
            self._meet(ticket, price, ticket.left)
        if ticket.is_open and ticket.life in ("ioc", "fok"):
            self.end(ticket, "canceled", "nothing more to be had at once")

    def change(
        self,
        ticket: Ticket,
        quantity: Decimal,
        limit: Decimal | None,
        stop: Decimal | None,
        trail: Decimal | None,
    ) -> None:
        """New quantity and prices; the caller settles it afterwards."""
        ticket.quantity, ticket.limit, ticket.trail = quantity, limit, trail
        if not ticket.is_triggered:
            ticket.stop = stop
        if ticket.left <= 0:
            self.end(ticket, "filled", "")

    def end(self, ticket: Ticket, state: State, reason: str) -> None:
        """It is closed for this reason."""
        ticket.state, ticket.reason = state, reason
        self.ended(ticket)

    def open(self, symbol: str | None = None) -> list[Ticket]:
        return [t for t in self.tickets if t.is_open and symbol in (None, t.symbol)]

    def find(self, reference: str) -> list[Ticket]:
        """All that came with a client's id: more than one is a double order."""
        return [t for t in self.tickets if t.reference == reference]

    def close(self) -> None:
        """The session is over: what was for the day expires."""
        for ticket in self.open():
            if ticket.life != "gtc":
                self.end(ticket, "expired", "the day is over")

    # ---------------------------------------------------------------------------- market

    def print(
        self, symbol: str, price: float | Decimal, size: float | Decimal | None = None
    ) -> None:
        """A trade on the market. With a `size`, our orders get no more than that of it."""
        exact = Decimal(str(price))
        self.last[symbol] = exact
        there = None if size is None else Decimal(str(size))
        for ticket in self.open(symbol):
            if not ticket.is_open:
                continue  # its group was filled by the one before
            wanted = ticket.left if there is None else min(ticket.left, there)
            got = self._meet(ticket, exact, wanted)
            there = None if there is None else there - got

    def bust(self, fill: Fill) -> None:
        """The exchange declares a fill null and void."""
        self.correct(fill, quantity=ZERO, price=fill.price)

    def correct(
        self, fill: Fill, *, price: Decimal | None = None, quantity: Decimal | None = None
    ) -> None:
        """The exchange says afterwards that the fill was another one."""
        ticket = fill.ticket
        self._book(ticket, -fill.quantity, fill.price)
        fill.quantity = fill.quantity if quantity is None else quantity
        fill.price = fill.price if price is None else price
        fill.version += 1
        self._book(ticket, fill.quantity, fill.price)

    # ---------------------------------------------------------------------------- inside

    def _meet(self, ticket: Ticket, price: Decimal, most: Decimal) -> Decimal:
        """Fill what this price fills; how much that was."""
        self._follow(ticket, price)
        if not self._is_due(ticket, price) or most <= 0:
            return ZERO
        if ticket.life == "fok" and most < ticket.left:
            return ZERO
        self._fill(ticket, most, price)
        return most

    def _follow(self, ticket: Ticket, price: Decimal) -> None:
        """A trailing stop moves with the price, never against it."""
        if ticket.kind == "trailing_stop" and ticket.trail is not None:
            wanted = price + ticket.sign * ticket.trail
            best = min if ticket.side == "buy" else max
            ticket.stop = wanted if ticket.stop is None else best(ticket.stop, wanted)

    def _is_due(self, ticket: Ticket, price: Decimal) -> bool:
        if ticket.kind in ("stop", "stop_limit", "trailing_stop") and not ticket.is_triggered:
            if ticket.stop is None or (price - ticket.stop) * ticket.sign < 0:
                return False
            ticket.is_triggered = True
        if ticket.kind in ("limit", "stop_limit"):
            return ticket.limit is not None and (ticket.limit - price) * ticket.sign >= 0
        return True

    def _fill(self, ticket: Ticket, quantity: Decimal, price: Decimal) -> None:
        fill = Fill(
            number=len(self.fills) + 1,
            ticket=ticket,
            quantity=quantity,
            price=price,
            fee=self.fee,
            at=self.now(),
        )
        self.fills.append(fill)
        share = quantity / ticket.left
        self._book(ticket, quantity, price)
        self.cash -= fill.fee
        if ticket.left <= 0:
            ticket.state = "filled"
        self.filled(ticket, fill)
        for other in self._others(ticket):
            less = (other.left * share).to_integral_value(ROUND_UP)
            if other.left <= less:
                self.end(other, "canceled", "the other order of its group filled")
            else:
                other.quantity -= less
                self.changed(other)

    def _others(self, ticket: Ticket) -> Iterator[Ticket]:
        for other in self.open() if ticket.group else ():
            if other is not ticket and other.group == ticket.group:
                yield other

    def _book(self, ticket: Ticket, quantity: Decimal, price: Decimal) -> None:
        ticket.filled += quantity
        ticket.spent += quantity * price
        held = self.positions.get(ticket.symbol, ZERO)
        self.positions[ticket.symbol] = held + ticket.sign * quantity
        worth = price * self.multipliers.get(ticket.symbol, Decimal(1))
        self.cash -= ticket.sign * quantity * worth
