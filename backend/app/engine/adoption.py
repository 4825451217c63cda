"""What the broker has beside our orders: holdings and cash taken over, differences acted on."""

from decimal import Decimal
from typing import Final

from app.domain.deployments import EXTERNAL, TradingState
from app.domain.events import (
    CashMoved,
    CashSeen,
    HoldingSeen,
    PositionAdjusted,
    Reconciled,
    ReconciliationDifference,
    TradeClosed,
)
from app.domain.executions import Execution
from app.domain.market import stamp
from app.domain.portfolio import Ledger
from app.engine import controls
from app.engine.desk import Desk

ZERO: Final = Decimal(0)
ACTOR: Final = "reconciliation"


def on_holding(desk: Desk, event: HoldingSeen) -> None:
    """The rest of what the broker holds belongs to `external`. No cash moves with it."""
    book = desk.book
    delta = event.quantity - book.net.get(event.symbol, ZERO)
    if not delta:
        return
    price = _price(desk, event)
    identity = f"seen-{event.symbol}-{stamp(event.at)}"
    execution = Execution(
        execution_id=identity,
        broker=ACTOR,
        client_order_id=identity,
        ledger=EXTERNAL,
        symbol=event.symbol,
        side="buy" if delta > 0 else "sell",
        quantity=abs(delta),
        price=price,
        commission=ZERO,
        at=event.at,
    )
    if book.last(event.symbol) is None and price:
        book.value(event.symbol, price, event.at)
    before, equity = book.position(EXTERNAL, event.symbol), book.equity
    aside = Ledger(name=EXTERNAL, positions={event.symbol: before})
    position, trade = aside.apply(execution, multiplier=book.instrument(event.symbol).multiplier)
    book.hold(position)
    _shift(desk, book.equity - equity)
    desk.emit(
        PositionAdjusted(
            action_id=identity,
            position=position,
            before=before.quantity,
            reason=event.reason,
            ledger_cash=book.ledgers[EXTERNAL].cash,
            account_cash=book.cash,
            at=event.at,
        )
    )
    if trade is not None:
        desk.emit(TradeClosed(trade=trade))


def _price(desk: Desk, event: HoldingSeen) -> Decimal:
    """What the taken over shares count as bought (or sold) at."""
    mark = desk.book.price(event.symbol)
    is_all_theirs = not desk.book.net.get(event.symbol)
    if event.average_price is not None and (is_all_theirs or mark is None):
        return event.average_price
    return mark or ZERO


def _shift(desk: Desk, amount: Decimal) -> None:
    """What came or went by itself is neither gain nor loss: limits on losses begin there."""
    desk.book.day_start += amount
    desk.book.peak += amount


def on_cash(desk: Desk, event: CashSeen) -> None:
    """The account has what the broker counts; the rest went through `external`."""
    book = desk.book
    amount = event.cash - book.cash
    if not amount:
        return
    book.pay(EXTERNAL, amount)
    kind = "broker"
    if event.is_flow:
        kind = "deposit" if amount > 0 else "withdrawal"
        _shift(desk, amount)
    desk.emit(
        CashMoved(
            action_id=f"cash-{stamp(event.at)}",
            ledger=EXTERNAL,
            symbol="",
            kind=kind,
            amount=amount,
            currency=event.currency,
            reason=event.reason,
            ledger_cash=book.ledgers[EXTERNAL].cash,
            account_cash=book.cash,
            at=event.at,
        )
    )


def on_reconciled(desk: Desk, event: Reconciled) -> None:
    """Only reductions while anything is unexplained; each difference is told once."""
    known, desk.unexplained = desk.unexplained, {}
    for one in event.found:
        key, values = f"{one.kind}:{one.subject}", (one.ours, one.theirs)
        desk.unexplained[key] = values
        if known.get(key) != values:
            desk.emit(
                ReconciliationDifference(
                    kind=one.kind,
                    subject=one.subject,
                    ours=one.ours,
                    theirs=one.theirs,
                    detail=one.detail,
                    at=event.at,
                )
            )
    if event.differences:
        _hold(desk, event)
    elif event.may_resume and desk.is_held_for_books:
        controls.resume(desk, ACTOR, event.at)


def _hold(desk: Desk, event: Reconciled) -> None:
    was_active = desk.book.trading_state is TradingState.ACTIVE
    is_held = desk.is_held_for_books
    controls.restrict(desk, "; ".join(event.differences), ACTOR, event.at)
    desk.is_held_for_books = was_active or is_held
