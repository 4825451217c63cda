"""Orders that the broker cannot have: we watch the price for them, and only while we run.

A stop is reached when a bar touched it, a limit when the bar ends within it. An entry is then
sent; a way out becomes the target, so that it frees the shares, is sent and tried like any exit.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.deployments import TradingState
from app.domain.events import OrderReleased, SliceClosed
from app.domain.market import Bar
from app.domain.orders import STOPS, Leg, Order, OrderTerms, OrderType, PendingChange, Side
from app.domain.orders import TimeInForce as Life
from app.domain.trailing import followed
from app.engine.desk import RELEASED_AS, Desk, on_their_way
from app.engine.groups import partners
from app.engine.pursuit import pursue
from app.engine.state import Act, Standing

ZERO: Final = Decimal(0)
_ALL_TYPES: Final = frozenset(OrderType)


def watch(desk: Desk, event: SliceClosed) -> None:
    """Let the bars meet what is held here."""
    if desk.abilities.links_orders and desk.abilities.types >= _ALL_TYPES:
        return  # nothing ever is
    bars = {bar.symbol: bar for bar in event.bars if bar.timeframe is event.base}
    for order in held_orders(desk):
        bar = bars.get(order.symbol)
        if bar is not None:
            _meet(desk, order, bar, event.end)


def held_orders(desk: Desk) -> list[Order]:
    """Those that are still to be watched for."""
    return [
        order
        for order in desk.book.open.values()
        if order.is_held and order.pending is not PendingChange.CANCEL
    ]


def expire(desk: Desk, at: datetime) -> None:
    """Day orders that we hold end with the session, as they would at a broker."""
    for order in held_orders(desk):
        if order.time_in_force is not Life.GTC and order.at < at:
            desk.cancel(order, "session closed", at)


def _meet(desk: Desk, order: Order, bar: Bar, at: datetime) -> None:
    prices = _prices(desk, order, bar)
    if _is_reached(order, prices):
        if desk.book.trading_state is not TradingState.HALTED:
            _reach(desk, order, prices["close"], at)
    elif order.trail is not None and order.at <= bar.start:
        stop = followed(order.side, order.trail, order.stop_price, prices["high"], prices["low"])
        desk.book.put(msgspec.structs.replace(order, stop_price=stop))


def _prices(desk: Desk, order: Order, bar: Bar) -> Mapping[str, Decimal]:
    """What the order may know of a bar: of one that began before it, only the end."""
    grid = desk.book.instrument(order.symbol).price
    close = grid(bar.close)
    if order.at > bar.start:
        return {"high": close, "low": close, "close": close}
    return {"high": grid(bar.high), "low": grid(bar.low), "close": close}


def _is_reached(order: Order, prices: Mapping[str, Decimal]) -> bool:
    buys = order.side is Side.BUY
    if order.type in STOPS:
        stop = order.stop_price
        worst = prices["high" if buys else "low"]
        return stop is not None and (worst >= stop if buys else worst <= stop)
    limit, close = order.limit_price or ZERO, prices["close"]
    return close <= limit if buys else close >= limit


def _reach(desk: Desk, order: Order, price: Decimal, at: datetime) -> None:
    sent_as = RELEASED_AS.get(order.type, OrderType.MARKET)
    reason = f"reached at {price}"
    standing = desk.standings.get((order.ledger, order.symbol))
    if order.leg is Leg.ENTRY or standing is None:
        _release(desk, order, sent_as, reason, at)
        return
    is_leg = order.leg.is_protective
    target = _left_by(desk, standing, order) if is_leg else desk.projected(standing)
    terms = None
    if sent_as is OrderType.LIMIT:
        terms = OrderTerms(type=sent_as, limit_price=order.limit_price, time_in_force=Life.DAY)
    for one in (order, *partners(desk, order)):
        desk.cancel(one, f"{reason}: an exit is sent in its place", at)
    desk.expire(standing, at)
    standing.target = msgspec.structs.replace(standing.target, terms=terms, oco=None)
    standing.is_live, standing.is_once = True, False
    desk.retarget(standing, target, at)
    pursue(desk, standing, at)


def _left_by(desk: Desk, standing: Standing, stop: Order) -> Decimal:
    """What to hold once a protective order was reached: what an entry may still bring is not
    wanted any more."""
    ways_out = [one for one in desk.entries(standing) if one.side is stop.side]
    held = desk.book.held(stop.ledger, stop.symbol)
    return held + on_their_way(ways_out) + stop.signed_remaining


def _release(desk: Desk, order: Order, sent_as: OrderType, reason: str, at: datetime) -> None:
    for one in partners(desk, order):
        desk.cancel(one, f"the other order of the pair was {reason}", at)
    limit = order.limit_price if sent_as is OrderType.LIMIT else None
    desk.book.put(
        msgspec.structs.replace(
            order, type=sent_as, limit_price=limit, stop_price=None, trail=None, is_held=False
        )
    )
    desk.emit(
        OrderReleased(
            client_order_id=order.client_order_id,
            order_type=sent_as,
            limit_price=limit,
            reason=reason,
            at=at,
        )
    )
    desk.outbox.append(Act("submit", order.client_order_id))
