"""Fills that the broker takes back or corrects: positions, cash, trades, orders and protection."""

from datetime import datetime

from app.domain.events import (
    ExecutionBusted,
    ExecutionCorrected,
    OrderFilled,
    PositionChanged,
    Severity,
    TradeClosed,
    TradeVoided,
)
from app.domain.executions import Execution
from app.domain.fills import BookedFill
from app.engine import reports
from app.engine.desk import Desk


def on_busted(desk: Desk, event: ExecutionBusted) -> None:
    """The fill never was; one that is told only after its bust is not booked at all."""
    if event.execution_id in desk.voided:
        return
    fill = _void(desk, event.client_order_id, event.execution_id, event.reason, event.at)
    if fill is not None:
        _rebook(desk, fill, None, event.reason, event.at)


def on_corrected(desk: Desk, event: ExecutionCorrected) -> None:
    """Another fill stands in its place; it may have been told as a fill of its own already."""
    if event.corrects in desk.voided:
        return
    given, was_heard = event.execution, reports.is_known(desk, event.execution, event.corrects)
    fill = _void(desk, given.client_order_id, event.corrects, event.reason, event.at)
    if fill is not None:
        is_new = reports.is_new(desk, given.client_order_id, given.execution_id)
        _rebook(desk, fill, given if is_new else None, event.reason, event.at)
    elif not was_heard:
        reports.on_filled(desk, OrderFilled(execution=given))


def _void(
    desk: Desk, client_order_id: str, execution_id: str, reason: str, at: datetime
) -> BookedFill | None:
    """The fill never counts again. None when there is nothing of it to undo, or no way to."""
    fill = desk.fills.find(execution_id)
    was_heard = not reports.is_new(desk, client_order_id, execution_id)
    desk.voided[execution_id] = None
    record = desk.book.records.get(client_order_id)
    if fill is None and was_heard and record is not None:
        # The position is held against the broker's within a minute, and the rest is for a person.
        message = f"Fill {execution_id} is too old to be taken back here: {reason}"
        reports.note(desk, record.order, "late_bust", Severity.CRITICAL, message, at)
    return fill


def _rebook(
    desk: Desk, fill: BookedFill, instead: Execution | None, reason: str, at: datetime
) -> None:
    book, before = desk.book, fill.execution
    ledger, symbol = fill.before.ledger, fill.before.symbol
    multiplier = book.instrument(symbol).multiplier
    done = desk.fills.rebook(fill, instead, book.position(ledger, symbol), multiplier)
    book.hold(done.position)
    book.pay(ledger, done.cash)
    for trade in done.voided:
        voided = TradeVoided(
            trade_id=trade.trade_id, ledger=ledger, symbol=symbol, reason=reason, at=at
        )
        desk.emit(voided)
    desk.emit(
        PositionChanged(
            position=done.position,
            ledger_cash=book.ledgers[ledger].cash,
            account_cash=book.cash,
            at=at,
        )
    )
    for trade in done.closed:
        desk.emit(TradeClosed(trade=trade))
    record = book.records.get(before.client_order_id)
    if record is None:
        return
    if fill.leg is None and instead is None:
        order = record.order.with_rest(before.quantity)
    else:
        left = desk.fills.of_order(before.client_order_id)
        order = record.order.corrected(before, instead, left)
    book.put(order)
    what = "taken back" if instead is None else "corrected"
    message = f"A fill of {before.quantity} {symbol} at {before.price} was {what}: {reason}"
    reports.note(desk, order, "fill_undone", Severity.CRITICAL, message, at)
    reports.look_again(desk, order, at)
