"""Orders of a loopback Gateway: placed, changed, cancelled and filled as TWS tells it.

The market is `Exchange`; here is the protocol around it. A Gateway remembers orders by client id
and order id, and so does this one: an order id that it does not know makes a new order, even where
the client meant a change.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from tests.vendors.exchange import Exchange, Fill, Kind, Ticket
from tests.vendors.ibkr_layout import Wish, completed_order, execution, open_order
from tests.vendors.ibkr_wire import Fields

if TYPE_CHECKING:
    from tests.vendors.ibkr import Caller, IbkrLoopback

FIRST_PERM_ID: Final = 1_900_000_001
READ_ONLY: Final = (
    "Error validating request.-'bW' : cause - The API interface is currently in Read-Only mode."
)
_NEW_YORK: Final = ZoneInfo("US/Eastern")
_KINDS: Final[dict[str, Kind]] = {
    "MKT": "market",
    "LMT": "limit",
    "STP": "stop",
    "STP LMT": "stop_limit",
    "TRAIL": "trailing_stop",
}
_LIVES: Final[dict[str, Any]] = {"DAY": "day", "GTC": "gtc", "IOC": "ioc", "FOK": "fok"}


@dataclass(eq=False, kw_only=True)
class Placed:
    """The Gateway's own note on a ticket."""

    client_id: int
    order_id: int
    "0 where it was made by hand."
    wish: Wish
    status: str = "PreSubmitted"


