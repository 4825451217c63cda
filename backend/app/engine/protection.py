"""Protective legs: a stop and a take-profit that cover exactly what is held.

They rest from the first partial fill on and are changed with it; where the broker cannot, more
shares get a further leg, and fewer make the newest one go and come back smaller once that is
confirmed. A leg that fills sets the target to what is left until the strategy changes its opinion,
so that the exit is not bought back.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.deployments import TradingState
from app.domain.orders import (
    Leg,
    Order,
    OrderChange,
    OrderTerms,
    OrderType,
    PendingChange,
    Side,
    TimeInForce,
)
from app.domain.portfolio import Position
from app.domain.trailing import first_stop
from app.engine.desk import APART, Desk, on_their_way
from app.engine.pursuit import pursue, shrink
from app.engine.state import Standing
from app.risk.rules import Intent, in_the_way

ZERO: Final = Decimal(0)


def protect(desk: Desk, ledger: str, symbol: str, at: datetime) -> None:
    """Make the resting legs fit the position.

    While halted, or while an exit waits for its way, they are only made fewer.
    """
    legs = desk.legs(ledger, symbol)
    position = desk.book.position(ledger, symbol)
    held = position.quantity
    for leg in legs:
        if not held or (leg.side is Side.BUY) == (held > 0):
            desk.cancel(leg, "position closed", at)
    standing = desk.standings.get((ledger, symbol))
    if not held or standing is None:
        return
    if not legs and not is_wanted(desk, standing):
        return
    wanted = abs(held) - _leaving(desk, standing, held)
    shares, side = _shares(desk, standing, wanted), _side(held)
    for kind in (Leg.STOP_LOSS, Leg.TAKE_PROFIT):
        mine = [leg for leg in legs if leg.leg is kind and leg.side is not side]
        if mine or _shape(desk, standing, position, kind) is not None:
            _fit_kind(desk, standing, position, kind, mine, shares, at)


Group = str | None
"""Whose legs: of a way out with a group of its own, or (None) of the position's."""


def _shares(desk: Desk, standing: Standing, wanted: Decimal) -> dict[Group, Decimal]:
    """How many shares the legs of each group cover, `wanted` together; the position's come last."""
    apart: dict[Group, list[Order]] = {}
    for order in desk.entries(standing):
        if order.leg is Leg.EXIT and (group := _group(order)) is not None:
            apart.setdefault(group, []).append(order)
    shares: dict[Group, Decimal] = {}
    for group, orders in apart.items():
        shares[group] = min(abs(on_their_way(orders)), max(wanted, ZERO))
        wanted -= shares[group]
    shares[None] = wanted
    return shares


def _group(order: Order) -> Group:
    is_apart = order.group_id is not None and APART in order.group_id
    return order.group_id if is_apart else None


def _fit_kind(
    desk: Desk,
    standing: Standing,
    position: Position,
    kind: Leg,
    legs: list[Order],
    shares: dict[Group, Decimal],
    at: datetime,
) -> None:
    """Legs of one kind, group by group: never more than is wanted in all, so less comes first."""
    is_halted = desk.book.trading_state is TradingState.HALTED
    if kind is Leg.STOP_LOSS and not desk.abilities.takes_both_sides and not is_halted:
        _send_held(desk, legs, at)
    parts: dict[Group, list[Order]] = {group: [] for group in shares}
    for leg in legs:
        parts.setdefault(_group(leg), []).append(leg)
    smaller = [
        group
        for group, mine in parts.items()
        if shrink(desk, mine, max(shares.get(group, ZERO), ZERO), "resized", at)
    ]
    if not standing.is_guarded or standing.waits or is_halted:
        return
    parts = {key: [desk.book.open[leg.client_order_id] for leg in parts[key]] for key in shares}
    covered = {key: _covered(mine) for key, mine in parts.items()}
    leaving = sum((leg.most_remaining for leg in legs if _group(leg) not in shares), ZERO)
    room = sum(shares.values(), ZERO) - sum(covered.values(), leaving)
    for group in shares:
        if group not in smaller:
            wanted = min(shares[group], covered[group] + max(room, ZERO))
            room -= max(wanted - covered[group], ZERO)
            _fit(desk, standing, position, kind, parts[group], wanted, at, group)


