"""A corporate action takes effect: positions, targets, orders and cash before the first slice.

Money does not change by a split, nor by a new name; a fraction of a share is paid in cash. What
cannot be followed for certain leaves everything as it is and the account in reduce-only.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.corporate_actions import (
    ActionKind,
    Change,
    cash_of,
    change_of,
    part_sold,
    ratio_of,
    scaled,
    sold_out,
    split_position,
)
from app.domain.deployments import TradingState
from app.domain.events import (
    CashMoved,
    CorporateActionDue,
    OrderAdjusted,
    PositionAdjusted,
    TargetSet,
    TradeClosed,
    TradingHalted,
)
from app.domain.instruments import Instrument, InstrumentKind
from app.domain.options import parse_occ
from app.domain.orders import Order, OrderTerms
from app.domain.portfolio import Position, Trade
from app.engine import controls
from app.engine.deployments import Deployments
from app.engine.desk import Desk
from app.engine.protection import protect
from app.engine.state import Standing

ZERO: Final = Decimal(0)


def take_effect(desk: Desk, deployments: Deployments, event: CorporateActionDue) -> None:
    """Once; what nobody here holds, orders or watches passes without a trace."""
    book = desk.book
    if event.action_id in book.actions:
        return
    book.actions[event.action_id] = None
    deployments.adjust(event)
    why = _why_not(desk, event)
    if why is not None:
        _leave_to_people(desk, f"{_title(event)}: {why}. Put it right by hand.", event.at)
        return
    _EFFECTS[ActionKind(event.kind)](desk, deployments, event)


def _why_not(desk: Desk, event: CorporateActionDue) -> str | None:
    """What cannot be followed for certain, in words; None when all of it can."""
    held = [p for p in desk.book.positions() if p.symbol == event.symbol]
    if _options_on(desk, event):
        return "options on it are held, whose contracts change in ways that are not known here"
    if not held and not desk.book.open:
        return None
    touched = held or any(o.symbol == event.symbol for o in desk.book.open.values())
    if event.is_late and touched:
        return "it became known only after it took effect"
    if not held:
        return None
    if event.amount is not None and event.currency != desk.book.instrument(event.symbol).currency:
        return f"it pays in {event.currency}, which the account does not hold"
    return _incomplete(desk, event)


def _incomplete(desk: Desk, event: CorporateActionDue) -> str | None:
    has_shares = event.ratio is not None and event.new_symbol is not None
    kind = event.kind
    if kind == ActionKind.SPLIT and event.ratio is None:
        return "it does not say how many new shares there are for one old"
    if kind == ActionKind.DIVIDEND and event.amount is None:
        return "it does not say how much is paid"
    if kind == ActionKind.SYMBOL_CHANGE and event.new_symbol is None:
        return "it does not say the new symbol"
    if kind in (ActionKind.MERGER, ActionKind.SPIN_OFF) and not has_shares and not event.amount:
        return "it says neither how many new shares nor how much cash there is for one old"
    moves = kind in (ActionKind.SYMBOL_CHANGE, ActionKind.MERGER) and event.new_symbol is not None
    if moves and _is_known(desk, str(event.new_symbol)):
        return f"{event.new_symbol} is held, ordered or wanted already"
    if kind == ActionKind.SPIN_OFF and has_shares and _is_known(desk, str(event.new_symbol)):
        return f"{event.new_symbol} is held, ordered or wanted already"
    return None


def _is_known(desk: Desk, symbol: str) -> bool:
    held = any(position.symbol == symbol for position in desk.book.positions())
    ordered = any(order.symbol == symbol for order in desk.book.open.values())
    wanted = any(key[1] == symbol and one.target.quantity for key, one in desk.standings.items())
    return held or ordered or wanted


def _options_on(desk: Desk, event: CorporateActionDue) -> bool:
    if event.kind == ActionKind.DIVIDEND:
        return False  # ordinary ones change no contract
    return any(
        desk.book.instrument(position.symbol).kind is InstrumentKind.OPTION
        and parse_occ(position.symbol).underlying == event.symbol
        for position in desk.book.positions()
    )


def _leave_to_people(desk: Desk, reason: str, at: datetime) -> None:
    """Reduce-only with a sentence; who trades no more already is told it all the same."""
    state, actor = desk.book.trading_state, "corporate action"
    if state is TradingState.ACTIVE:
        controls.restrict(desk, reason, actor, at)
    else:
        desk.emit(TradingHalted(state=state, reason=reason, actor=actor, at=at))


def _title(event: CorporateActionDue) -> str:
    return f"{event.kind.replace('_', ' ')} of {event.symbol} on {event.ex_date}"


# ------------------------------------------------------------------------------ the six kinds


def _split(desk: Desk, deployments: Deployments, event: CorporateActionDue) -> None:
    change = _change(event)
    _revalue(desk, event, change)
    reason = f"{_plain(event.ratio)} new shares for one old"
    _follow(desk, event, change, reason)


def _dividend(desk: Desk, deployments: Deployments, event: CorporateActionDue) -> None:
    amount = event.amount or ZERO
    for position in list(_held(desk, event.symbol)):
        text = f"{_plain(position.quantity)} {event.symbol} at {_plain(amount)} a share"
        _pay(desk, event, position.ledger, cash_of(position.quantity, amount), "dividend", text)


def _symbol_change(desk: Desk, deployments: Deployments, event: CorporateActionDue) -> None:
    reason = f"{event.symbol} is {event.new_symbol} from now on"
    _pause(deployments, event, f"{reason}: start it again on {event.new_symbol}")
    _rename(desk, event)
    _follow(desk, event, _change(event), reason)


def _merger(desk: Desk, deployments: Deployments, event: CorporateActionDue) -> None:
    if event.ratio is None or event.new_symbol is None:
        _close_out(desk, deployments, event, "cash for its shares")
        return
    reason = f"{_plain(event.ratio)} {event.new_symbol} for one {event.symbol}"
    _pause(deployments, event, f"{event.symbol} merged into {event.new_symbol}")
    if event.amount is not None:
        for position in list(_held(desk, event.symbol)):
            cash = cash_of(position.quantity, event.amount)
            _pay(desk, event, position.ledger, cash, "adjustment", f"cash besides {reason}")
    change = _change(event)
    _revalue(desk, event, change)
    _rename(desk, event)
    _follow(desk, event, change, reason)


def _spin_off(desk: Desk, deployments: Deployments, event: CorporateActionDue) -> None:
    """New shares cost nothing: what they are worth the old ones have lost."""
    for position in list(_held(desk, event.symbol)):
        if event.amount is not None:
            cash = cash_of(position.quantity, event.amount)
            _pay(desk, event, position.ledger, cash, "adjustment", f"spun off {event.symbol}")
        if event.ratio is not None and event.new_symbol is not None:
            _hand_out(desk, event, position, event.new_symbol)


def _delisting(desk: Desk, deployments: Deployments, event: CorporateActionDue) -> None:
    _close_out(desk, deployments, event, "delisted")


_Effect = Callable[[Desk, Deployments, CorporateActionDue], None]
_EFFECTS: Final[dict[ActionKind, _Effect]] = {
    ActionKind.SPLIT: _split,
    ActionKind.DIVIDEND: _dividend,
    ActionKind.SYMBOL_CHANGE: _symbol_change,
    ActionKind.MERGER: _merger,
    ActionKind.SPIN_OFF: _spin_off,
    ActionKind.DELISTING: _delisting,
}


# ------------------------------------------------------------------- positions, targets, orders


def _held(desk: Desk, symbol: str) -> Iterator[Position]:
    return (position for position in desk.book.positions() if position.symbol == symbol)


def _change(event: CorporateActionDue) -> Change:
    found = change_of(event.symbol, event.kind, event.ratio, event.new_symbol)
    return found or Change(event.symbol)


def _revalue(desk: Desk, event: CorporateActionDue, change: Change) -> None:
    """The last price in new shares, on no grid: what is held is worth what it was."""
    mark = desk.book.last(event.symbol)
    if mark is not None:
        ratio = change.ratio
        desk.book.value(event.symbol, mark.price * ratio.denominator / ratio.numerator, mark.at)


def _rename(desk: Desk, event: CorporateActionDue) -> None:
    mark, symbol = desk.book.last(event.symbol), str(event.new_symbol)
    if mark is not None and desk.book.last(symbol) is None:
        desk.book.value(symbol, mark.price, mark.at)


def _follow(desk: Desk, event: CorporateActionDue, change: Change, reason: str) -> None:
    """Positions, targets and what rests, in new shares under the symbol that they have now."""
    ledgers = {position.ledger for position in _held(desk, event.symbol)}
    for position in list(_held(desk, event.symbol)):
        _convert(desk, event, position, change, reason)
    for key, standing in list(desk.standings.items()):
        if key[1] == event.symbol and _is_wanted(standing):
            ledgers.add(key[0])
            _retarget(desk, event, standing, change)
            if change.symbol != event.symbol:
                desk.standings[key[0], change.symbol] = standing
                del desk.standings[key]
    for order in list(desk.book.open.values()):
        if order.symbol == event.symbol:
            _adjust_order(desk, event, order, change)
    for ledger in sorted(ledgers):
        protect(desk, ledger, change.symbol, event.at)


def _convert(
    desk: Desk, event: CorporateActionDue, held: Position, change: Change, reason: str
) -> None:
    """A position in new shares; less than a lot of them is paid in cash at the last price."""
    book, moved = desk.book, held.symbol != change.symbol
    new = msgspec.structs.replace(split_position(held, change.ratio), symbol=change.symbol)
    if moved:
        book.hold(Position(ledger=held.ledger, symbol=held.symbol))
        _tell(desk, event, held, held.quantity, reason)
    trade: Trade | None = None
    fraction = new.quantity - book.instrument(change.symbol).quantity(new.quantity)
    if fraction:
        cash = cash_of(fraction, _price(desk, new))
        if fraction == new.quantity:
            new, trade = sold_out(new, cash, event.action_id, event.at)
        else:
            new = part_sold(new, fraction, cash)
    book.hold(new)
    _tell(desk, event, new, ZERO if moved else held.quantity, reason)
    if fraction:
        text = f"cash for {_plain(fraction)} of a share of {change.symbol}"
        _pay(desk, event, held.ledger, cash, "adjustment", text)
    if trade is not None:
        desk.emit(TradeClosed(trade=trade))


def _price(desk: Desk, held: Position) -> Decimal:
    mark = desk.book.last(held.symbol)
    return mark.price if mark is not None else held.average_price


def _retarget(desk: Desk, event: CorporateActionDue, standing: Standing, change: Change) -> None:
    """What is wanted, in new shares; where exactly that was held, exactly what there is now."""
    target, book = standing.target, desk.book
    instrument = book.instrument(change.symbol)
    standing.full *= float(change.ratio)
    if change.symbol != target.symbol:
        old = msgspec.structs.replace(target, exposure=0.0, quantity=ZERO, is_met=True)
        desk.emit(TargetSet(target=old, at=event.at))
    standing.target = msgspec.structs.replace(
        target,
        symbol=change.symbol,
        quantity=instrument.quantity(scaled(target.quantity, change.ratio)),
        stop_loss=change.price(target.stop_loss, instrument),
        stop_trail=change.distance(target.stop_trail, instrument),
        take_profit=change.price(target.take_profit, instrument),
        terms=_terms(target.terms, change, instrument),
        oco=_terms(target.oco, change, instrument),
    )
    desk.emit(TargetSet(target=standing.target, at=event.at))


def _is_wanted(standing: Standing) -> bool:
    return bool(standing.target.quantity or standing.target.exposure or standing.is_live)


def _terms(terms: OrderTerms | None, change: Change, grid: Instrument) -> OrderTerms | None:
    if terms is None:
        return None
    return msgspec.structs.replace(
        terms,
        limit_price=change.price(terms.limit_price, grid),
        stop_price=change.price(terms.stop_price, grid),
        trail=change.distance(terms.trail, grid),
    )


def _adjust_order(desk: Desk, event: CorporateActionDue, order: Order, change: Change) -> None:
    instrument = desk.book.instrument(change.symbol)
    new = change.order(order, instrument)
    if new is None:
        desk.cancel(order, f"less than a lot is left after the {event.kind}", event.at)
        return
    desk.book.replace(order, new)
    desk.emit(
        OrderAdjusted(
            action_id=event.action_id,
            client_order_id=new.client_order_id,
            symbol=new.symbol,
            quantity=new.quantity,
            limit_price=new.limit_price,
            stop_price=new.stop_price,
            trail=new.trail,
            at=event.at,
        )
    )


def _hand_out(desk: Desk, event: CorporateActionDue, held: Position, symbol: str) -> None:
    """Shares of a company that was spun off; what is less than a lot lapses."""
    change = Change(symbol, ratio_of(event.ratio or ZERO))
    quantity = desk.book.instrument(symbol).quantity(scaled(held.quantity, change.ratio))
    if not quantity:
        return
    new = Position(
        ledger=held.ledger,
        symbol=symbol,
        quantity=quantity,
        opened_at=event.at,
        entry_quantity=abs(quantity),
        entered=quantity,
    )
    desk.book.hold(new)
    _tell(desk, event, new, ZERO, f"spun off {event.symbol}")


def _close_out(desk: Desk, deployments: Deployments, event: CorporateActionDue, why: str) -> None:
    """Out of every position at the price that is paid, else the last one; nobody trades it on."""
    _pause(deployments, event, f"{event.symbol}: {why}")
    for order in list(desk.book.open.values()):
        if order.symbol == event.symbol:
            desk.cancel(order, why, event.at)
    for standing in desk.standings.values():
        if standing.target.symbol == event.symbol:
            desk.expire(standing, event.at)
            desk.retarget(standing, ZERO, event.at)
            standing.is_live = False
    for held in list(_held(desk, event.symbol)):
        price = _price(desk, held) if event.amount is None else event.amount
        cash = cash_of(held.quantity, price)
        flat, trade = sold_out(held, cash, event.action_id, event.at)
        desk.book.hold(flat)
        text = f"{_plain(held.quantity)} {event.symbol} at {_plain(price)}: {why}"
        _tell(desk, event, flat, held.quantity, text)
        _pay(desk, event, held.ledger, cash, "adjustment", text)
        desk.emit(TradeClosed(trade=trade))


# ------------------------------------------------------------------------------------ telling


def _tell(
    desk: Desk, event: CorporateActionDue, position: Position, before: Decimal, reason: str
) -> None:
    """`position` as the book has it now."""
    book = desk.book
    desk.emit(
        PositionAdjusted(
            action_id=event.action_id,
            position=book.position(position.ledger, position.symbol),
            before=before,
            reason=reason,
            ledger_cash=book.ledger(position.ledger).cash,
            account_cash=book.cash,
            at=event.at,
        )
    )


def _pay(
    desk: Desk, event: CorporateActionDue, ledger: str, cash: Decimal, kind: str, reason: str
) -> None:
    if not cash:
        return
    book = desk.book
    book.pay(ledger, cash)
    desk.emit(
        CashMoved(
            action_id=event.action_id,
            ledger=ledger,
            symbol=event.symbol,
            kind=kind,
            amount=cash,
            currency=book.instrument(event.symbol).currency,
            reason=reason,
            ledger_cash=book.ledger(ledger).cash,
            account_cash=book.cash,
            at=event.at,
        )
    )


def _pause(deployments: Deployments, event: CorporateActionDue, reason: str) -> None:
    for runtime in deployments.running:
        if event.symbol in runtime.deployment.symbols:
            deployments.pause(runtime.deployment.deployment_id, reason, event.at)


def _plain(value: Decimal | None) -> str:
    """A number without zeros that say nothing."""
    return "" if value is None else f"{value.normalize():f}"
