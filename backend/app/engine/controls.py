"""The trading state of an account: halt, reduce, resume, and getting out of positions."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from app.domain.deployments import TradingState, deployment_of
from app.domain.events import TradingHalted, TradingResumed
from app.domain.orders import Leg, Order, OrderStatus, OrderType
from app.domain.portfolio import Position
from app.domain.signals import Signal
from app.engine.desk import Desk
from app.engine.protection import is_wanted, protect
from app.engine.pursuit import pursue
from app.engine.state import Standing

ZERO: Final = Decimal(0)


def halt(desk: Desk, reason: str, actor: str, at: datetime) -> None:
    """Nothing is sent any more but cancels. Protective legs stay at the broker.

    Halting again does not stop the flatten of a halt that still holds.
    """
    was_halted = desk.book.trading_state is TradingState.HALTED
    desk.is_held_for_books = False
    desk.book.trading_state = TradingState.HALTED
    desk.emit(TradingHalted(state=TradingState.HALTED, reason=reason, actor=actor, at=at))
    for order in list(desk.book.open.values()):
        is_its_flatten = was_halted and order.leg is Leg.FLATTEN
        if not order.leg.is_protective and not is_its_flatten and not _covers(desk, order):
            desk.cancel(order, reason, at)


def _covers(desk: Desk, order: Order) -> bool:
    """An exit at the broker whose stop had to make way for it: without it the position is bare.

    Where the broker links orders no stop ever has to.
    """
    is_at_market = order.leg is Leg.EXIT and order.type is OrderType.MARKET
    standing = desk.standings.get((order.ledger, order.symbol))
    if desk.abilities.links_orders or not is_at_market or standing is None:
        return False
    is_there = order.status is not OrderStatus.APPROVED
    return is_there and is_wanted(desk, standing) and not desk.legs(order.ledger, order.symbol)


def restrict(desk: Desk, reason: str, actor: str, at: datetime) -> None:
    """Only what moves a position toward zero is sent. A halt is not loosened by this."""
    desk.is_held_for_books = False  # whoever asks now has a reason of their own
    if desk.book.trading_state is not TradingState.ACTIVE:
        return
    desk.book.trading_state = TradingState.REDUCING
    desk.emit(TradingHalted(state=TradingState.REDUCING, reason=reason, actor=actor, at=at))
    for order in list(desk.book.open.values()):
        if order.leg is Leg.ENTRY:
            desk.cancel(order, reason, at)


def resume(desk: Desk, actor: str, at: datetime) -> None:
    """Trade again. The drawdown is measured from here on; what is held gets its protection."""
    desk.book.trading_state = TradingState.ACTIVE
    desk.is_held_for_books = False
    desk.book.rearm()
    desk.emit(TradingResumed(actor=actor, at=at))
    for standing in desk.standings.values():
        standing.is_flatten = False  # a later halt is not the one that ordered it
    guard_again(desk, at)


def guard_again(desk: Desk, at: datetime) -> None:
    """Protect what lost its protection; what a person left bare stays so."""
    for standing in desk.standings.values():
        standing.is_guarded = standing.is_guarded or standing.is_bare
        standing.is_bare = False
    for position in list(desk.book.positions()):
        protect(desk, position.ledger, position.symbol, at)


def flatten_all(
    desk: Desk, command_id: int, reason: str, at: datetime, ledger: str | None = None
) -> None:
    """Out of everything, or of one ledger; also of what orders that cannot be stopped still buy."""
    keys = {(one.ledger, one.symbol) for one in desk.book.positions()}
    keys |= {(order.ledger, order.symbol) for order in desk.book.moving.values()}
    for key in sorted(keys):
        if ledger is None or key[0] == ledger:
            flatten(desk, desk.book.position(*key), command_id, reason, at)


def flatten(desk: Desk, position: Position, command_id: int, reason: str, at: datetime) -> Standing:
    """Out of one position, as a signal that wants nothing held; passes while halted."""
    ledger, symbol = position.ledger, position.symbol
    is_halted = desk.book.trading_state is TradingState.HALTED
    price = desk.book.price(symbol) or position.average_price
    signal = Signal(
        signal_id=f"{ledger}-{symbol}-c{command_id}",
        ledger=ledger,
        deployment_id=deployment_of(ledger),
        symbol=symbol,
        exposure=0.0,
        price=float(price),
        at=at,
        reasons=(reason,),
    )
    standing = desk.take_up(signal, ZERO, is_flatten=is_halted)
    pursue(desk, standing, at)
    return standing
