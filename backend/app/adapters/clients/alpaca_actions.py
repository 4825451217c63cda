"""Alpaca's corporate actions as ours. What moves neither shares nor cash is left out."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from app.marketdata.ports import Action

LONGEST_WAIT_DAYS: Final = 190
"A dividend is listed under the day it is paid, up to half a year after its ex-date."
EARLIEST_DAYS: Final = 10
"A split may be processed some days before its ex-date."
_ONE: Final = Decimal(1)


class ActionRow(msgspec.Struct):
    """Every field that one of Alpaca's kinds of action has and that we use."""

    process_date: date
    ex_date: date | None = None
    effective_date: date | None = None
    payable_date: date | None = None
    currency: str | None = None
    symbol: str = ""
    old_symbol: str = ""
    new_symbol: str = ""
    source_symbol: str = ""
    acquirer_symbol: str | None = None
    acquiree_symbol: str = ""
    alternate_symbol: str = ""
    rate: Decimal | None = None
    cash_rate: Decimal | None = None
    new_rate: Decimal = _ONE
    old_rate: Decimal = _ONE
    source_rate: Decimal = _ONE
    alternate_rate: Decimal = _ONE
    acquirer_rate: Decimal = _ONE
    acquiree_rate: Decimal = _ONE

    @property
    def day(self) -> date:
        """The session before whose first slice it takes effect."""
        return self.ex_date or self.effective_date or self.process_date


class ActionsPage(msgspec.Struct):
    """Rows by kind: `forward_splits`, `cash_dividends` …"""

    corporate_actions: dict[str, list[ActionRow]]
    next_page_token: str | None = None


def actions(kinds: Mapping[str, Iterable[ActionRow]]) -> list[Action]:
    """Ours, oldest first; kinds that we have no word for are left out."""
    made = [
        action for kind, rows in kinds.items() if kind in KINDS for row in rows
        for action in KINDS[kind](row)
    ]  # fmt: skip
    return sorted(made, key=lambda action: (action.ex_date, action.kind))


def _split(row: ActionRow) -> list[Action]:
    ratio = row.new_rate / row.old_rate
    return [Action(symbol=row.symbol, kind="split", ex_date=row.day, ratio=ratio)]


def _stock_dividend(row: ActionRow) -> list[Action]:
    """More shares for the same money: a split by another name."""
    ratio = _ONE + (row.rate or 0)
    return [Action(symbol=row.symbol, kind="split", ex_date=row.day, ratio=ratio)]


def _dividend(row: ActionRow) -> list[Action]:
    return [
        Action(
            symbol=row.symbol,
            kind="dividend",
            ex_date=row.day,
            amount=row.rate,
            currency=row.currency or "USD",
            pay_date=row.payable_date,
        )
    ]


def _spin_off(row: ActionRow) -> list[Action]:
    return [_new_shares(row, row.source_symbol, row.new_symbol, row.new_rate / row.source_rate)]


def _unit_split(row: ActionRow) -> list[Action]:
    """A unit falls apart: its shares carry on, what else was in it comes on top."""
    whole = Action(
        symbol=row.old_symbol,
        kind="symbol_change",
        ex_date=row.day,
        ratio=row.new_rate / row.old_rate,
        new_symbol=row.new_symbol,
    )
    rest = row.alternate_rate / row.old_rate
    return [whole, _new_shares(row, row.old_symbol, row.alternate_symbol, rest)]


def _new_shares(row: ActionRow, symbol: str, new_symbol: str, ratio: Decimal) -> Action:
    return Action(
        symbol=symbol, kind="spin_off", ex_date=row.day, ratio=ratio, new_symbol=new_symbol,
        pay_date=row.payable_date,
    )  # fmt: skip


def _name_change(row: ActionRow) -> list[Action]:
    """Only where the symbol changes: a new name or CUSIP moves nothing."""
    if row.old_symbol == row.new_symbol:
        return []
    return [
        Action(
            symbol=row.old_symbol,
            kind="symbol_change",
            ex_date=row.day,
            new_symbol=row.new_symbol,
        )
    ]


def _merger(row: ActionRow) -> list[Action]:
    """Cash for each share of the one that disappears, shares of the other, or both."""
    has_shares = row.acquirer_symbol is not None and row.rate is None
    return [
        Action(
            symbol=row.acquiree_symbol,
            kind="merger",
            ex_date=row.day,
            ratio=row.acquirer_rate / row.acquiree_rate if has_shares else None,
            amount=row.rate if row.cash_rate is None else row.cash_rate,
            currency=row.currency or "USD",
            pay_date=row.payable_date,
            new_symbol=row.acquirer_symbol if has_shares else None,
        )
    ]


def _end(row: ActionRow) -> list[Action]:
    """Redeemed for cash, or worth nothing any more."""
    return [
        Action(
            symbol=row.symbol,
            kind="delisting",
            ex_date=row.day,
            amount=row.rate or Decimal(0),
            currency=row.currency or "USD",
            pay_date=row.payable_date,
        )
    ]


KINDS: Final[Mapping[str, Callable[[ActionRow], list[Action]]]] = {
    "forward_splits": _split,
    "reverse_splits": _split,
    "unit_splits": _unit_split,
    "stock_dividends": _stock_dividend,
    "cash_dividends": _dividend,
    "spin_offs": _spin_off,
    "name_changes": _name_change,
    "cash_mergers": _merger,
    "stock_mergers": _merger,
    "stock_and_cash_mergers": _merger,
    "redemptions": _end,
    "worthless_removals": _end,
}
"Not here: reorganisations, rights, partial calls. They need a person."