def _send_held(desk: Desk, legs: list[Order], at: datetime) -> None:
    """Stops that we held for an order on the other side go to the broker once that is over."""
    for leg in legs:
        if leg.is_held and leg.type in desk.abilities.types and not _is_crossed(desk, leg):
            desk.cancel(leg, "it can rest at the broker now", at)


def _is_crossed(desk: Desk, leg: Order | Intent) -> bool:
    """Whether the broker would refuse the leg, for it could meet an order that rests there."""
    if desk.abilities.takes_both_sides:
        return False
    terms = leg.terms if isinstance(leg, Intent) else OrderTerms(type=leg.type)
    return in_the_way(desk.book, leg.symbol, leg.side, terms) is not None


def _covered(legs: list[Order]) -> Decimal:
    return sum((leg.most_remaining for leg in legs), ZERO)


def _side(quantity: Decimal) -> Side:
    return Side.BUY if quantity > 0 else Side.SELL


def is_wanted(desk: Desk, standing: Standing) -> bool:
    """Whether a leg should rest while anything is held."""
    target = standing.target
    named = (target.stop_loss, target.stop_trail, target.take_profit)
    limits = desk.book.limits_of(target.ledger, target.symbol)
    return any(one is not None for one in named) or limits.default_stop_loss is not None


def protective_fill(desk: Desk, standing: Standing, order: Order, at: datetime) -> None:
    """A leg was filled: a stop ends the position, a take-profit keeps what is left of it."""
    target = standing.target
    held = desk.book.held(target.ledger, target.symbol)
    ends = order.leg is Leg.STOP_LOSS and not standing.is_once
    desk.expire(standing, at)
    if standing.is_once:
        # Nobody pursues this target: an exit that rests would sell what the leg has sold.
        exits = [one for one in desk.entries(standing) if one.leg is Leg.EXIT]
        shrink(desk, exits, abs(held), "position closed", at)
    is_through = held * order.side.sign > 0
    desk.retarget(standing, ZERO if ends or is_through else held, at)
    standing.is_live = not standing.is_once
    pursue(desk, standing, at)


def _leaving(desk: Desk, standing: Standing, held: Decimal) -> Decimal:
    """Shares that market orders already on their way will take out of the position.

    Where the broker links orders they work beside the legs, and these stay until it is done.
    """
    if desk.abilities.links_orders:
        return ZERO
    return sum(
        (
            order.remaining_quantity
            for order in desk.entries(standing)
            if order.type is OrderType.MARKET and (order.side is Side.BUY) != (held > 0)
        ),
        ZERO,
    )


class Shape(msgspec.Struct, frozen=True, gc=False):
    """What a leg is to be, but for its quantity."""

    type: OrderType
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    is_named: bool = True
    "Whether the signal says so; the default stop stays where it is until shares are added."

    def fits(self, leg: Order) -> bool:
        """Whether the leg is that already, or is about to be."""
        now = leg.wanted or leg.change
        if leg.type is not self.type:
            return False
        if self.trail is not None:
            return now.trail == self.trail  # where it stands by now the market has decided
        return (now.limit_price, now.stop_price) == (self.limit_price, self.stop_price)

    def of(self, leg: Order, quantity: Decimal) -> OrderChange:
        """The leg with this shape and a whole quantity."""
        is_same = self.trail is not None and self.trail == leg.trail
        stop = leg.stop_price if is_same or self.stop_price is None else self.stop_price
        return OrderChange(
            quantity=quantity, limit_price=self.limit_price, stop_price=stop, trail=self.trail
        )


