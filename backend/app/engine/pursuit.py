"""From standing targets to orders: the difference between what is wanted and what there is.

Reductions first, additions after. What works against the target is cancelled before anything is
sent the other way, and so are the protective legs of shares that an exit needs; the difference is
taken once the broker has confirmed. Exits are retried for ever, additions until `valid_until`.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.denials import Denial
from app.domain.events import OrderApproved, OrderDenied, SignalSatisfied, TargetSet
from app.domain.orders import (
    STOPS,
    Leg,
    Order,
    OrderChange,
    OrderStatus,
    OrderTerms,
    OrderType,
    PendingChange,
    Side,
)
from app.domain.signals import Target
from app.engine.desk import APART, Desk, on_their_way
from app.engine.state import Standing
from app.risk.engine import denial_of
from app.risk.rules import Finding, Intent

ZERO: Final = Decimal(0)
MARKET: Final = OrderTerms()


def pursue(desk: Desk, standing: Standing, at: datetime) -> None:
    """Both passes for one target."""
    reduce(desk, standing, at)
    extend(desk, standing, at)


def reduce(desk: Desk, standing: Standing, at: datetime) -> None:
    """First pass: free the way, then ask for what brings the position toward zero."""
    if not standing.is_live:
        return
    projected = desk.projected(standing)
    delta = standing.target.quantity - projected
    standing.waits, is_blocked = _must_wait(desk, standing, delta, at)
    if is_blocked or projected * delta >= 0:
        return
    sure = projected - _unsure(desk, standing)
    quantity = _reducible(standing.target.quantity, projected, sure)
    if not quantity:
        return
    leg = Leg.FLATTEN if standing.is_flatten else Leg.EXIT
    intent = _intent(desk, standing, delta, quantity, leg, at)
    if desk.risk.permits(intent, desk.book):
        is_blocked = _free_legs(desk, standing, abs(sure) - quantity, at)
        standing.waits = standing.waits or is_blocked
    if not is_blocked:
        _ask(desk, standing, intent)


def _unsure(desk: Desk, standing: Standing) -> Decimal:
    """Signed shares of orders that nobody knows the fate of: filled, resting, or never there."""
    entries = desk.entries(standing)
    return sum((o.signed_remaining for o in entries if o.status is OrderStatus.UNKNOWN), ZERO)


def _reducible(wanted: Decimal, projected: Decimal, sure: Decimal) -> Decimal:
    """How much may go so that it is a reduction toward the target, whether or not what is unknown
    filled: `projected` has it as filled, `sure` as never there."""
    delta = wanted - projected
    if sure * delta >= 0 or (wanted - sure) * delta <= 0:
        return ZERO
    return min(abs(delta), abs(projected), abs(wanted - sure), abs(sure))


def extend(desk: Desk, standing: Standing, at: datetime) -> None:
    """Second pass: what moves the position away from zero, or the end of the pursuit."""
    if not standing.is_live or standing.waits:
        return
    projected = desk.projected(standing)
    delta = standing.target.quantity - projected
    if not delta:
        _settle(desk, standing, at)
    elif projected * delta >= 0:
        _ask(desk, standing, _intent(desk, standing, delta, abs(delta), Leg.ENTRY, at))
    if standing.is_once:
        standing.is_live = False


def lapse_when_due(desk: Desk, standing: Standing, at: datetime) -> None:
    """An addition that was not made before `valid_until` is given up; exits never are."""
    due = standing.target.valid_until
    if standing.is_live and due is not None and at > due:
        lapse(desk, standing, at)


def give_up(desk: Desk, standing: Standing, reason: str, at: datetime) -> None:
    """Nobody wants the addition any more: cancel it, and do not count on it."""
    going = ZERO
    for order in desk.entries(standing):
        if order.leg is Leg.ENTRY:
            desk.cancel(order, reason, at)
            going += order.signed_remaining
    if standing.is_live:
        lapse(desk, standing, at, going)


def lapse(desk: Desk, standing: Standing, at: datetime, going: Decimal = ZERO) -> None:
    """Give up what adds: the target becomes what is held and on its way, or zero.

    `going` is the part on its way that was cancelled for good: it would be asked for again.
    """
    projected, wanted = desk.projected(standing) - going, standing.target.quantity
    same_side = projected * wanted >= 0
    if wanted == projected or (same_side and projected * (wanted - projected) < 0):
        return  # met, or only a reduction is left, and that stands
    desk.expire(standing, at)
    desk.retarget(standing, projected if same_side else ZERO, at)


def settle(desk: Desk, standing: Standing, at: datetime) -> None:
    """After a fill: note when the target is met."""
    if standing.is_live and standing.target.quantity == desk.projected(standing):
        _settle(desk, standing, at)


def _must_wait(desk: Desk, standing: Standing, delta: Decimal, at: datetime) -> tuple[bool, bool]:
    """Cancel what works against the target. Whether anything is in the way, and whether that
    blocks a way out too: an order whose fate is unknown may never be confirmed."""
    target, waits, is_blocked = standing.target, False, False
    if (target.ledger, target.symbol) not in desk.book.by_key:
        return waits, is_blocked
    for order in desk.entries(standing):
        is_against = bool(delta) and (order.side is Side.BUY) != (delta > 0)
        if is_against:
            desk.cancel(order, "target changed", at)
        if is_against or order.pending is PendingChange.CANCEL:
            waits = True
            is_blocked = is_blocked or order.status is not OrderStatus.UNKNOWN
    # A stop that has begun to fill is at the market already: it finishes the exit itself.
    is_stopping = any(
        order.leg is Leg.STOP_LOSS and order.status is OrderStatus.PARTIALLY_FILLED
        for order in desk.legs(target.ledger, target.symbol)
    )
    return waits or is_stopping, is_blocked or is_stopping


def _free_legs(desk: Desk, standing: Standing, room: Decimal, at: datetime) -> bool:
    """Cancel legs that cover more than `room` shares; True while too many are covered."""
    if desk.abilities.links_orders:
        return False  # the exit works beside them: of the group only one may fill at a time
    if _rests(standing.target):
        return False  # an exit that may never fill must not cost the protection
    legs = desk.legs(standing.target.ledger, standing.target.symbol)
    waits = False
    if not legs:
        return waits
    for kind in (Leg.STOP_LOSS, Leg.TAKE_PROFIT):
        waits |= shrink(desk, [leg for leg in legs if leg.leg is kind], room, "exit", at)
    return waits


def shrink(desk: Desk, legs: list[Order], room: Decimal, reason: str, at: datetime) -> bool:
    """Make the newest of `legs` less until all cover at most `room`; True if any had to."""
    covered = sum((leg.remaining_quantity for leg in legs), ZERO)
    had_to = covered > room
    for leg in reversed(legs):
        if covered <= room:
            break
        left = max(leg.remaining_quantity - (covered - room), ZERO)
        covered -= leg.remaining_quantity - left
        resize(desk, leg, left, reason, at)
    return had_to


def resize(desk: Desk, order: Order, left: Decimal, reason: str, at: datetime) -> None:
    """Let an open order fill at most `left` more: changed where the broker can, else canceled."""
    if not left or not desk.can_change(order):
        desk.cancel(order, reason, at)
        return
    changed = msgspec.structs.replace(order.change, quantity=order.filled_quantity + left)
    desk.replace(order, changed, reason, at)


def change_intent(desk: Desk, order: Order, change: OrderChange, at: datetime) -> Intent:
    """What an order would add if it became `change`."""
    return Intent(
        ledger=order.ledger,
        signal_id=order.signal_id,
        symbol=order.symbol,
        side=order.side,
        quantity=max(change.quantity - order.quantity, ZERO),
        leg=order.leg,
        adds=order.leg is Leg.ENTRY,
        at=at,
        instrument=desk.book.instrument(order.symbol),
        price=desk.book.price(order.symbol),
        terms=OrderTerms(
            type=order.type,
            limit_price=change.limit_price,
            stop_price=change.stop_price,
            trail=change.trail,
            time_in_force=order.time_in_force,
        ),
        attempt=order.attempt,
        group_id=order.group_id,
    )


def _intent(
    desk: Desk, standing: Standing, delta: Decimal, quantity: Decimal, leg: Leg, at: datetime
) -> Intent:
    target = standing.target
    return Intent(
        ledger=target.ledger,
        signal_id=target.signal_id,
        symbol=target.symbol,
        side=Side.BUY if delta > 0 else Side.SELL,
        quantity=quantity,
        leg=leg,
        adds=leg is Leg.ENTRY,
        at=at,
        instrument=desk.book.instrument(target.symbol),
        price=desk.book.price(target.symbol),
        terms=target.terms or MARKET,
        attempt=standing.attempt + 1,
        group_id=_group(desk, target, leg, quantity, at),
    )


def _group(desk: Desk, target: Target, leg: Leg, quantity: Decimal, at: datetime) -> str | None:
    """A way out beside the protection is one of its group: of these one may fill at a time.

    One of a part of the position has a group of its own, with as many shares of the protection:
    brokers end the others of a group when one is filled, however many shares they are for.
    """
    ledger, symbol = target.ledger, target.symbol
    if leg is Leg.ENTRY:
        return None if target.oco is None else target.signal_id
    if not _rests(target):
        is_beside = desk.abilities.links_orders and bool(desk.legs(ledger, symbol))
        return desk.group(ledger, symbol, at) if is_beside else None
    whole = desk.group(ledger, symbol, at)
    if not desk.abilities.links_orders or quantity == _alone(desk, target, whole):
        return whole
    return f"{whole}{APART}{target.signal_id}"


def _alone(desk: Desk, target: Target, whole: str) -> Decimal | None:
    """Shares that no resting way out is for; None where one is in the position's own group."""
    ledger, symbol = target.ledger, target.symbol
    exits = [o for o in desk.book.working(ledger, symbol) if o.leg is Leg.EXIT]
    if any(one.group_id == whole and one.signal_id != target.signal_id for one in exits):
        return None
    apart = [one for one in exits if one.group_id is not None and APART in one.group_id]
    return abs(desk.book.held(ledger, symbol)) - abs(on_their_way(apart))


