"""What a split, a dividend or a new name does to quantities, prices, positions and orders."""

from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

import msgspec

from app.domain.instruments import Instrument
from app.domain.orders import Order
from app.domain.portfolio import PRECISION, Position, Trade

_CENT: Final = Decimal("0.01")
_SIMPLE: Final = 1_000
_EXACT: Final = Fraction(1, 1_000_000)


class ActionKind(StrEnum):
    """As `corporate_actions.kind` stores it."""

    SPLIT = "split"
    DIVIDEND = "dividend"
    SYMBOL_CHANGE = "symbol_change"
    SPIN_OFF = "spin_off"
    MERGER = "merger"
    DELISTING = "delisting"


def action_id_of(symbol: str, kind: str, ex_date: date) -> str:
    """The same action has the same id whoever tells of it: it takes effect once."""
    return f"{symbol}-{kind}-{ex_date:%Y%m%d}"


def ratio_of(told: Decimal) -> Fraction:
    """New shares for one old, exactly: 0.33333333 as it is stored means one for three."""
    exact = Fraction(told)
    simple = exact.limit_denominator(_SIMPLE)
    return simple if abs(simple - exact) <= exact * _EXACT else exact


def scaled(value: Decimal, by: Fraction) -> Decimal:
    """`value` times `by`; a quotient is rounded to what the database keeps."""
    product = value * by.numerator
    if by.denominator == 1:
        return product
    return _tidy((product / by.denominator).quantize(PRECISION, ROUND_HALF_EVEN))


def _tidy(value: Decimal) -> Decimal:
    """Without a fraction of zeros, so that whole shares read as such."""
    whole = value.to_integral_value()
    return whole if whole == value else value


def cash_of(quantity: Decimal, amount: Decimal) -> Decimal:
    """Money for so many shares, in whole cents as brokers pay it; a short position pays."""
    return (quantity * amount).quantize(_CENT, ROUND_HALF_EVEN)


def split_position(held: Position, ratio: Fraction) -> Position:
    """The same holding in new shares, fractions included: what it cost does not change."""
    return msgspec.structs.replace(
        held,
        quantity=scaled(held.quantity, ratio),
        average_price=(held.average_price * ratio.denominator / ratio.numerator).quantize(
            PRECISION
        ),
        entry_quantity=scaled(held.entry_quantity, ratio),
        entered=scaled(held.entered, ratio),
    )


def part_sold(held: Position, quantity: Decimal, cash: Decimal) -> Position:
    """The position after some (signed) of its shares went for `cash`, without any broker."""
    won = (cash - quantity * held.average_price).quantize(PRECISION)
    return msgspec.structs.replace(
        held,
        quantity=_tidy(held.quantity - quantity),
        realized_pnl=held.realized_pnl + won,
        exit_value=held.exit_value + cash,
        trip_pnl=held.trip_pnl + won,
    )


def sold_out(held: Position, cash: Decimal, action_id: str, at: datetime) -> tuple[Position, Trade]:
    """Flat, after all shares went for `cash`: the round trip is over, as by a fill."""
    exit_value = held.exit_value + cash
    won = exit_value - held.entry_value
    flat = Position(
        ledger=held.ledger,
        symbol=held.symbol,
        realized_pnl=held.realized_pnl - held.trip_pnl + won,
        commission=held.commission,
    )
    return flat, Trade(
        trade_id=f"{held.ledger}/{action_id}",
        ledger=held.ledger,
        symbol=held.symbol,
        quantity=held.entry_quantity if held.entered > 0 else -held.entry_quantity,
        entry_price=(held.entry_value / held.entered).quantize(PRECISION),
        exit_price=(exit_value / held.entered).quantize(PRECISION),
        entry_at=held.opened_at or at,
        exit_at=at,
        commission=held.trip_commission,
        pnl=won - held.trip_commission,
        entry_signal_id=held.signal_id,
    )


class Change(msgspec.Struct, frozen=True):
    """What an action does to whatever waits for a price: new shares, prices, a new name."""

    symbol: str
    "Where it trades from now on."
    ratio: Fraction = Fraction(1)

    def price(self, value: Decimal | None, instrument: Instrument) -> Decimal | None:
        """A price in new shares, on the tick grid."""
        if value is None or self.ratio == 1:
            return value
        return instrument.round_price(value * self.ratio.denominator / self.ratio.numerator)

    def distance(self, value: Decimal | None, instrument: Instrument) -> Decimal | None:
        """A distance in new shares: a tick at least, where there was any."""
        new = self.price(value, instrument)
        return new if new is None else max(new, instrument.tick)

    def order(self, order: Order, instrument: Instrument) -> Order | None:
        """What is left of the order in new shares, whole lots; what was filled stays as it was.

        None when less than a lot is left.
        """
        left = instrument.quantity(scaled(order.remaining_quantity, self.ratio))
        if left <= 0:
            return None
        return msgspec.structs.replace(
            order,
            symbol=self.symbol,
            quantity=order.filled_quantity + left,
            limit_price=self.price(order.limit_price, instrument),
            stop_price=self.price(order.stop_price, instrument),
            trail=self.distance(order.trail, instrument),
        )


def change_of(
    symbol: str, kind: str, ratio: Decimal | None, new_symbol: str | None
) -> Change | None:
    """What becomes of orders that rest on `symbol`; None when the action leaves them alone."""
    if kind == ActionKind.SPLIT and ratio is not None:
        return Change(symbol, ratio_of(ratio))
    if kind == ActionKind.SYMBOL_CHANGE and new_symbol is not None:
        return Change(new_symbol)
    if kind == ActionKind.MERGER and ratio is not None and new_symbol is not None:
        return Change(new_symbol, ratio_of(ratio))
    return None
