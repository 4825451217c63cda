"""The limits, one function each, all of one shape: an intent and the book in, a finding out."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.denials import Denial
from app.domain.deployments import TradingState
from app.domain.instruments import Instrument
from app.domain.orders import Leg, OrderStatus, OrderTerms, Side
from app.risk.book import Book

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)
_MILLIONTH: Final = Decimal("0.000001")
_MOST: Final = Decimal(10) ** 9
"A larger ratio is told as this one: the tables keep twelve digits before the point."


class Intent(msgspec.Struct, kw_only=True, gc=False):
    """What we would ask the broker for, before any limit has seen it."""

    ledger: str
    signal_id: str
    symbol: str
    side: Side
    quantity: Decimal
    leg: Leg
    adds: bool
    "True when the ledger's position moves away from zero."
    at: datetime
    instrument: Instrument
    price: Decimal | None
    reach: Decimal = ZERO
    "Shares on this side of zero once every open order on it has filled."
    others: Mapping[str, Decimal] = {}
    "Worst-case value by symbol of everything else in the account,"
    total: Decimal = ZERO
    "and their sum."
    terms: OrderTerms = OrderTerms()
    attempt: int = 1
    group_id: str | None = None


class Finding(msgspec.Struct, frozen=True, gc=False):
    """A rule's answer. `allowed` is how many shares may pass; None: all of them."""

    code: Denial
    value: Decimal | None = None
    limit: Decimal | None = None
    allowed: Decimal | None = None

    @property
    def passed(self) -> bool:
        return self.allowed is None


Rule = Callable[[Intent, Book], Finding | None]
"""None: the rule has nothing to say about this intent."""


def _claim(code: Denial, holds: bool) -> Finding:
    return Finding(code, None, None, None if holds else ZERO)


def _at_most(code: Denial, value: Decimal, limit: Decimal) -> Finding:
    return Finding(code, value, limit, None if value <= limit else ZERO)


def _ratio(part: Decimal, whole: Decimal) -> Decimal:
    return min(part / whole, _MOST).quantize(_MILLIONTH)


# ------------------------------------------------------------------------- for every order


def trading_state(intent: Intent, book: Book) -> Finding | None:
    """Halted: nothing but the flatten of the halt. Reducing: only toward zero."""
    if book.trading_state is TradingState.HALTED:
        return _claim(Denial.TRADING_HALTED, intent.leg is Leg.FLATTEN)
    return _claim(Denial.REDUCE_ONLY, book.trading_state is TradingState.ACTIVE or not intent.adds)


# ----------------------------------------------------------- for orders that add to a position


def has_price(intent: Intent, book: Book) -> Finding | None:
    return _claim(Denial.NO_PRICE, intent.price is not None and intent.price > 0)


def fresh_price(intent: Intent, book: Book) -> Finding | None:
    limit, mark = book.limits.stale_price_seconds, book.last(intent.symbol)
    if limit is None or mark is None:
        return None
    age = int((intent.at - mark.at).total_seconds())
    return _at_most(Denial.STALE_PRICE, Decimal(age), Decimal(limit))


def session_open(intent: Intent, book: Book) -> Finding | None:
    if book.is_open is None or book.limits.trade_extended_hours:
        return None
    return _claim(Denial.SESSION_CLOSED, book.is_open)


def unrestricted_symbol(intent: Intent, book: Book) -> Finding | None:
    restricted = book.limits.restricted_symbols
    return _claim(Denial.SYMBOL_RESTRICTED, intent.symbol not in restricted) if restricted else None


def allowed_symbol(intent: Intent, book: Book) -> Finding | None:
    allowed = book.limits.allowed_symbols
    return _claim(Denial.SYMBOL_NOT_ALLOWED, intent.symbol in allowed) if allowed else None


def short_sale(intent: Intent, book: Book) -> Finding | None:
    if intent.side is Side.BUY:
        return None
    return _claim(Denial.SHORT_SALE, book.limits.allow_short)


def borrow(intent: Intent, book: Book) -> Finding | None:
    if intent.side is Side.BUY:
        return None
    return _claim(Denial.NOT_SHORTABLE, intent.instrument.shortable)


def unknown_order(intent: Intent, book: Book) -> Finding | None:
    """An order whose fate is unknown blocks what adds risk on its symbol."""
    for order in book.open.values():
        if order.status is OrderStatus.UNKNOWN and order.symbol == intent.symbol:
            return _claim(Denial.ORDER_UNKNOWN, False)
    return _claim(Denial.ORDER_UNKNOWN, True)


def self_crossing(intent: Intent, book: Book) -> Finding | None:
    if not book.limits.prevent_self_crossing:
        return None
    for order in book.moving.values():
        is_other = order.ledger != intent.ledger and order.side is not intent.side
        if is_other and order.symbol == intent.symbol:
            return _claim(Denial.SELF_CROSSING, False)
    return _claim(Denial.SELF_CROSSING, True)