@dataclass
class Orders:
    """The part of the loopback that trades. Its faults are methods."""

    server: "IbkrLoopback"
    exchange: Exchange = field(init=False)
    read_only: bool = False
    "Whether 'Read-Only API' is on in the Gateway's settings."
    sees_all: set[int] = field(default_factory=set)
    "Client ids that hear of all orders (the Master API client id)."
    keeps_news: bool = True
    "Off: news of orders are lost although the connection stays, as when IBKR's servers are away."
    tells_orders: bool = True
    "Off: only fills and ends are told, as it happens to market orders that fill at once."
    commissions_at_once: bool = True
    placed: int = 0
    "Messages that placed or changed an order, taken or not."
    _rejections: deque[tuple[int, str]] = field(default_factory=deque)
    _swallowed: int = 0
    _silent: int = 0
    _held: list[Callable[[], None]] | None = None
    _commissions: list[Fill] = field(default_factory=list)
    _quiet: set[Ticket] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.exchange = Exchange(now=lambda: self.server.now())
        self.exchange.filled = self._on_fill
        self.exchange.ended = self._on_end
        self.exchange.changed = self.tell

    def handlers(self) -> "dict[int, Callable[[Caller, Fields], None]]":
        """By message id of the request."""
        return {
            3: self._place,
            4: self._cancel,
            5: lambda caller, _: self._open(caller, only=caller.client_id),
            7: self._executions,
            16: lambda caller, _: self._open(caller, only=None),
            58: lambda _, __: self._cancel_all(),
            61: self._positions,
            62: self._summary,
            99: self._completed,
        }

    # --------------------------------------------------------------------------- faults

    def reject(
        self, code: int = 201, said: str = "Order rejected - reason:", times: int = 1
    ) -> None:
        """The next orders are refused with an error, then shown as Inactive."""
        self._rejections.extend([(code, said)] * times)

    def swallow(self, times: int = 1) -> None:
        """The next orders reach the socket and nobody: the Gateway goes down."""
        self._swallowed += times

    def lose_acks(self, times: int = 1) -> None:
        """The next orders are taken, and not a word is said of it."""
        self._silent += times

    def hold_news(self, on: bool = True) -> None:
        """News of orders wait; off, they come all, late."""
        if on:
            self._held = []
        else:
            held, self._held = self._held or [], None
            for tell in held:
                tell()

    def send_commissions(self) -> None:
        """What was held back while `commissions_at_once` was off."""
        waiting, self._commissions = self._commissions, []
        for fill in waiting:
            self._tell_commission(fill)

    def by_hand(self, symbol: str, side: str, quantity: float, **terms: Any) -> Ticket:
        """An order that somebody makes in TWS itself; `limit` and others as a Ticket has them."""
        wish = Wish(
            contract=self._contract(symbol),
            action=side.upper(), quantity=str(quantity), kind="LMT" if "limit" in terms else "MKT",
        )  # fmt: skip
        note = Placed(client_id=0, order_id=0, wish=wish)
        ticket = Ticket(
            number=self._next_number(), reference="", symbol=symbol,
            side="buy" if side == "buy" else "sell", quantity=Decimal(str(quantity)),
            kind="limit" if "limit" in terms else "market", tag=note, **terms,
        )  # fmt: skip
        self._rest(ticket)
        return ticket

    def bust(self, fill: Fill) -> None:
        """Null and void: told as a correction to nothing."""
        self.exchange.bust(fill)
        self._tell_fill(fill)

    def bust_unheard(self, fill: Fill) -> None:
        """Null and void, and no list has anything of it."""
        self.exchange.bust(fill)
        self.exchange.fills.remove(fill)

    def correct(self, fill: Fill, **to: Decimal) -> None:
        """A new execution id that differs behind its last dot replaces the one before."""
        self.exchange.correct(fill, **to)
        self._tell_fill(fill)

    # --------------------------------------------------------------------------- orders

    def _place(self, caller: "Caller", fields: Fields) -> None:
        self.placed += 1
        if self._swallowed:
            self._swallowed -= 1
            return
        order_id, wish = fields.whole(), Wish.read(fields, caller.version)
        if self.read_only:
            caller.error(order_id, 321, READ_ONLY, is_news=True)
            return
        known = self._known(caller.client_id, order_id)
        if known is not None:
            self._change(caller, known, wish)
        elif order_id <= self._highest(caller.client_id):
            caller.error(order_id, 103, "Duplicate order id", is_news=True)
        elif not self.server.market.is_known(wish.symbol):
            said = "No security definition has been found for the request"
            caller.error(order_id, 200, said, is_news=True)
        else:
            self._new(caller, order_id, wish)

    def _new(self, caller: "Caller", order_id: int, wish: Wish) -> None:
        note = Placed(client_id=caller.client_id, order_id=order_id, wish=wish)
        ticket = Ticket(
            number=self._next_number(), reference=wish.reference, symbol=wish.symbol,
            side="buy" if wish.action == "BUY" else "sell", quantity=Decimal(wish.quantity),
            kind=_KINDS[wish.kind], limit=wish.limit, stop=wish.stop, trail=wish.trail,
            life=_LIVES[wish.life], group=wish.group or None, tag=note,
        )  # fmt: skip
        self.server.next_order_id = max(self.server.next_order_id, order_id + 1)
        if self._rejections:
            code, said = self._rejections.popleft()
            ticket.state, ticket.reason, note.status = "rejected", said, "Inactive"
            ticket.at = self.server.now()
            self.exchange.tickets.append(ticket)
            self._say(ticket, lambda to: to.error(order_id, code, said, is_news=True))
            self.tell(ticket)
            return
        if self._silent:
            self._silent -= 1
            self._quiet.add(ticket)
        self._rest(ticket)

    def _rest(self, ticket: Ticket) -> None:
        self.exchange.place(ticket)
        is_waiting = ticket.kind not in ("market", "limit")
        ticket.tag.status = "PreSubmitted" if is_waiting else "Submitted"
        self.tell(ticket)
        self.exchange.settle(ticket)
        self._quiet.discard(ticket)

    def _change(self, caller: "Caller", ticket: Ticket, wish: Wish) -> None:
        order_id = ticket.tag.order_id
        if ticket.state == "filled":
            caller.error(order_id, 104, "Can't modify a filled order", is_news=True)
            return
        if not ticket.is_open:
            caller.error(order_id, 103, "Duplicate order id", is_news=True)
            return
        if self._rejections:
            code, said = self._rejections.popleft()
            caller.error(order_id, code, said, is_news=True)
            return
        if self._silent:
            self._silent -= 1
            self._quiet.add(ticket)
        ticket.tag.wish = wish
        self.exchange.change(ticket, Decimal(wish.quantity), wish.limit, wish.stop, wish.trail)
        self.tell(ticket)
        self.exchange.settle(ticket)
        self._quiet.discard(ticket)

    def _cancel(self, caller: "Caller", fields: Fields) -> None:
        fields.skip(1)
        order_id = fields.whole()
        ticket = self._known(caller.client_id, order_id)
        if ticket is None:
            said = f"OrderId {order_id} that needs to be cancelled is not found."
            caller.error(order_id, 10147, said, is_news=True)
        elif not ticket.is_open:
            said = f"OrderId {order_id} that needs to be cancelled can not be cancelled, state:"
            caller.error(order_id, 10148, f"{said} {_status(ticket)}.", is_news=True)
        else:
            self.exchange.end(ticket, "canceled", "")

    def _cancel_all(self) -> None:
        for ticket in self.exchange.open():
            if ticket.is_open:
                self.exchange.end(ticket, "canceled", "")

    # ------------------------------------------------------------------------- questions

    def _open(self, caller: "Caller", only: int | None) -> None:
        for ticket in self.exchange.open():
            if only in (None, ticket.tag.client_id):
                caller.answer(*self._order(caller, ticket))
                caller.answer(*self._status(ticket))
        caller.answer(53, 1)

    def _completed(self, caller: "Caller", _: Fields) -> None:
        for ticket in self.exchange.tickets:
            if not ticket.is_open:
                status = _status(ticket)
                caller.answer(*completed_order(caller.version, ticket, status, self._owner(ticket)))
        caller.answer(102)

    def _executions(self, caller: "Caller", fields: Fields) -> None:
        request = fields.request(7)
        for fill in self.exchange.fills:
            caller.answer(*self._execution(caller, fill, request))
            if fill not in self._commissions:
                caller.answer(*self._commission(fill))
        caller.answer(55, 1, request)

    def _positions(self, caller: "Caller", _: Fields) -> None:
        account = self.server.account
        for held in account.positions:
            stock = (held.con_id, held.symbol, "STK", "", 0, "", "", "", "USD", held.symbol, "NMS")
            caller.answer(61, 3, account.first, *stock, held.shares, held.cost)
        for symbol, quantity in self.exchange.positions.items():
            cost = self._cost(symbol) * self.exchange.multipliers.get(symbol, Decimal(1))
            caller.answer(61, 3, account.first, *self._contract(symbol), quantity, cost)
        caller.answer(62, 1)

    def _summary(self, caller: "Caller", fields: Fields) -> None:
        request, account = fields.request(62), self.server.account
        account.values["TotalCashValue"] = str(self.exchange.cash)
        for key, value in account.values.items():
            caller.answer(63, 1, request, account.first, key, value, "USD")
        caller.answer(64, 1, request)

    # ------------------------------------------------------------------------------ news

    def _on_fill(self, ticket: Ticket, fill: Fill) -> None:
        ticket.tag.status = "Filled" if ticket.state == "filled" else "Submitted"
        self._tell_fill(fill)
        self.tell(ticket)

    def _on_end(self, ticket: Ticket) -> None:
        ticket.tag.status = _status(ticket)
        order_id, code = ticket.tag.order_id, 202
        said = f"Order Canceled - reason:{ticket.reason}"
        if ticket.state == "expired":
            said = "Order Canceled - reason:Order expired"
        elif ticket.state == "rejected":
            code, said = 201, f"Order rejected - reason:{ticket.reason}"
        if ticket.state != "filled":
            self._say(ticket, lambda caller: caller.error(order_id, code, said, is_news=True))
        self._say(ticket, lambda caller: caller.say(*self._status(ticket)))

    def tell(self, ticket: Ticket) -> None:
        """The order and its status, as they are, to who may hear of it."""
        if not self.tells_orders:
            return
        status = self._status(ticket)
        self._say(ticket, lambda caller: caller.say(*self._order(caller, ticket)))
        self._say(ticket, lambda caller: caller.say(*status))

    def _tell_fill(self, fill: Fill) -> None:
        self._say(fill.ticket, lambda caller: caller.say(*self._execution(caller, fill, -1)))
        if self.commissions_at_once:
            self._tell_commission(fill)
        else:
            self._commissions.append(fill)

    def _tell_commission(self, fill: Fill) -> None:
        self._say(fill.ticket, lambda caller: caller.say(*self._commission(fill)))

    def _say(self, ticket: Ticket, tell: "Callable[[Caller], None]") -> None:
        if ticket in self._quiet or not self.keeps_news:
            return

        def to_all() -> None:
            for caller in self._listeners(ticket):
                tell(caller)

        if self._held is None:
            to_all()
        else:
            self._held.append(to_all)

    def _listeners(self, ticket: Ticket) -> "Iterator[Caller]":
        for caller in list(self.server.callers):
            if caller.client_id == ticket.tag.client_id or caller.client_id in self.sees_all:
                yield caller

    # --------------------------------------------------------------------------- helpers

    def _known(self, client_id: int, order_id: int) -> Ticket | None:
        """The newest: ids that were rolled back may come again."""
        for ticket in reversed(self.exchange.tickets):
            if (ticket.tag.client_id, ticket.tag.order_id) == (client_id, order_id):
                return ticket
        return None

    def _highest(self, client_id: int) -> int:
        ids = [t.tag.order_id for t in self.exchange.tickets if t.tag.client_id == client_id]
        return max(ids, default=0)

    def _next_number(self) -> int:
        return FIRST_PERM_ID + len(self.exchange.tickets)

    def _contract(self, symbol: str) -> tuple[object, ...]:
        option = self.server.market.option(symbol)
        if option is not None:
            return (
                option.con_id, option.underlying, "OPT", f"{option.expiry:%Y%m%d}", option.strike,
                option.right, 100, "SMART", "USD", symbol, option.root,
            )  # fmt: skip
        number = self.server.market.stocks[symbol].con_id
        return (number, symbol, "STK", "", 0, "", "", "SMART", "USD", symbol, "NMS")

    def _owner(self, ticket: Ticket) -> str:
        """The account that the order named; else the login's first."""
        return ticket.tag.wish.account or self.server.account.first

    def _cost(self, symbol: str) -> Decimal:
        bought = [f for f in self.exchange.fills if f.ticket.symbol == symbol and f.quantity]
        shares = sum((f.quantity for f in bought), Decimal(0))
        paid = sum((f.quantity * f.price for f in bought), Decimal(0))
        return paid / shares if shares else shares

    def _order(self, caller: "Caller", ticket: Ticket) -> list[object]:
        return open_order(caller.version, ticket, self._owner(ticket))

    def _status(self, ticket: Ticket) -> tuple[object, ...]:
        """Message 3; the last price is that of the newest fill."""
        note = ticket.tag
        last = next((f.price for f in reversed(self.exchange.fills) if f.ticket is ticket), 0)
        head = (3, note.order_id, note.status, ticket.filled, ticket.left, ticket.average)
        return (*head, ticket.number, 0, last, note.client_id, "", 0)

    def _execution(self, caller: "Caller", fill: Fill, request: int) -> list[object]:
        at = f"{fill.at.astimezone(_NEW_YORK):%Y%m%d %H:%M:%S} US/Eastern"
        owner = self._owner(fill.ticket)
        return execution(caller.version, fill, request, at, owner, execution_id(fill))

    def _commission(self, fill: Fill) -> tuple[object, ...]:
        return (59, 1, execution_id(fill), fill.fee, "USD", "1.7976931348623157E308", "", "")


def execution_id(fill: Fill) -> str:
    """As IBKR writes it; digits behind the last dot count the versions."""
    return f"0000e0d5.{fill.number:08x}.01.{fill.version:02}"


def _status(ticket: Ticket) -> str:
    """The word of the protocol for a closed ticket."""
    return {"filled": "Filled", "rejected": "Inactive"}.get(ticket.state, "Cancelled")
