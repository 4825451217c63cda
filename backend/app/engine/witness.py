"""One account's stream, folded again by other means than the engine's, event by event.

Pure. What breaks an invariant is noted in `found`; `invariants` compares the sums with the rest.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from app.domain import events as ev
from app.domain.deployments import TradingState
from app.domain.events import Event
from app.domain.executions import Execution
from app.domain.instruments import Instrument
from app.domain.limits import Limits
from app.domain.options import instrument_of
from app.domain.orders import CLOSED, NEXT, PROTECTIVE, REOPEN, Leg, Order, OrderStatus, Side

ZERO: Final = Decimal(0)

MEANING: Final = {
    "I1": "A position is the sum of its signed executions.",
    "I2": "The broker holds what all ledgers together hold.",
    "I3": "Cash is the start plus flows minus costs, to the last decimal.",
    "I4": "A client order id has at most one order at the broker, and every one has its intent.",
    "I5": "An execution counts once, and no order is filled beyond its quantity unnoticed.",
    "I6": "An order moves only along the edges of its life cycle.",
    "I7": "Every signal has exactly one first outcome.",
    "I8": "No approval takes the account beyond a limit, with everything that is open filled.",
    "I9": "After a halt nothing is sent but cancels and its flatten.",
    "I10": "The stream's numbers have no hole.",
    "I11": "The hash chain holds.",
    "I12": "Every committed event is delivered, takes effect once, and nothing else is delivered.",
    "I13": "The tables are the fold of the stream, and the engine is what they say.",
    "I14": "No order rests on a stale or quarantined price.",
    "I15": "The ledgers add up to the account.",
    "I16": "Every job, and every command, has one outcome.",
    "I17": "Nothing stays open here that is not open at the broker.",
}
"""Every invariant, as the reliability page numbers them."""


class Violation(msgspec.Struct, frozen=True):
    """An invariant that does not hold: `code` is one of MEANING, `detail` says of what."""

    code: str
    detail: str

    def __str__(self) -> str:
        return f"{self.code} {self.detail}"


class Known(msgspec.Struct):
    """An order as the stream alone tells of it."""

    order: Order
    quantity: Decimal
    filled: Decimal = ZERO
    status: OrderStatus = OrderStatus.APPROVED

    @property
    def is_open(self) -> bool:
        return self.status not in CLOSED

    @property
    def remaining(self) -> Decimal:
        return max(self.quantity - self.filled, ZERO)


class Booked(msgspec.Struct, frozen=True):
    """An execution with the ledger that it counts for."""

    execution: Execution
    ledger: str
    is_of_order: bool
    "Not what was filled of somebody else's order before it was taken over."


Key = tuple[str, str]
"""Ledger and symbol; or broker and execution id."""


class Witness:
    """One account's stream, folded again by other means than the engine's."""

    def __init__(self, deposit: Decimal, instruments: Mapping[str, Instrument]) -> None:
        self.deposit = deposit
        self.found: list[Violation] = []
        self.seq = 0
        self.held: dict[Key, Decimal] = {}
        self.cash: dict[str, Decimal] = {}
        self.executions: dict[Key, Booked] = {}
        self.undone: set[Key] = set()
        self.orders: dict[str, Known] = {}
        self.signals: dict[str, str | None] = {}
        "First outcome of each signal."
        self.raised_at: dict[str, datetime] = {}
        self.commands: dict[int, int] = {}
        "How many outcomes each command has."
        self.marks: dict[str, tuple[Decimal, datetime]] = {}
        self.limits: Limits | None = None
        "None until the stream says what they are: then approvals are held against them."
        self.trading_state = TradingState.ACTIVE
        self._instruments = instruments

    # ------------------------------------------------------------------------------ learning

    def learn(self, seq: int, event: Event) -> None:
        """One more event of the stream."""
        if seq != self.seq + 1:
            self.say("I10", f"event {seq} follows event {self.seq}")
        self.seq = seq
        work = _WORK.get(type(event))
        if work is not None:
            work(self, event)

    def skip(self, seq: int) -> None:
        """The events up to `seq` were counted elsewhere and concern no order."""
        self.seq = seq

    def say(self, code: str, detail: str) -> None:
        """Note a violation."""
        self.found.append(Violation(code, detail))

    # ----------------------------------------------------------------------- signals, intents

    def _on_signal(self, event: ev.SignalRaised) -> None:
        identity = event.signal.signal_id
        if identity in self.signals:
            self.say("I7", f"signal {identity} was raised twice")
        self.signals[identity] = None
        self.raised_at[identity] = event.signal.at

    def _first(self, signal_id: str, outcome: str, *, is_only: bool) -> None:
        before = self.signals.get(signal_id)
        if before is None:
            self.signals[signal_id] = outcome
        elif is_only:
            self.say("I7", f"signal {signal_id} was {before} first, and then {outcome}")

    def _on_satisfied(self, event: ev.SignalSatisfied) -> None:
        self._first(event.signal_id, "satisfied", is_only=True)

    def _on_expired_signal(self, event: ev.SignalExpired) -> None:
        self._first(event.signal_id, "expired", is_only=True)

    def _on_denied(self, event: ev.OrderDenied) -> None:
        self._first(event.signal_id, "denied", is_only=False)

    def _on_approved(self, event: ev.OrderApproved) -> None:
        order = event.order
        identity = order.client_order_id
        if identity in self.orders:
            self.say("I4", f"order {identity} was approved twice")
        self._first(order.signal_id, "order", is_only=False)
        if order.leg is Leg.ENTRY:
            self._within_limits(order)
        self.orders[identity] = Known(order, order.quantity)
        is_halted = self.trading_state is TradingState.HALTED
        if is_halted and order.leg is not Leg.FLATTEN and order.leg not in PROTECTIVE:
            self.say("I9", f"order {identity} ({order.leg}) was approved while halted")

    def _on_seen(self, event: ev.OrderSeen) -> None:
        seen = event.order
        order = Order(
            client_order_id=seen.identity,
            ledger=event.ledger,
            signal_id="",
            symbol=seen.symbol,
            side=seen.side,
            quantity=seen.quantity,
            leg=Leg.ENTRY,
            at=event.at,
        )
        left = seen.quantity - seen.filled_quantity
        if left > 0 and seen.identity not in self.orders:
            self.orders[seen.identity] = Known(order, left, status=OrderStatus.ACCEPTED)

    # --------------------------------------------------------------------------------- orders

    def _on_submitted(self, event: ev.OrderSubmitted) -> None:
        known = self.orders.get(event.client_order_id)
        if known is None:
            self.say("I4", f"order {event.client_order_id} was submitted without an intent")
            return
        if self.trading_state is TradingState.HALTED and known.order.leg is not Leg.FLATTEN:
            self.say("I9", f"order {event.client_order_id} was submitted while halted")
        self._move(known, OrderStatus.SUBMITTED)

    def _on_answer(self, event: Any) -> None:  # noqa: ANN401 - any report about one order
        known = self.orders.get(event.client_order_id)
        if known is not None:
            self._move(known, _STATUS[type(event)])

    def _on_replaced(self, event: ev.OrderReplaced) -> None:
        known = self.orders.get(event.client_order_id)
        if known is not None:
            known.quantity = event.quantity

    def _on_adjusted(self, event: ev.OrderAdjusted) -> None:
        known = self.orders.get(event.client_order_id)
        if known is not None:
            known.quantity = event.quantity + known.filled

    def _move(self, known: Known, status: OrderStatus) -> None:
        """Where an edge leads there: late and doubled reports change nothing."""
        if status in NEXT.get(known.status, ()) or status in REOPEN.get(known.status, ()):
            known.status = status

    # ----------------------------------------------------------------------------- executions

    def _on_filled(self, event: ev.OrderFilled) -> None:
        self._book(event.execution)

    def _book(self, execution: Execution) -> None:
        key = execution.broker, execution.execution_id
        if key in self.executions or key in self.undone:
            return
        known = self.orders.get(execution.client_order_id)
        ledger = execution.ledger if known is None else known.order.ledger
        self.executions[key] = Booked(execution, ledger, known is not None)
        self._count(execution, ledger, 1)
        if known is not None:
            known.filled += execution.quantity
            is_full = known.filled >= known.quantity
            self._fill_status(known, is_full=is_full)

    def _fill_status(self, known: Known, *, is_full: bool) -> None:
        known.status = OrderStatus.FILLED if is_full else OrderStatus.PARTIALLY_FILLED

    def _count(self, execution: Execution, ledger: str, sign: int) -> None:
        key, signed = (ledger, execution.symbol), execution.signed_quantity * sign
        self.held[key] = self.held.get(key, ZERO) + signed
        worth = execution.price * self._instrument(execution.symbol).multiplier
        paid = signed * worth + execution.commission * sign
        self.cash[ledger] = self.cash.get(ledger, ZERO) - paid

    def _undo(self, broker: str, execution_id: str, *, is_busted: bool = False) -> None:
        key = broker, execution_id
        booked = self.executions.pop(key, None)
        self.undone.add(key)
        if booked is None:
            return
        self._count(booked.execution, booked.ledger, -1)
        known = self.orders.get(booked.execution.client_order_id)
        if known is not None and is_busted and not booked.is_of_order:
            known.quantity += booked.execution.quantity
        elif known is not None:
            known.filled -= booked.execution.quantity

    def _on_busted(self, event: ev.ExecutionBusted) -> None:
        self._undo(event.broker, event.execution_id, is_busted=True)

    def _on_corrected(self, event: ev.ExecutionCorrected) -> None:
        new = event.execution
        known = self.orders.get(new.client_order_id)
        was_booked = (new.broker, event.corrects) in self.executions
        before = None if known is None else known.status
        self._undo(new.broker, event.corrects)
        self._book(new)  # unless it was told as a fill of its own before
        if known is not None and before in CLOSED and was_booked:
            known.status = before  # nothing is left to fill of an order that was ended

    # --------------------------------------------------------------------- positions and cash

    def _on_position(self, event: ev.PositionChanged) -> None:
        one = event.position
        held = self.held.get((one.ledger, one.symbol), ZERO)
        if one.quantity != held:
            self.say(
                "I1", f"{one.ledger} holds {one.quantity} {one.symbol}; its executions say {held}"
            )
        self._cash_is(one.ledger, event.ledger_cash, event.account_cash)

    def _on_position_adjusted(self, event: ev.PositionAdjusted) -> None:
        one = event.position
        self.held[one.ledger, one.symbol] = one.quantity
        self.marks.pop(one.symbol, None)  # a price of shares that are no more
        self._cash_is(one.ledger, event.ledger_cash, event.account_cash)

    def _on_cash(self, event: ev.CashMoved) -> None:
        self.cash[event.ledger] = self.cash.get(event.ledger, ZERO) + event.amount
        self._cash_is(event.ledger, event.ledger_cash, event.account_cash)

    def _cash_is(self, ledger: str, ledger_cash: Decimal, account_cash: Decimal) -> None:
        ours = self.cash.get(ledger, ZERO)
        if ours != ledger_cash:
            self.say("I3", f"{ledger} has {ledger_cash}; its flows say {ours}")
        if account_cash != self.account_cash:
            self.say("I3", f"the account has {account_cash}; its flows say {self.account_cash}")

    @property
    def account_cash(self) -> Decimal:
        """Start plus all flows of all ledgers."""
        return self.deposit + sum(self.cash.values(), ZERO)

    def net(self) -> dict[str, Decimal]:
        """Signed quantity by symbol over all ledgers, without what is flat."""
        sums: dict[str, Decimal] = {}
        for (_, symbol), quantity in self.held.items():
            sums[symbol] = sums.get(symbol, ZERO) + quantity
        return {symbol: quantity for symbol, quantity in sums.items() if quantity}

    # ------------------------------------------------------------------ state, time, commands

    def _on_slice(self, event: ev.SliceClosed) -> None:
        for bar in event.bars:
            self.marks[bar.symbol] = self._instrument(bar.symbol).price(bar.close), bar.end

    def _on_halted(self, event: ev.TradingHalted) -> None:
        self.trading_state = event.state

    def _on_resumed(self, event: ev.TradingResumed) -> None:
        self.trading_state = TradingState.ACTIVE

    def _on_limits(self, event: ev.LimitsChanged) -> None:
        if event.scope == "account":
            self.limits = msgspec.convert(event.limits, Limits)

    def _on_command(self, event: ev.CommandReceived) -> None:
        if event.command_id in self.commands:
            self.say("I16", f"command {event.command_id} was carried out twice")
        self.commands.setdefault(event.command_id, 0)

    def _on_completed(self, event: ev.CommandCompleted) -> None:
        outcomes = self.commands.get(event.command_id, 0) + 1
        self.commands[event.command_id] = outcomes
        if outcomes > 1:
            self.say("I16", f"command {event.command_id} has {outcomes} outcomes")

    # --------------------------------------------------------------------------------- limits

    def _within_limits(self, order: Order) -> None:
        """I8 and I14 for an addition that was just approved, from the stream alone."""
        limits, mark = self.limits, self.marks.get(order.symbol)
        if limits is None or not limits.risk_checking or mark is None:
            return
        price, at = mark
        stale = limits.stale_price_seconds
        if stale is not None and order.at - at >= timedelta(seconds=stale + 1):
            self.say("I14", f"order {order.client_order_id} rests on a price of {at}")
        count = sum(1 for one in self._moving()) + 1
        if count > limits.max_concurrent_orders:
            self.say("I8", f"order {order.client_order_id} is the {count}th that is open")
        self._within_shares(order, price, limits)

    def _within_shares(self, order: Order, price: Decimal, limits: Limits) -> None:
        net = self.net()
        if any(symbol not in self.marks for symbol in self._symbols(net)):
            return  # the stream has not told yet what that is worth
        equity = self.account_cash + sum(
            (q * self._unit(symbol) for symbol, q in net.items()), ZERO
        )
        reach, unit = self._reach(order, net), price * self._instrument(order.symbol).multiplier
        if reach * unit > limits.max_position_size * equity:
            limit = f"{limits.max_position_size} of {equity}"
            self.say("I8", f"{order.client_order_id} takes {order.symbol} to {reach}: over {limit}")
        others = sum(
            (self._exposure(s, net) for s in self._symbols(net) if s != order.symbol), ZERO
        )
        if others + reach * unit > limits.max_portfolio_exposure * equity:
            limit = f"{limits.max_portfolio_exposure} of {equity}"
            self.say("I8", f"{order.client_order_id} takes the account beyond {limit}")

    def _unit(self, symbol: str) -> Decimal:
        mark = self.marks.get(symbol)
        return mark[0] * self._instrument(symbol).multiplier if mark else ZERO

    def _instrument(self, symbol: str) -> Instrument:
        return self._instruments.get(symbol) or instrument_of(symbol)

    def _moving(self) -> Iterable[Known]:
        return (o for o in self.orders.values() if o.is_open and o.order.leg not in PROTECTIVE)

    def _pending(self, symbol: str) -> tuple[Decimal, Decimal]:
        buys = sells = ZERO
        for known in self._moving():
            if known.order.symbol == symbol:
                if known.order.side is Side.BUY:
                    buys += known.remaining
                else:
                    sells += known.remaining
        return buys, sells

    def _reach(self, order: Order, net: Mapping[str, Decimal]) -> Decimal:
        buys, sells = self._pending(order.symbol)
        held = net.get(order.symbol, ZERO)
        is_buy = order.side is Side.BUY
        return (held + buys if is_buy else sells - held) + order.quantity

    def _exposure(self, symbol: str, net: Mapping[str, Decimal]) -> Decimal:
        buys, sells = self._pending(symbol)
        held = net.get(symbol, ZERO)
        return max(abs(held + buys), abs(held - sells)) * self._unit(symbol)

    def _symbols(self, net: Mapping[str, Decimal]) -> list[str]:
        return sorted({*net, *(known.order.symbol for known in self._moving())})


_STATUS: Final[dict[type, OrderStatus]] = {
    ev.OrderAccepted: OrderStatus.ACCEPTED,
    ev.OrderRejected: OrderStatus.REJECTED,
    ev.OrderUnknown: OrderStatus.UNKNOWN,
    ev.OrderCanceled: OrderStatus.CANCELED,
    ev.OrderExpired: OrderStatus.EXPIRED,
}
_WORK: Final[dict[type, Callable[[Witness, Any], None]]] = {
    ev.SignalRaised: Witness._on_signal,
    ev.SignalSatisfied: Witness._on_satisfied,
    ev.SignalExpired: Witness._on_expired_signal,
    ev.OrderDenied: Witness._on_denied,
    ev.OrderApproved: Witness._on_approved,
    ev.OrderSeen: Witness._on_seen,
    ev.OrderSubmitted: Witness._on_submitted,
    ev.OrderReplaced: Witness._on_replaced,
    ev.OrderAdjusted: Witness._on_adjusted,
    ev.OrderFilled: Witness._on_filled,
    ev.ExecutionBusted: Witness._on_busted,
    ev.ExecutionCorrected: Witness._on_corrected,
    ev.PositionChanged: Witness._on_position,
    ev.PositionAdjusted: Witness._on_position_adjusted,
    ev.CashMoved: Witness._on_cash,
    ev.SliceClosed: Witness._on_slice,
    ev.TradingHalted: Witness._on_halted,
    ev.TradingResumed: Witness._on_resumed,
    ev.LimitsChanged: Witness._on_limits,
    ev.CommandReceived: Witness._on_command,
    ev.CommandCompleted: Witness._on_completed,
    **dict.fromkeys(_STATUS, Witness._on_answer),
}
DECISIONS: Final = frozenset(name for name, kind in ev.EVENT_NAMES.items() if kind in _WORK)
"""Event types that a witness learns from, by name."""