def price_collar(intent: Intent, book: Book) -> Finding | None:
    collar, price = book.limits.price_collar, intent.price
    named = [p for p in (intent.terms.limit_price, intent.terms.stop_price) if p is not None]
    if collar is None or not named or not price:
        return None
    farthest = max(abs(p - price) for p in named)
    return _at_most(Denial.PRICE_COLLAR, _ratio(farthest, price), collar)


def concurrent_orders(intent: Intent, book: Book) -> Finding | None:
    """Protective legs do not count: they rest as long as the position does."""
    count, limit = len(book.moving) + 1, book.limits.max_concurrent_orders
    return _at_most(Denial.CONCURRENT_ORDERS, Decimal(count), Decimal(limit))


def order_rate(intent: Intent, book: Book) -> Finding | None:
    count, limit = book.recent_approvals(intent.at) + 1, book.limits.max_orders_per_minute
    return _at_most(Denial.ORDER_RATE, Decimal(count), Decimal(limit))


def daily_loss(intent: Intent, book: Book) -> Finding | None:
    return _loss(Denial.DAILY_LOSS, book.limits.max_daily_loss, book.day_start, book.equity)


def drawdown(intent: Intent, book: Book) -> Finding | None:
    return _loss(Denial.DRAWDOWN, book.limits.max_drawdown, book.peak, book.equity)


def _loss(code: Denial, limit: Decimal | None, start: Decimal, equity: Decimal) -> Finding | None:
    if limit is None:
        return None
    lost = (start - equity) / start if start > 0 else limit
    lost = lost.quantize(_MILLIONTH)
    return Finding(code, lost, limit, None if lost < limit else ZERO)


# ------------------------------------------------------- limits that cut before they deny


def position_limit(intent: Intent, book: Book) -> Finding | None:
    return _share(Denial.POSITION_LIMIT, book.limits.max_position_size, intent, book, ZERO)


def sector_limit(intent: Intent, book: Book) -> Finding | None:
    """A symbol of unknown sector is a sector of its own."""
    sector, others = intent.instrument.sector, ZERO
    if sector is not None:
        others = sum(
            (v for s, v in intent.others.items() if book.instrument(s).sector == sector), ZERO
        )
    return _share(Denial.SECTOR_LIMIT, book.limits.max_sector_exposure, intent, book, others)


def exposure_limit(intent: Intent, book: Book) -> Finding | None:
    ceiling = book.limits.max_portfolio_exposure
    return _share(Denial.EXPOSURE_LIMIT, ceiling, intent, book, intent.total)


def buying_power(intent: Intent, book: Book) -> Finding | None:
    """Nothing is bought on credit: margin is not modelled. A lower exposure limit says it all."""
    if book.limits.max_portfolio_exposure < ONE:
        return None
    return _share(Denial.BUYING_POWER, ONE, intent, book, intent.total)


def _share(
    code: Denial, ceiling: Decimal, intent: Intent, book: Book, others: Decimal
) -> Finding | None:
    """The value with every open order filled, as a fraction of the equity, under `ceiling`."""
    equity, price = book.equity, intent.price
    if equity <= 0 or not price:
        return Finding(code, None, ceiling, ZERO)
    worth = others + (intent.reach + intent.quantity) * price
    share = _ratio(worth, equity)
    if worth <= ceiling * equity:
        return Finding(code, share, ceiling, None)
    room = (ceiling * equity - others) / price - intent.reach
    return Finding(code, share, ceiling, max(room, ZERO))


def settled_cash(intent: Intent, book: Book) -> Finding | None:
    """A cash account buys with settled money only; sales settle with the next session."""
    price = intent.price
    if not book.limits.settled_cash_only or intent.side is Side.SELL or not price:
        return None
    reserved = sum(
        (
            order.remaining_quantity * (book.price(order.symbol) or ZERO)
            for order in book.moving.values()
            if order.side is Side.BUY
        ),
        ZERO,
    )
    settled = book.cash - book.unsettled - reserved
    cost = intent.quantity * price
    allowed = None if cost <= settled else max(settled / price, ZERO)
    return Finding(Denial.SETTLED_CASH, cost, settled, allowed)


ALWAYS: Final[Sequence[Rule]] = (trading_state,)
"""For every order, even with risk checking off."""

ADDITIONS: Final[Sequence[Rule]] = (
    has_price,
    fresh_price,
    session_open,
    unrestricted_symbol,
    allowed_symbol,
    short_sale,
    borrow,
    unknown_order,
    self_crossing,
    price_collar,
    concurrent_orders,
    order_rate,
    daily_loss,
    drawdown,
    position_limit,
    sector_limit,
    exposure_limit,
    buying_power,
    settled_cash,
)
"""For orders that move a position away from zero. Limits never deny reductions."""
