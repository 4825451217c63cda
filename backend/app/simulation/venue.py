"""The broker's own books: what is true, whatever anybody was told.

Orders rest and fill as prices print; positions and cash follow from executions alone. Whoever
listens is told of everything, by a line that may lose, double and reorder what it carries.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Final

import msgspec

from app.core.errors import BrokerRejected
from app.domain.deployments import EXTERNAL
from app.domain.events import (
    BrokerReport,
    ExecutionBusted,
    ExecutionCorrected,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
)
from app.domain.executions import Execution
from app.domain.orders import (
    OPEN,
    BrokerOrder,
    Order,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    foreign_id,
)
from app.simulation.profile import Profile

S = OrderStatus
ZERO: Final = Decimal(0)
CENT: Final = Decimal("0.01")
NAME: Final = "venue"
_FEE: Final = Decimal("0.0035")
_SLOW: Final = 6.0
"Seconds after which even a hesitant list shows everything."
_UNFINISHED: Final = frozenset({S.ACCEPTED, S.PARTIALLY_FILLED})


class VenueOrder(msgspec.Struct, kw_only=True, gc=False):
    """An order as the broker has it."""

    number: str
    client_order_id: str | None
    ledger: str
    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType
    limit_price: Decimal | None
    stop_price: Decimal | None
    time_in_force: TimeInForce
    at: datetime
    visible_at: float
    "When the broker's lists show it."
    status: OrderStatus = S.ACCEPTED
    filled: Decimal = ZERO
    value: Decimal = ZERO
    is_triggered: bool = False
    is_executing: bool = False
    reason: str | None = None

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled

    def shown(self) -> BrokerOrder:
        """As the broker's lists show it."""
        return BrokerOrder(
            broker_order_id=self.number,
            client_order_id=self.client_order_id,
            symbol=self.symbol,
            side=self.side,
            quantity=self.quantity,
            status=self.status,
            type=self.type,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            time_in_force=self.time_in_force,
            filled_quantity=self.filled,
            average_price=self.value / self.filled if self.filled else None,
            at=self.at,
            reason=self.reason,
        )


class Fill(msgspec.Struct, kw_only=True, gc=False):
    """An execution that stands, and when lists show it."""

    execution: Execution
    order: VenueOrder
    visible_at: float


Listener = Callable[[BrokerReport], None]