def _rests(target: Target) -> bool:
    """Whether its orders wait for a price, and may never fill."""
    return target.terms is not None and target.terms.type is not OrderType.MARKET


def _ask(desk: Desk, standing: Standing, intent: Intent) -> None:
    """Let the risk engine answer, and tell the answer unless it was told before."""
    answer = desk.risk.review(intent, desk.book)
    other: OrderApproved | OrderDenied | None = None
    if isinstance(answer, OrderApproved) and standing.target.oco is not None:
        other = _other_of_pair(desk, standing.target.oco, intent, answer)
        if isinstance(other, OrderDenied):
            answer = other
    if isinstance(answer, OrderApproved):
        standing.denied, standing.outcome_due = None, False
        for made in (answer, other):
            if isinstance(made, OrderApproved):
                standing.attempt = made.order.attempt
                desk.place(made, is_held=_is_held(desk, standing, made.order))
        if answer.limited_by and intent.adds:
            desk.retarget(standing, desk.projected(standing), intent.at)
    elif standing.denied != answer.code:
        _deny(desk, standing, answer)


def _other_of_pair(
    desk: Desk, terms: OrderTerms, intent: Intent, first: OrderApproved
) -> OrderApproved | OrderDenied:
    """The second order of an OCO pair, of the same quantity; where it may not be, neither is."""
    quantity = first.order.quantity
    second = msgspec.structs.replace(
        intent, terms=terms, quantity=quantity, attempt=intent.attempt + 1
    )
    answer = desk.risk.review(second, desk.book)
    if isinstance(answer, OrderApproved) and answer.order.quantity < quantity:
        desk.book.dismiss(answer.order)
        cut = next(check for check in answer.checks if not check.passed)
        finding = Finding(Denial(cut.rule), cut.value, cut.limit, ZERO)
        answer = denial_of(second, finding, answer.checks)
    if isinstance(answer, OrderDenied):
        desk.book.dismiss(first.order)
    return answer


