"""Orders and signals of people: placed, raised, changed and canceled, by the desk's own rules."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from app.core.errors import InvalidInput
from app.domain.deployments import MANUAL, TradingState
from app.domain.events import (
    CommandReceived,
    OrderApproved,
    OrderDenied,
    SignalSatisfied,
)
from app.domain.orders import PRICES, Leg, Order, OrderChange, OrderTerms, PendingChange, Side
from app.domain.signals import Signal, Target
from app.domain.trailing import first_stop
from app.engine import commands, groups
from app.engine.commands import Refused
from app.engine.desk import Desk, on_their_way
from app.engine.protection import protect
from app.engine.pursuit import change_intent, pursue
from app.engine.state import Standing
from app.risk.sizing import budget_of, quantity_of

ZERO: Final = Decimal(0)
Result = dict[str, Any]
Asked = commands.OrderPlace | commands.SignalRaise


class ByHand:
    """What a person may ask about orders. Each answer is whether it was done, and what of it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def carry_out(
        self, event: CommandReceived, asked: Asked | commands.OrderCancel | commands.OrderReplace
    ) -> tuple[bool, Result]:
        """Raises InvalidInput and Refused where it is understood and cannot be."""
        match asked:
            case commands.OrderPlace():
                return self.place(event, asked)
            case commands.SignalRaise():
                return self.raise_signal(event, asked)
            case commands.OrderCancel():
                return self.cancel(event, asked)
            case _:
                return self.replace(event, asked)

    # ------------------------------------------------------------------------------ placing

    def place(self, event: CommandReceived, asked: commands.OrderPlace) -> tuple[bool, Result]:
        """An explicit order: the target is what there is plus the order; tried once."""
        book = self.desk.book
        instrument = book.instrument(asked.symbol)
        if asked.quantity != instrument.quantity(asked.quantity):
            raise InvalidInput(f"quantity must be a multiple of {instrument.lot}", field="quantity")
        self._check_broker(asked)
        terms = self._terms(asked, asked)
        oco = None if asked.oco is None else self._terms(asked, asked.oco)
        working = book.working(MANUAL, asked.symbol)
        same_side = on_their_way(
            [one for one in working if one.side is asked.side and not one.leg.is_protective]
        )
        target = book.held(MANUAL, asked.symbol) + same_side + asked.signed_quantity
        signal = self._signal(event, asked.symbol, asked, target, exposure=0.0)
        signal = msgspec.structs.replace(signal, quantity=target, terms=terms, oco=oco)
        self._check_legs(asked, signal, target)
        if oco is not None:
            self._check_pair(asked, target)
        standing = self.desk.take_up(signal, target, is_once=True)
        return self._pursued(standing, event.at)

    def _check_broker(self, asked: commands.OrderPlace) -> None:
        """What the broker cannot do, and nobody can do for it, is refused with the way out."""
        able, life = self.desk.abilities, asked.time_in_force
        if life not in able.times_in_force:
            known = ", ".join(sorted(able.times_in_force))
            raise InvalidInput(
                f"time_in_force {life} is not known to this account's broker. Use {known}.",
                field="time_in_force",
            )
        for terms in (asked, asked.oco):
            if terms is not None and not self.desk.can_have(terms.type):
                known = ", ".join(sorted(able.types))
                raise InvalidInput(
                    f"type {terms.type} is not known to this account's broker. Use {known}.",
                    field="type",
                )

    def _terms(self, asked: commands.OrderPlace, terms: commands.Terms) -> OrderTerms:
        """A trailing stop begins its distance away from the last price."""
        stop = terms.stop_price
        if terms.trail is not None:
            stop = self._first_stop(asked.symbol, asked.side, terms.trail)
        return OrderTerms(
            type=terms.type,
            limit_price=terms.limit_price,
            stop_price=stop,
            trail=terms.trail,
            time_in_force=asked.time_in_force,
        )

    def _first_stop(self, symbol: str, side: Side, trail: Decimal) -> Decimal:
        price = self.desk.book.price(symbol)
        if price is None:
            raise Refused("no_price", f"There is no price of {symbol} yet to trail from.")
        stop = self.desk.book.instrument(symbol).round_price(first_stop(side, trail, price))
        if stop <= 0:
            raise InvalidInput(f"trail must be less than the last price {price}", field="trail")
        return stop

    def _check_legs(self, asked: Asked, signal: Signal, target: Decimal) -> None:
        """A stop beyond the price would end the position as it begins, a profit never be one."""
        if not target:
            return
        price = self._reference(asked, target)
        is_long = target > 0
        for name, is_below in (("stop_loss", is_long), ("take_profit", not is_long)):
            value = getattr(asked, name)
            if value is None or price is None or (value < price if is_below else value > price):
                continue
            side, where = "long" if is_long else "short", "below" if is_below else "above"
            raise InvalidInput(
                f"{name} of a {side} position must be {where} its price {price}, not at {value}",
                field=name,
            )

    def _reference(self, asked: Asked, target: Decimal) -> Decimal | None:
        """The price that an order hopes to enter at, else the last one."""
        last = self.desk.book.price(asked.symbol)
        if isinstance(asked, commands.OrderPlace) and asked.signed_quantity * target > 0:
            return asked.limit_price or asked.stop_price or last
        return last

    def _check_pair(self, asked: commands.OrderPlace, target: Decimal) -> None:
        """Both ways out are of one kind: they add, or they reduce."""
        if target * (target - asked.signed_quantity) < 0:
            raise InvalidInput(
                "quantity is more than what is held: an OCO adds to a position or reduces it,"
                " it does not turn it around",
                field="quantity",
            )

    # -------------------------------------------------------------------------- a person's signal

    def raise_signal(
        self, event: CommandReceived, asked: commands.SignalRaise
    ) -> tuple[bool, Result]:
        """A target exposure, sized by the limits and pursued as a strategy's would be."""
        book = self.desk.book
        price, quantity = book.price(asked.symbol), ZERO
        if price is None and asked.exposure:
            raise Refused("no_price", f"There is no price of {asked.symbol} yet.")
        if price is not None:
            tight = book.limits_of(MANUAL, asked.symbol)
            budget = budget_of(None, 1, book.equity, tight)
            instrument = book.instrument(asked.symbol)
            quantity = quantity_of(asked.exposure, budget, price, instrument)
        signal = self._signal(event, asked.symbol, asked, quantity, exposure=asked.exposure)
        self._check_legs(asked, signal, quantity)
        return self._pursued(self.desk.take_up(signal, quantity), event.at)

    def _signal(
        self,
        event: CommandReceived,
        symbol: str,
        asked: Asked,
        target: Decimal,
        *,
        exposure: float,
    ) -> Signal:
        before = self._protection(symbol, target)
        names_stop = asked.stop_loss is not None or asked.stop_trail is not None
        return Signal(
            signal_id=f"{MANUAL}-{symbol}-c{event.command_id}",
            ledger=MANUAL,
            deployment_id=None,
            symbol=symbol,
            exposure=exposure,
            price=float(self.desk.book.price(symbol) or ZERO),
            at=event.at,
            valid_until=event.at,
            stop_loss=asked.stop_loss if names_stop or before is None else before.stop_loss,
            stop_trail=asked.stop_trail if names_stop or before is None else before.stop_trail,
            take_profit=(
                before.take_profit
                if asked.take_profit is None and before is not None
                else asked.take_profit
            ),
            reasons=(asked.reason,),
        )

    def _protection(self, symbol: str, target: Decimal) -> Target | None:
        """What was named for what is there: it holds for what is left of it."""
        standing = self.desk.standings.get((MANUAL, symbol))
        if standing is None:
            return None
        there = self.desk.book.held(MANUAL, symbol) or self.desk.projected(standing)
        if not there or there * target < 0:
            return None
        return standing.target

    def _pursued(self, standing: Standing, at: datetime) -> tuple[bool, Result]:
        """Pursue at once; the first answer is the command's outcome."""
        before = len(self.desk.out)
        pursue(self.desk, standing, at)
        if not standing.waits:
            protect(self.desk, standing.target.ledger, standing.target.symbol, at)
        return self._outcome(standing.target.signal_id, before)

    def _outcome(self, signal_id: str, before: int) -> tuple[bool, Result]:
        for event in self.desk.out[before:]:
            if isinstance(event, OrderApproved):
                result = {"outcome": "order", "client_order_id": event.order.client_order_id}
                return True, {"signal_id": signal_id, **result}
            if isinstance(event, OrderDenied):
                return False, {"signal_id": signal_id, "outcome": "denied", **why(event)}
            if isinstance(event, SignalSatisfied):
                return True, {"signal_id": signal_id, "outcome": "satisfied"}
        return True, {"signal_id": signal_id, "outcome": "pending"}

    # ----------------------------------------------------------------------------- canceling

    def cancel(self, event: CommandReceived, asked: commands.OrderCancel) -> tuple[bool, Result]:
        order = self._open(asked.client_order_id)
        was_going = order.pending is PendingChange.CANCEL
        reason = f"canceled by {event.actor}"
        for one in (order, *groups.partners(self.desk, order)):
            self.desk.cancel(one, reason, event.at)
        standing = self.desk.standings.get((order.ledger, order.symbol))
        if standing is not None and order.leg.is_protective:
            standing.is_guarded = standing.is_bare = False
        elif standing is not None and (
            not was_going or standing.target.signal_id == order.signal_id
        ):
            # What the person took back is not asked for again, nor is a late fill undone. What a
            # newer signal has asked to cancel already says nothing about that signal.
            self.desk.expire(standing, event.at)
            held = self.desk.book.held(order.ledger, order.symbol)
            self.desk.retarget(standing, held, event.at)
            standing.is_live, standing.is_once = False, True
        return True, {"client_order_id": order.client_order_id}

    def _open(self, client_order_id: str) -> Order:
        record = self.desk.book.records.get(client_order_id)
        if record is None:
            raise Refused("not_found", f"There is no order {client_order_id} here.")
        if not record.order.is_open:
            raise Refused("not_open", f"Order {client_order_id} is {record.order.status}.")
        return record.order

    # ------------------------------------------------------------------------------ changing

    def replace(self, event: CommandReceived, asked: commands.OrderReplace) -> tuple[bool, Result]:
        """Other prices, another quantity; checked for what it adds. Refused, the order stays."""
        order = self._open(asked.client_order_id)
        if order.pending != "none":
            raise Refused(
                "pending", f"A {order.pending} of order {order.client_order_id} is unanswered."
            )
        self._check_change(order, asked)
        if order.leg.is_protective:
            if self.desk.book.trading_state is TradingState.HALTED:
                raise Refused("trading_halted", "Trading is halted; resume it first.")
            return self._move_leg(order, asked, event.at)
        if not order.is_held and not self.desk.abilities.can_replace:
            raise Refused(
                "not_replaceable",
                "This account's broker cannot change an order: cancel it and place another.",
            )
        change = self._change(order, asked)
        denial = self.desk.risk.review_change(
            change_intent(self.desk, order, change, event.at), self.desk.book
        )
        if denial is not None:
            return False, {"client_order_id": order.client_order_id, **why(denial)}
        return self._ask_for(order, change, asked.reason, event.at)

    def _check_change(self, order: Order, asked: commands.OrderReplace) -> None:
        for name, types in PRICES.items():
            if getattr(asked, name) is not None and order.type not in types:
                raise InvalidInput(f"{name} is not part of a {order.type} order", field=name)
        quantity = asked.quantity
        if quantity is None:
            return
        instrument = self.desk.book.instrument(order.symbol)
        if order.leg.is_protective:
            raise InvalidInput(
                "quantity of a protective order follows the position; change its price only",
                field="quantity",
            )
        if quantity != instrument.quantity(quantity):
            raise InvalidInput(f"quantity must be a multiple of {instrument.lot}", field="quantity")
        if quantity <= order.filled_quantity:
            raise InvalidInput(
                f"quantity must be above the {order.filled_quantity} that are filled; to take back"
                " the rest, cancel the order",
                field="quantity",
            )
        held = abs(self.desk.book.held(order.ledger, order.symbol))
        if order.leg is not Leg.ENTRY and quantity - order.filled_quantity > held:
            raise InvalidInput(
                f"quantity is more than the {held} that are held: place another order for the rest",
                field="quantity",
            )

    def _change(self, order: Order, asked: commands.OrderReplace) -> OrderChange:
        given = {name: getattr(asked, name) for name in commands.CHANGES}
        given = {name: value for name, value in given.items() if value is not None}
        if asked.trail is not None:
            given["stop_price"] = self._first_stop(order.symbol, order.side, asked.trail)
        return msgspec.structs.replace(order.change, **given)

    def _ask_for(
        self, order: Order, change: OrderChange, reason: str, at: datetime
    ) -> tuple[bool, Result]:
        added = (change.quantity - order.quantity) * order.side.sign
        self.desk.replace(order, change, reason, at)
        standing = self.desk.standings.get((order.ledger, order.symbol))
        if standing is not None and added:
            # What a person set is what is wanted now; nobody asks for the difference again.
            self.desk.retarget(standing, standing.target.quantity + added, at)
            standing.is_live, standing.is_once = False, True
            for other in groups.partners(self.desk, order):
                quantity = other.filled_quantity + change.quantity - order.filled_quantity
                changed = msgspec.structs.replace(other.change, quantity=quantity)
                self.desk.replace(other, changed, reason, at)
        return True, {"client_order_id": order.client_order_id, "outcome": "requested"}

    def _move_leg(
        self, order: Order, asked: commands.OrderReplace, at: datetime
    ) -> tuple[bool, Result]:
        """The target names another price from now on, and the leg follows it."""
        standing = self.desk.standings[order.ledger, order.symbol]
        named: dict[str, Any] = {}
        if asked.limit_price is not None:
            named["take_profit"] = asked.limit_price
        if asked.stop_price is not None:
            named["stop_loss"] = asked.stop_price
        if asked.trail is not None:
            named["stop_trail"] = asked.trail
            named["stop_loss"] = self._first_stop(order.symbol, order.side, asked.trail)
        self.desk.rename_legs(standing, named, at)
        protect(self.desk, order.ledger, order.symbol, at)
        return True, {"client_order_id": order.client_order_id, "outcome": "requested"}


def why(denial: OrderDenied) -> Result:
    """A denial as the outcome of a command."""
    return {
        "code": denial.code,
        "detail": denial.detail,
        "limit": None if denial.limit is None else str(denial.limit),
        "value": None if denial.value is None else str(denial.value),
    }
