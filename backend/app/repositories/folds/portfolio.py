"""Cash, positions, ledgers and trades as folds of the stream."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.domain.events import CashMoved, PositionAdjusted, PositionChanged, TradeClosed, TradeVoided
from app.domain.portfolio import Position, Trade
from app.repositories.chain import Record
from app.repositories.folds.book import Book, money
from app.repositories.folds.rows import Row
from app.repositories.folds.tables import (
    ACCOUNTS,
    CASH_MOVEMENTS,
    LEDGERS,
    POSITIONS,
    SIGNALS,
    TRADES,
)

_EXCHANGE_TIME: Final = ZoneInfo("America/New_York")
_ZERO: Final = Decimal(0)


def clock(book: Book, at: datetime) -> None:
    """The account's clock never goes back."""
    row = book.rows.find(ACCOUNTS, book.account_id)
    if row is not None and (row["clock_at"] is None or row["clock_at"] < at):
        book.rows.change(ACCOUNTS, row, clock_at=at)


def changed(book: Book, record: Record, event: PositionChanged | PositionAdjusted) -> None:
    """A position as it is now, and the cash of its ledger and of the account."""
    position = event.position
    account = book.rows.find(ACCOUNTS, book.account_id)
    if account is not None:
        book.rows.change(ACCOUNTS, account, cash=money(event.account_cash))
    ids = book.instrument(position.symbol)
    if ids is None:
        return
    row = book.rows.find(POSITIONS, book.account_id, position.ledger, ids.instrument_id)
    before = _totals(row)
    if row is None:
        key = {
            "account_id": book.account_id,
            "ledger": position.ledger,
            "instrument_id": ids.instrument_id,
            "stock_id": ids.stock_id,
        }
        row = book.rows.add(POSITIONS, key | _columns(position))
    else:
        book.rows.change(POSITIONS, row, **_columns(position))
    _ledger(book, event, before, _totals(row))


def _columns(position: Position) -> Row:
    return {
        "quantity": position.quantity,
        "average_price": money(position.average_price),
        "entry_quantity": position.entry_quantity,
        "realized_pnl": money(position.realized_pnl),
        "commission": money(position.commission),
        "opened_at": position.opened_at,
        "signal_id": position.signal_id,
    }


def _totals(row: Row | None) -> tuple[Decimal, Decimal]:
    return (row["realized_pnl"], row["commission"]) if row else (_ZERO, _ZERO)


def _ledger(
    book: Book,
    event: PositionChanged | PositionAdjusted,
    before: tuple[Decimal, Decimal],
    after: tuple[Decimal, Decimal],
) -> None:
    row = _ledger_row(book, event.position.ledger)
    book.rows.change(
        LEDGERS,
        row,
        cash=money(event.ledger_cash),
        realized_pnl=row["realized_pnl"] + after[0] - before[0],
        commission=row["commission"] + after[1] - before[1],
    )


def _ledger_row(book: Book, ledger: str) -> Row:
    """The ledger's row, made when it has none."""
    key = {"account_id": book.account_id, "ledger": ledger}
    row = book.rows.find(LEDGERS, *key.values())
    return row or book.rows.add(LEDGERS, key | {"realized_pnl": _ZERO, "commission": _ZERO})


def cash_moved(book: Book, record: Record, event: CashMoved) -> None:
    """Cash that came or went other than by a fill, and what there is now."""
    account = book.rows.find(ACCOUNTS, book.account_id)
    if account is not None:
        book.rows.change(ACCOUNTS, account, cash=money(event.account_cash))
    book.rows.change(LEDGERS, _ledger_row(book, event.ledger), cash=money(event.ledger_cash))
    book.rows.add(
        CASH_MOVEMENTS,
        {
            "account_id": book.account_id,
            "seq": record.seq,
            "ledger": event.ledger,
            "kind": event.kind,
            "amount": money(event.amount),
            "currency": event.currency,
            "reason": event.reason,
            "at": event.at,
        },
    )


def closed(book: Book, record: Record, event: TradeClosed) -> None:
    """A finished round trip, with what was known when it was entered and left."""
    trade = event.trade
    ids = book.instrument(trade.symbol)
    if ids is None:
        return
    entry = book.rows.find(SIGNALS, book.account_id, trade.entry_signal_id)
    leave = book.rows.find(SIGNALS, book.account_id, trade.exit_signal_id)
    book.rows.add(
        TRADES,
        {
            "account_id": book.account_id,
            "trade_id": trade.trade_id,
            "ledger": trade.ledger,
            "strategy_id": book.strategies.get(deployment_of(trade.ledger) or 0),
            "instrument_id": ids.instrument_id,
            "stock_id": ids.stock_id,
            "trade_date": trade.exit_at.astimezone(_EXCHANGE_TIME).date(),
            "quantity": trade.quantity,
            "entry_price": money(trade.entry_price),
            "exit_price": money(trade.exit_price),
            "entry_at": trade.entry_at,
            "exit_at": trade.exit_at,
            "commission": money(trade.commission),
            "pnl": money(trade.pnl),
            "stop_loss": entry and entry["stop_loss"],
            "take_profit": entry and entry["take_profit"],
            "entry_signal_id": trade.entry_signal_id,
            "exit_signal_id": trade.exit_signal_id,
            "exit_leg": trade.exit_leg,
            "market_context": _context(trade, entry, leave),
        },
    )


def voided(book: Book, record: Record, event: TradeVoided) -> None:
    """A round trip that never was: a fill of it was taken back or corrected."""
    book.rows.remove(TRADES, {"account_id": book.account_id, "trade_id": event.trade_id})


def _context(trade: Trade, entry: Row | None, leave: Row | None) -> dict[str, Any]:
    """Only what the stream holds, so that the same stream always gives the same row."""
    held = trade.exit_at - trade.entry_at
    return {
        "holding_seconds": held.total_seconds(),
        "entry": _opinion(entry),
        "exit": _opinion(leave),
    }


def _opinion(signal: Row | None) -> dict[str, Any] | None:
    if signal is None:
        return None
    wanted = ("at", "signal_type", "exposure", "price", "reasons", "indicator_values")
    return {column: signal[column] for column in wanted}


def deployment_of(ledger: str) -> int | None:
    """The deployment that owns a ledger: `d7` -> 7; None for `manual` and `external`."""
    return int(ledger[1:]) if ledger[1:].isdigit() else None
