"""The limits, one function each, all of one shape: an intent and the book in, a finding out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from app.domain.denials import Denial
from app.domain.deployments import TradingState
from app.domain.instruments import Instrument
from app.domain.limits import Limits
from app.domain.orders import Leg, Order, OrderStatus, OrderTerms, OrderType, Side
from app.domain.scopes import Scope
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
    limits: Limits = Limits()
    "The tightest that apply to it,"
    scopes: tuple[Scope, ...] = ()
    "and the scopes that cover it beside its account."

    @property
    def unit(self) -> Decimal:
        """What one of it costs: the price times the multiplier; zero where there is no price."""
        return ZERO if self.price is None else self.price * self.instrument.multiplier


class Finding(msgspec.Struct, frozen=True, gc=False):
    """A rule's answer. `allowed` is how many shares may pass; None: all of them."""

    code: Denial
    value: Decimal | None = None
    limit: Decimal | None = None
    allowed: Decimal | None = None
    scope: str | None = None
    "Whose limit it is, where it is not the account's."
    about: str | None = None
    "What stands in the way, where the code alone does not say it."

    @property
    def passed(self) -> bool:
        return self.allowed is None


Rule = Callable[[Intent, Book], Finding | None]
"""None: the rule has nothing to say about this intent."""


def _claim(code: Denial, holds: bool) -> Finding:
    return Finding(code, None, None, None if holds else ZERO)


def _at_most(code: Denial, value: Decimal, limit: Decimal) -> Finding:
    return Finding(code, value, limit, None if value <= limit else ZERO)


Judge = Callable[[Scope, Any], Finding]
"""Holds what a scope has, with the order, against the scope's own limit."""


def _strictest(own: Finding | None, intent: Intent, key: str, judge: Judge) -> Finding | None:
    """The account's finding, or that of the scope that lets less through."""
    found = own
    for scope in intent.scopes:
        if key in scope.limits:
            other = msgspec.structs.replace(judge(scope, scope.limits[key]), scope=scope.name)
            if found is None or _room(other) < _room(found):
                found = other
    return found


def _room(finding: Finding) -> tuple[Decimal, Decimal]:
    """How much may pass, then how far the value is from its limit."""
    share = ZERO
    if finding.value is not None and finding.limit:
        share = finding.value / finding.limit
    return (_MOST if finding.allowed is None else finding.allowed), -share


def _ratio(part: Decimal, whole: Decimal) -> Decimal:
    return min(part / whole, _MOST).quantize(_MILLIONTH)


# ------------------------------------------------------------------------- for every order


def trading_state(intent: Intent, book: Book) -> Finding | None:
    """Halted: nothing but the flatten of the halt. Reducing: only toward zero."""
    if book.trading_state is TradingState.HALTED:
        return _claim(Denial.TRADING_HALTED, intent.leg is Leg.FLATTEN)
    if book.is_drawn_down:
        fallen = _fallen(book.peak, book.equity)
        allowed = ZERO if intent.adds else None
        return Finding(Denial.DRAWDOWN, fallen, book.limits.max_drawdown, allowed)
    return _claim(Denial.REDUCE_ONLY, book.trading_state is TradingState.ACTIVE or not intent.adds)


# ----------------------------------------------------------- for orders that add to a position


def has_price(intent: Intent, book: Book) -> Finding | None:
    return _claim(Denial.NO_PRICE, intent.price is not None and intent.price > 0)


def fresh_price(intent: Intent, book: Book) -> Finding | None:
    limit, mark = intent.limits.stale_price_seconds, book.last(intent.symbol)
    if limit is None or mark is None:
        return None
    age = int((intent.at - mark.at).total_seconds())
    return _at_most(Denial.STALE_PRICE, Decimal(age), Decimal(limit))


def session_open(intent: Intent, book: Book) -> Finding | None:
    if book.is_open is None or intent.limits.trade_extended_hours:
        return None
    return _claim(Denial.SESSION_CLOSED, book.is_open)


def unrestricted_symbol(intent: Intent, book: Book) -> Finding | None:
    restricted = intent.limits.restricted_symbols
    return _claim(Denial.SYMBOL_RESTRICTED, intent.symbol not in restricted) if restricted else None


def allowed_symbol(intent: Intent, book: Book) -> Finding | None:
    allowed = intent.limits.allowed_symbols
    return _claim(Denial.SYMBOL_NOT_ALLOWED, intent.symbol in allowed) if allowed else None


def short_sale(intent: Intent, book: Book) -> Finding | None:
    if intent.side is Side.BUY:
        return None
    return _claim(Denial.SHORT_SALE, intent.limits.allow_short)


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