def _is_held(desk: Desk, standing: Standing, order: Order) -> bool:
    """Where a broker links no orders, one way out rests there: the stop. The others wait here."""
    if desk.abilities.links_orders or order.leg is Leg.ENTRY or not _rests(standing.target):
        return False
    is_stop = order.type in STOPS
    beside = standing.target.oco is not None or desk.legs(order.ledger, order.symbol)
    return bool(beside) and not (is_stop and standing.target.oco is not None)


def _deny(desk: Desk, standing: Standing, denial: OrderDenied) -> None:
    standing.attempt, standing.denied = denial.attempt, denial.code
    standing.outcome_due = False
    desk.emit(denial)


def _settle(desk: Desk, standing: Standing, at: datetime) -> None:
    """What is wanted is held or on its way."""
    target = standing.target
    if standing.outcome_due and target.exposure and not target.quantity:
        intent = _intent(desk, standing, Decimal(repr(target.exposure)), ZERO, Leg.ENTRY, at)
        _deny(desk, standing, denial_of(intent, Finding(Denial.BELOW_LOT), ()))
    elif standing.outcome_due:
        standing.outcome_due = False
        desk.emit(SignalSatisfied(signal_id=target.signal_id, at=at))
    if not desk.entries(standing):
        standing.is_live = False
        if not target.is_met:
            standing.target = msgspec.structs.replace(target, is_met=True, attempt=standing.attempt)
            desk.emit(TargetSet(target=standing.target, at=at))