def _shape(desk: Desk, standing: Standing, position: Position, kind: Leg) -> Shape | None:
    """What the leg is to be; None: nobody says that there is to be one."""
    target = standing.target
    if _is_meant(standing, position):
        stop, trail, profit = target.stop_loss, target.stop_trail, target.take_profit
    else:
        stop = trail = profit = None
    if kind is Leg.TAKE_PROFIT:
        return None if profit is None else Shape(OrderType.LIMIT, limit_price=profit)
    if trail is not None:
        return Shape(OrderType.TRAILING_STOP, stop_price=stop, trail=trail)
    if stop is not None:
        return Shape(OrderType.STOP, stop_price=stop)
    distance = desk.book.limits_of(target.ledger, target.symbol).default_stop_loss
    if distance is None:
        return None
    away = -distance if position.quantity > 0 else distance
    price = position.average_price * (1 + away)
    price = desk.book.instrument(position.symbol).round_price(price)
    return Shape(OrderType.STOP, stop_price=price, is_named=False)


def _is_meant(standing: Standing, position: Position) -> bool:
    """Whether the prices that a signal names are for what is held: not while it is being left.

    What a person named holds until the position is closed.
    """
    sides = standing.target.quantity * position.quantity
    return sides > 0 or (not sides and standing.is_once)


def _fit(
    desk: Desk,
    standing: Standing,
    position: Position,
    kind: Leg,
    mine: list[Order],
    wanted: Decimal,
    at: datetime,
    group: Group,
) -> None:
    shape = _shape(desk, standing, position, kind)
    if shape is None or any(leg.pending is PendingChange.CANCEL for leg in mine):
        return
    missing = wanted - _covered(mine)
    if missing < 0:
        return  # a change that is under way will make it less
    for leg in mine:
        more = missing if leg is mine[-1] else ZERO
        has_moved = shape.is_named and not shape.fits(leg)
        if not more and not has_moved:
            continue
        if desk.can_change(leg) and leg.type is shape.type:
            reason = "protection moved" if has_moved else "resized"
            desk.replace(leg, shape.of(leg, leg.quantity + more), reason, at)
            missing -= more
        elif has_moved:
            desk.cancel(leg, "protection moved", at)
            missing = ZERO
    if missing > 0:
        _add(desk, standing, position, kind, shape, missing, at, group)


def _add(
    desk: Desk,
    standing: Standing,
    position: Position,
    kind: Leg,
    shape: Shape,
    quantity: Decimal,
    at: datetime,
    group: Group,
) -> None:
    standing.legs += 1
    side = Side.SELL if position.quantity > 0 else Side.BUY
    instrument = desk.book.instrument(position.symbol)
    stop = shape.stop_price
    if stop is None and shape.trail is not None:
        stop = instrument.round_price(first_stop(side, shape.trail, position.average_price))
    intent = Intent(
        ledger=position.ledger,
        signal_id=standing.target.signal_id,
        symbol=position.symbol,
        side=side,
        quantity=quantity,
        leg=kind,
        adds=False,
        at=at,
        instrument=instrument,
        price=shape.limit_price or stop,
        terms=OrderTerms(
            type=shape.type,
            limit_price=shape.limit_price,
            stop_price=stop,
            trail=shape.trail,
            time_in_force=_life(desk),
        ),
        attempt=standing.legs,
        # All legs of one position are one group: of two kinds one may fill at a time.
        group_id=group or desk.group(position.ledger, position.symbol, at),
    )
    # Shares that a broker has set aside for a stop it does not give to another order as well.
    is_second = kind is Leg.TAKE_PROFIT and not desk.abilities.links_orders
    has_stop = is_second and _shape(desk, standing, position, Leg.STOP_LOSS) is not None
    is_held = has_stop or _is_crossed(desk, intent)
    desk.place(desk.risk.protect(intent, desk.book), is_held=is_held)


def _life(desk: Desk) -> TimeInForce:
    """As long as the position, where the broker can: else legs are made again each session."""
    is_able = TimeInForce.GTC in desk.abilities.times_in_force
    return TimeInForce.GTC if is_able else TimeInForce.DAY