def opposite_order(intent: Intent, book: Book) -> Finding | None:
    """Some brokers refuse what could trade with another order of the account, stops above all."""
    if book.takes_both_sides:
        return None
    other = in_the_way(book, intent.symbol, intent.side, intent.terms)
    if other is None:
        return _claim(Denial.OPPOSITE_ORDER, True)
    what = f"{other.side} {other.remaining_quantity:f} {other.symbol}, {other.type}"
    about = f"Order {other.client_order_id} ({what}) rests there."
    return Finding(Denial.OPPOSITE_ORDER, allowed=ZERO, about=about)


def in_the_way(book: Book, symbol: str, side: Side, terms: OrderTerms) -> Order | None:
    """An order that rests at the broker on the other side and could trade with such a one."""
    for order in book.open.values():
        is_there = order.symbol == symbol and not order.is_held
        if is_there and order.side is not side and _could_meet(side, terms, order):
            return order
    return None


def _could_meet(side: Side, terms: OrderTerms, other: Order) -> bool:
    """Whatever has no limit, or waits for a price, counts as being at any price."""
    if terms.type is not OrderType.LIMIT or other.type is not OrderType.LIMIT:
        return True
    bid, ask = terms.limit_price, other.limit_price
    if side is Side.SELL:
        bid, ask = ask, bid
    return bid is None or ask is None or bid >= ask


def price_collar(intent: Intent, book: Book) -> Finding | None:
    collar, price = intent.limits.price_collar, intent.price
    named = [p for p in (intent.terms.limit_price, intent.terms.stop_price) if p is not None]
    if collar is None or not named or not price:
        return None
    farthest = max(abs(p - price) for p in named)
    return _at_most(Denial.PRICE_COLLAR, _ratio(farthest, price), collar)


def concurrent_orders(intent: Intent, book: Book) -> Finding | None:
    """Over all accounts of the user. Protective legs do not count: they rest as long as needed."""
    code, most = Denial.CONCURRENT_ORDERS, book.limits.max_concurrent_orders
    own = _at_most(code, Decimal(len(book.moving) + book.elsewhere + 1), Decimal(most))
    if not intent.scopes:
        return own

    def judge(scope: Scope, most: int) -> Finding:
        return _at_most(code, Decimal(len(book.moving_of(scope)) + 1), Decimal(most))

    return _strictest(own, intent, "max_concurrent_orders", judge)


def order_rate(intent: Intent, book: Book) -> Finding | None:
    code, most = Denial.ORDER_RATE, book.limits.max_orders_per_minute
    own = _at_most(code, Decimal(book.recent_orders(intent.at) + 1), Decimal(most))
    if not intent.scopes:
        return own

    def judge(scope: Scope, most: int) -> Finding:
        return _at_most(code, Decimal(book.recent_orders(intent.at, scope) + 1), Decimal(most))

    return _strictest(own, intent, "max_orders_per_minute", judge)


def day_trades(intent: Intent, book: Book) -> Finding | None:
    """The pattern-day-trader rule, of margin accounts: 4 day trades in 5 sessions make one.

    What grew today may have to be got out of today, so it counts as if it were (P6).
    """
    limits = book.limits
    if limits.max_day_trades is None or limits.settled_cash_only:
        return None
    if book.equity >= limits.day_trade_equity:
        return None
    growing = {one.symbol for one in book.moving.values() if one.leg is Leg.ENTRY}
    growing |= book.day.at_risk() | {intent.symbol}
    count = Decimal(len(book.day.trades) + len(growing))
    return _at_most(Denial.DAY_TRADES, count, Decimal(limits.max_day_trades))


def daily_loss(intent: Intent, book: Book) -> Finding | None:
    limit, start = book.limits.max_daily_loss, book.day_start
    own = None if limit is None else _loss(Denial.DAILY_LOSS, limit, _fallen(start, book.equity))
    if not intent.scopes:
        return own

    def judge(scope: Scope, limit: Decimal) -> Finding:
        lost = book.day.starts.get(intent.ledger, ZERO) - book.worth_of(intent.ledger)
        return _loss(Denial.DAILY_LOSS, limit, _fallen(start, start - lost))

    return _strictest(own, intent, "max_daily_loss", judge)


def drawdown(intent: Intent, book: Book) -> Finding | None:
    limit = book.limits.max_drawdown
    return None if limit is None else _loss(Denial.DRAWDOWN, limit, _fallen(book.peak, book.equity))


def _fallen(start: Decimal, now: Decimal) -> Decimal:
    """The part of `start` that is gone; all of it where there was nothing."""
    return ((start - now) / start).quantize(_MILLIONTH) if start > 0 else ONE


def _loss(code: Denial, limit: Decimal, lost: Decimal) -> Finding:
    return Finding(code, lost, limit, None if lost < limit else ZERO)


# ------------------------------------------------------- limits that cut before they deny


