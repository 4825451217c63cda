"""Protective legs: a stop and a take-profit that cover exactly what is held.

They rest from the first partial fill on; more shares get a further leg, fewer shares make the
newest leg go and come back smaller once the broker has confirmed. A leg that fills sets the target
to what is left until the strategy changes its opinion, so that the exit is not bought back.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

from app.domain.deployments import TradingState
from app.domain.orders import Leg, Order, OrderTerms, OrderType, PendingChange, Side, TimeInForce
from app.domain.portfolio import Position
from app.engine.desk import Desk
from app.engine.pursuit import pursue, shrink
from app.engine.state import Standing
from app.risk.rules import Intent

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
    if not legs and not _is_wanted(desk, standing):
        return
    wanted = abs(held) - _leaving(desk, standing, held)
    is_halted = desk.book.trading_state is TradingState.HALTED
    for kind in (Leg.STOP_LOSS, Leg.TAKE_PROFIT):
        mine = [leg for leg in legs if leg.leg is kind]
        if shrink(desk, mine, max(wanted, ZERO), "resized", at):
            continue
        if standing.is_guarded and not standing.waits and not is_halted:
            _fit(desk, standing, position, kind, mine, wanted, at)


def _is_wanted(desk: Desk, standing: Standing) -> bool:
    target = standing.target
    named = target.stop_loss is not None or target.take_profit is not None
    limits = desk.book.limits_of(target.ledger, target.symbol)
    return named or limits.default_stop_loss is not None


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
    desk.retarget(standing, ZERO if ends else held, at)
    standing.is_live = not standing.is_once
    pursue(desk, standing, at)


def _leaving(desk: Desk, standing: Standing, held: Decimal) -> Decimal:
    """Shares that market orders already on their way will take out of the position."""
    return sum(
        (
            order.remaining_quantity
            for order in desk.entries(standing)
            if order.type is OrderType.MARKET and (order.side is Side.BUY) != (held > 0)
        ),
        ZERO,
    )


def _fit(
    desk: Desk,
    standing: Standing,
    position: Position,
    kind: Leg,
    mine: list[Order],
    wanted: Decimal,
    at: datetime,
) -> None:
    named, price = _price(desk, standing, position, kind)
    if named:
        for leg in mine:
            if price not in (leg.stop_price, leg.limit_price):
                desk.cancel(leg, "protection moved", at)
    if price is None:
        return
    mine = [desk.book.open[leg.client_order_id] for leg in mine]
    missing = wanted - sum((leg.remaining_quantity for leg in mine), ZERO)
    if missing > 0 and not any(leg.pending is PendingChange.CANCEL for leg in mine):
        _add(desk, standing, position, kind, price, missing, at)


def _price(
    desk: Desk, standing: Standing, position: Position, kind: Leg
) -> tuple[bool, Decimal | None]:
    """Whether the signal names it, and where the leg belongs (None: no such leg)."""
    target = standing.target
    if kind is Leg.TAKE_PROFIT:
        return target.take_profit is not None, target.take_profit
    distance = desk.book.limits_of(target.ledger, target.symbol).default_stop_loss
    if target.stop_loss is not None or distance is None:
        return target.stop_loss is not None, target.stop_loss
    away = -distance if position.quantity > 0 else distance
    price = position.average_price * (1 + away)
    return False, desk.book.instrument(position.symbol).round_price(price)


def _add(
    desk: Desk,
    standing: Standing,
    position: Position,
    kind: Leg,
    price: Decimal,
    quantity: Decimal,
    at: datetime,
) -> None:
    standing.legs += 1
    stops = kind is Leg.STOP_LOSS
    intent = Intent(
        ledger=position.ledger,
        signal_id=standing.target.signal_id,
        symbol=position.symbol,
        side=Side.SELL if position.quantity > 0 else Side.BUY,
        quantity=quantity,
        leg=kind,
        adds=False,
        at=at,
        instrument=desk.book.instrument(position.symbol),
        price=price,
        terms=OrderTerms(
            type=OrderType.STOP if stops else OrderType.LIMIT,
            stop_price=price if stops else None,
            limit_price=None if stops else price,
            time_in_force=TimeInForce.GTC,
        ),
        attempt=standing.legs,
        # All legs of one position are one group: of two kinds one may fill at a time.
        group_id=desk.group(position.ledger, position.symbol, at),
    )
    desk.place(desk.risk.protect(intent, desk.book))
