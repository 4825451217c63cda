"""Signals, their first outcomes, and standing targets as folds of the stream."""

from typing import Any

import msgspec

from app.domain.events import SignalExpired, SignalRaised, SignalSatisfied, TargetSet
from app.domain.orders import OrderTerms
from app.repositories.chain import Record
from app.repositories.folds.book import Book, money
from app.repositories.folds.rows import Row
from app.repositories.folds.tables import SIGNALS, TARGETS


def raised(book: Book, record: Record, event: SignalRaised) -> None:
    """A new signal, without an outcome yet."""
    signal = event.signal
    ids = book.instrument(signal.symbol)
    if ids is None:
        return
    book.rows.add(
        SIGNALS,
        {
            "account_id": book.account_id,
            "signal_id": signal.signal_id,
            "ledger": signal.ledger,
            "instrument_id": ids.instrument_id,
            "signal_type": signal.signal_type,
            "exposure": signal.exposure,
            "quantity": signal.quantity,
            "price": signal.price,
            "at": signal.at,
            "valid_until": signal.valid_until,
            "stop_loss": money(signal.stop_loss),
            "stop_trail": money(signal.stop_trail),
            "take_profit": money(signal.take_profit),
            "terms": _terms(signal.terms),
            "reasons": list(signal.reasons),
            "indicator_values": signal.indicator_values,
            "executed": False,
            "outcome": None,
        },
    )


def satisfied(book: Book, record: Record, event: SignalSatisfied) -> None:
    settled(book, event.signal_id, "satisfied")


def expired(book: Book, record: Record, event: SignalExpired) -> None:
    settled(book, event.signal_id, "expired")


def settled(book: Book, signal_id: str, outcome: str) -> None:
    """The first outcome of a signal; a later one changes nothing."""
    row = _find(book, signal_id)
    if row is not None and row["outcome"] is None:
        book.rows.change(SIGNALS, row, outcome=outcome)


def executed(book: Book, signal_id: str) -> None:
    """One of the signal's orders was filled, at least in part."""
    row = _find(book, signal_id)
    if row is not None and not row["executed"]:
        book.rows.change(SIGNALS, row, executed=True)


def _find(book: Book, signal_id: str) -> Row | None:
    return book.rows.find(SIGNALS, book.account_id, signal_id)


def targeted(book: Book, record: Record, event: TargetSet) -> None:
    """The standing target of one (ledger, symbol) is replaced."""
    target = event.target
    ids = book.instrument(target.symbol)
    if ids is None:
        return
    columns = {
        "signal_id": target.signal_id,
        "exposure": target.exposure,
        "quantity": target.quantity,
        "attempt": target.attempt,
        "valid_until": target.valid_until,
        "stop_loss": money(target.stop_loss),
        "stop_trail": money(target.stop_trail),
        "take_profit": money(target.take_profit),
        "terms": _terms(target.terms),
        "is_met": target.is_met,
    }
    row = book.rows.find(TARGETS, book.account_id, target.ledger, ids.instrument_id)
    if row is not None:
        book.rows.change(TARGETS, row, **columns)
        return
    key = {
        "account_id": book.account_id,
        "ledger": target.ledger,
        "instrument_id": ids.instrument_id,
    }
    book.rows.add(TARGETS, key | columns)


def _terms(terms: OrderTerms | None) -> dict[str, Any] | None:
    return None if terms is None else msgspec.to_builtins(terms)