def position_limit(intent: Intent, book: Book) -> Finding | None:
    code, ceiling = Denial.POSITION_LIMIT, book.limits.max_position_size
    own = _share(code, ceiling, intent, book, ZERO, intent.reach)
    if not intent.scopes:
        return own

    def judge(scope: Scope, ceiling: Decimal) -> Finding:
        if scope.ledger is None:
            reach = intent.reach
        else:
            reach = book.ledger_reach(intent.ledger, intent.symbol, intent.side)
        return _share(code, ceiling, intent, book, ZERO, reach)

    return _strictest(own, intent, "max_position_size", judge)


def sector_limit(intent: Intent, book: Book) -> Finding | None:
    """A symbol of unknown sector is a sector of its own."""
    sector, others = intent.instrument.sector, ZERO
    if sector is not None:
        others = sum(
            (v for s, v in intent.others.items() if book.instrument(s).sector == sector), ZERO
        )
    ceiling = book.limits.max_sector_exposure
    return _share(Denial.SECTOR_LIMIT, ceiling, intent, book, others, intent.reach)


def exposure_limit(intent: Intent, book: Book) -> Finding | None:
    code, ceiling = Denial.EXPOSURE_LIMIT, book.limits.max_portfolio_exposure
    own = _share(code, ceiling, intent, book, intent.total, intent.reach)
    if not intent.scopes:
        return own

    def judge(scope: Scope, ceiling: Decimal) -> Finding:
        others = book.exposure_of(intent.ledger, but=intent.symbol)
        reach = book.ledger_reach(intent.ledger, intent.symbol, intent.side)
        return _share(code, ceiling, intent, book, others, reach)

    return _strictest(own, intent, "max_portfolio_exposure", judge)


def buying_power(intent: Intent, book: Book) -> Finding | None:
    """The broker's figure where it gives one, less what it had not counted.

    Else nothing is bought on credit; a lower exposure limit says it all.
    """
    funds = book.funds
    if funds is not None and funds.buying_power is not None:
        return _spend(Denial.BUYING_POWER, funds.buying_power - book.committed, intent)
    if book.limits.max_portfolio_exposure < ONE:
        return None
    return _share(Denial.BUYING_POWER, ONE, intent, book, intent.total, intent.reach)


def daily_notional(intent: Intent, book: Book) -> Finding | None:
    """What was moved today, what open orders may still move, and this one."""
    code, most = Denial.DAILY_NOTIONAL, book.limits.max_daily_notional
    own = None
    if most is not None:
        moved = book.day.money() + _worth(book, book.moving.values())
        own = _spend(code, most, intent, moved)
    if not intent.scopes:
        return own

    def judge(scope: Scope, most: Decimal) -> Finding:
        moved = book.day.money(scope) + _worth(book, book.moving_of(scope))
        return _spend(code, most, intent, moved)

    return _strictest(own, intent, "max_daily_notional", judge)


def _share(
    code: Denial,
    ceiling: Decimal,
    intent: Intent,
    book: Book,
    others: Decimal,
    reach: Decimal,
) -> Finding:
    """The value with every open order filled, as a fraction of the equity, under `ceiling`."""
    equity, unit = book.equity, intent.unit
    if equity <= 0 or not unit:
        return Finding(code, None, ceiling, ZERO)
    worth = others + (reach + intent.quantity) * unit
    share = _ratio(worth, equity)
    if worth <= ceiling * equity:
        return Finding(code, share, ceiling, None)
    room = (ceiling * equity - others) / unit - reach
    return Finding(code, share, ceiling, max(room, ZERO))


def _spend(code: Denial, most: Decimal, intent: Intent, spent: Decimal = ZERO) -> Finding:
    """What was spent and what the order costs, under `most`."""
    unit = intent.unit
    cost = intent.quantity * unit
    if spent + cost <= most:
        return Finding(code, spent + cost, most, None)
    return Finding(code, spent + cost, most, max((most - spent) / unit, ZERO))


def _worth(book: Book, orders: Iterable[Order]) -> Decimal:
    """What is left of these orders, at the last prices."""
    worths = (one.remaining_quantity * book.unit(one.symbol) for one in orders)
    return sum(worths, ZERO)


def settled_cash(intent: Intent, book: Book) -> Finding | None:
    """A cash account buys with settled money only; sales settle with the next session (T+1)."""
    if not book.limits.settled_cash_only or intent.side is Side.SELL:
        return None
    funds = book.funds
    if funds is not None and funds.settled_cash is not None:
        settled = funds.settled_cash - book.committed
    else:
        buys = (one for one in book.moving.values() if one.side is Side.BUY)
        settled = book.cash - book.unsettled - _worth(book, buys)
    return _spend(Denial.SETTLED_CASH, settled, intent)


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
    opposite_order,
    price_collar,
    concurrent_orders,
    order_rate,
    day_trades,
    daily_loss,
    drawdown,
    daily_notional,
    position_limit,
    sector_limit,
    exposure_limit,
    buying_power,
    settled_cash,
)
"""For orders that move a position away from zero. Limits never deny reductions."""