class Venue:
    """Reality. It never asks what anybody believes."""

    def __init__(
        self,
        rng: Random,
        profile: Profile,
        now: Callable[[], datetime],
        cash: Decimal,
        note: Callable[[str], None],
    ) -> None:
        self.profile = profile
        self.orders: list[VenueOrder] = []
        self.by_id: dict[str, list[VenueOrder]] = {}
        self.fills: dict[str, Fill] = {}
        "Executions that stand, by id."
        self.undone: dict[str, Execution] = {}
        "Executions that were busted or replaced."
        self.positions: dict[str, Decimal] = {}
        self.cash = cash
        self.prices: dict[str, Decimal] = {}
        self.is_open = True
        self.listener: Listener | None = None
        self._rng, self._now, self._note = rng, now, note
        self._numbers = 0
        self._hands = 0
        self._executions = 0
        self._context: Context = copy_context()
        "The world's: what the venue does outlives any process that asked for it."

    # ---------------------------------------------------------------------------- requests

    def place(self, order: Order) -> VenueOrder:
        """A new order arrives. Raises BrokerRejected for a definite no."""
        identity = order.client_order_id
        if self.profile.is_idempotent and identity in self.by_id:
            return self.by_id[identity][0]
        if self._rng.random() < self.profile.rejected / 2:
            self._note(f"venue rejects {identity}")
            raise BrokerRejected("not enough buying power", api_name=NAME)
        made = self._add(order)
        self._note(f"venue takes {identity} as {made.number}: {made.side} {made.quantity}")
        if self._rng.random() < self.profile.rejected / 2:
            self._later(0.5, self._reject, made)
        else:
            self._later(self._rng.expovariate(2), self._meet, made, True)
        is_early = self._rng.random() < self.profile.early_fills
        if not is_early:
            self._tell(self._accepted(made))
        else:
            self._later(3.0, self._tell_accepted, made)
        return made

    def _add(self, order: Order) -> VenueOrder:
        self._numbers += 1
        made = VenueOrder(
            number=f"v{self._numbers}",
            client_order_id=order.client_order_id,
            ledger=order.ledger,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            type=order.type,
            limit_price=order.limit_price,
            stop_price=order.stop_price,
            time_in_force=order.time_in_force,
            at=self._now(),
            visible_at=self._visible_at(),
        )
        self.orders.append(made)
        self.by_id.setdefault(order.client_order_id, []).append(made)
        return made

    def by_hand(self, symbol: str, side: Side, quantity: Decimal) -> VenueOrder:
        """A person's order in the broker's own application: it has no id of ours."""
        self._hands += 1
        made = VenueOrder(
            number=f"hand{self._hands}",
            client_order_id=None,
            ledger=EXTERNAL,
            symbol=symbol,
            side=side,
            quantity=quantity,
            type=OrderType.MARKET,
            limit_price=None,
            stop_price=None,
            time_in_force=TimeInForce.DAY,
            at=self._now(),
            visible_at=self._visible_at(),
        )
        self.orders.append(made)
        self._note(f"venue: by hand {side} {quantity} {symbol} as {made.number}")
        self._later(1.0, self._meet, made, True)
        return made

    def cancel(self, client_order_id: str, reason: str = "canceled") -> bool:
        """Whether the order was still open."""
        found = False
        for order in self.by_id.get(client_order_id, ()):
            if order.status in OPEN:
                found = True
                self._end(order, S.CANCELED, reason)
        return found

    def replace(self, order: Order) -> VenueOrder:
        """Other quantity and prices. Raises BrokerRejected when it is no longer open."""
        for mine in self.by_id.get(order.client_order_id, ()):
            if mine.status in OPEN and order.quantity > mine.filled:
                mine.quantity = order.quantity
                mine.limit_price, mine.stop_price = order.limit_price, order.stop_price
                self._note(f"venue changes {order.client_order_id} to {order.quantity}")
                self._tell(self.replaced(mine))
                return mine
        raise BrokerRejected("too late to change", api_name=NAME)

    def replaced(self, order: VenueOrder) -> OrderReplaced:
        """The report of a change."""
        return OrderReplaced(
            client_order_id=order.client_order_id or "",
            broker_order_id=order.number,
            quantity=order.quantity,
            limit_price=order.limit_price,
            stop_price=order.stop_price,
            trail=None,
            at=self._now(),
        )

    # ------------------------------------------------------------------------------ market

    def price(self, symbol: str, price: Decimal) -> None:
        """The symbol trades at `price`: resting orders meet it."""
        self.prices[symbol] = price
        for order in self.orders:
            if order.symbol == symbol and order.status in _UNFINISHED and not order.is_executing:
                self._meet(order, False)

    def session(self, *, is_open: bool) -> None:
        """The exchange opens or closes; day orders expire at the close."""
        self.is_open = is_open
        for order in self.orders:
            if order.status not in OPEN:
                continue
            if is_open:
                self._meet(order, False)
            elif order.time_in_force is not TimeInForce.GTC:
                self._end(order, S.EXPIRED, "session closed")

    def restart_numbers(self) -> None:
        """A restarted gateway counts its orders from the start again."""
        self._note("venue numbers orders from the start again")
        self._numbers = 0

    # ----------------------------------------------------------------------------- for lists

    def find(self, client_order_id: str) -> VenueOrder | None:
        """The order as lists show it."""
        now = asyncio.get_running_loop().time()
        for order in self.by_id.get(client_order_id, ()):
            if order.visible_at <= now:
                return order
        return None

    def _visible_at(self) -> float:
        is_slow = self._rng.random() < self.profile.hesitant
        delay = self._rng.random() * _SLOW if is_slow else 0.0
        return asyncio.get_running_loop().time() + delay

    # ------------------------------------------------------------------------------- inside

    def _later(self, mean: float, work: Callable[..., None], *arguments: object) -> None:
        delay = mean * (0.5 + self._rng.random())
        asyncio.get_running_loop().call_later(delay, work, *arguments, context=self._context)

    def _meet(self, order: VenueOrder, is_new: bool) -> None:
        """Fill a part if the price allows, and come again for the rest."""
        order.is_executing = False
        price = self.prices.get(order.symbol)
        if price is None or order.status not in _UNFINISHED or not self.is_open:
            if order.status in OPEN and order.time_in_force in _AT_ONCE and is_new:
                self._end(order, S.EXPIRED, "nothing to trade with")
            return
        if self._trades(order, price):
            self._fill(order, price)
            if order.status in OPEN and order.time_in_force is TimeInForce.IOC:
                self._end(order, S.CANCELED, "the rest of an immediate order")
            elif order.status in OPEN:
                order.is_executing = True
                self._later(2.0, self._meet, order, False)
        elif is_new and order.time_in_force in _AT_ONCE:
            self._end(order, S.EXPIRED, "no match")

    def _trades(self, order: VenueOrder, price: Decimal) -> bool:
        buys = order.side is Side.BUY
        if order.stop_price is not None and not order.is_triggered:
            reached = price >= order.stop_price if buys else price <= order.stop_price
            if not reached:
                return False
            order.is_triggered = True
        if order.limit_price is None:
            return True
        return price <= order.limit_price if buys else price >= order.limit_price

    def _fill(self, order: VenueOrder, price: Decimal) -> None:
        quantity = order.remaining
        if order.time_in_force is not TimeInForce.FOK and quantity > 1 and self._rng.random() < 0.5:
            quantity = max(Decimal(int(float(quantity) * self._rng.random())), Decimal(1))
        if self._rng.random() < self.profile.overfilled / 4:
            quantity += 1
        self._executions += 1
        execution = Execution(
            execution_id=f"x{self._executions}",
            broker=NAME,
            client_order_id=order.client_order_id or foreign_id(order.number),
            ledger=order.ledger,
            symbol=order.symbol,
            side=order.side.value,
            quantity=quantity,
            price=price,
            commission=(quantity * _FEE),
            at=self._now(),
        )
        order.filled += quantity
        order.value += quantity * price
        order.status = S.FILLED if order.remaining <= 0 else S.PARTIALLY_FILLED
        self._book(execution, 1)
        self.fills[execution.execution_id] = Fill(
            execution=execution, order=order, visible_at=self._visible_at()
        )
        self._note(f"venue fills {order.number} {execution.execution_id} {quantity} at {price}")
        self._tell(OrderFilled(execution=execution))
        if self._rng.random() < self.profile.busted / 4:
            self._later(20.0, self._bust, execution)
        elif self._rng.random() < self.profile.corrected / 4:
            self._later(20.0, self._correct, execution)

    def _book(self, execution: Execution, sign: int) -> None:
        signed = execution.signed_quantity * sign
        held = self.positions.get(execution.symbol, ZERO)
        self.positions[execution.symbol] = held + signed
        self.cash -= signed * execution.price + execution.commission * sign

    def _bust(self, execution: Execution) -> None:
        self._undo(execution)
        self._note(f"venue busts {execution.execution_id}")
        self._tell(
            ExecutionBusted(
                broker=NAME,
                execution_id=execution.execution_id,
                client_order_id=execution.client_order_id,
                reason="erroneous trade",
                at=self._now(),
            )
        )

    def _correct(self, execution: Execution) -> None:
        fill = self._undo(execution)
        identity = f"{execution.execution_id}.1"
        right = msgspec.structs.replace(
            execution, execution_id=identity, price=execution.price + CENT, at=self._now()
        )
        fill.order.filled += right.quantity
        fill.order.value += right.quantity * right.price
        fill.order.status = _status_after(fill.order)
        self._book(right, 1)
        self.fills[identity] = Fill(execution=right, order=fill.order, visible_at=fill.visible_at)
        self._note(f"venue corrects {execution.execution_id}")
        self._tell(
            ExecutionCorrected(
                execution=right,
                corrects=execution.execution_id,
                reason="wrong price",
                at=self._now(),
            )
        )

    def _undo(self, execution: Execution) -> Fill:
        fill = self.fills.pop(execution.execution_id)
        self.undone[execution.execution_id] = execution
        self._book(execution, -1)
        order = fill.order
        order.filled -= execution.quantity
        order.value -= execution.quantity * execution.price
        if order.status is S.FILLED:  # a bust does not bring a finished order back to the market
            order.status = S.CANCELED
        return fill

    def _reject(self, order: VenueOrder) -> None:
        if order.status is S.ACCEPTED:
            order.status, order.reason = S.REJECTED, "refused by the exchange"
            self._note(f"venue rejects {order.number} after all")
            self._tell(
                OrderRejected(
                    client_order_id=order.client_order_id or "",
                    reason=order.reason,
                    at=self._now(),
                )
            )

    def _end(self, order: VenueOrder, status: OrderStatus, reason: str) -> None:
        order.status, order.reason = status, reason
        self._note(f"venue: {order.number} is {status}: {reason}")
        if order.client_order_id is None:
            return
        kind = OrderExpired if status is S.EXPIRED else OrderCanceled
        self._tell(kind(client_order_id=order.client_order_id, reason=reason, at=self._now()))

    def _accepted(self, order: VenueOrder) -> OrderAccepted:
        return OrderAccepted(
            client_order_id=order.client_order_id or "",
            broker_order_id=order.number,
            at=self._now(),
        )

    def _tell_accepted(self, order: VenueOrder) -> None:
        self._tell(self._accepted(order))

    def _tell(self, report: BrokerReport) -> None:
        if self.listener is not None:
            self.listener(report)


_AT_ONCE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})


def _status_after(order: VenueOrder) -> OrderStatus:
    if order.remaining <= 0:
        return S.FILLED
    return order.status


def nonzero(positions: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Without what is flat."""
    return {symbol: quantity for symbol, quantity in positions.items() if quantity}
