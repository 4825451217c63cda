"""Why our risk engine says no: one code a limit, shared by database, API and UI."""

from enum import StrEnum
from typing import Final


class Denial(StrEnum):
    """Denied is ours; rejected is the broker's."""

    TRADING_HALTED = "trading_halted"
    REDUCE_ONLY = "reduce_only"
    NO_PRICE = "no_price"
    STALE_PRICE = "stale_price"
    SESSION_CLOSED = "session_closed"
    SYMBOL_RESTRICTED = "symbol_restricted"
    SYMBOL_NOT_ALLOWED = "symbol_not_allowed"
    SHORT_SALE = "short_sale"
    NOT_SHORTABLE = "not_shortable"
    ORDER_UNKNOWN = "order_unknown"
    SELF_CROSSING = "self_crossing"
    OPPOSITE_ORDER = "opposite_order"
    PRICE_COLLAR = "price_collar"
    CONCURRENT_ORDERS = "concurrent_orders"
    ORDER_RATE = "order_rate"
    DAY_TRADES = "day_trades"
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    DAILY_NOTIONAL = "daily_notional"
    POSITION_LIMIT = "position_limit"
    SECTOR_LIMIT = "sector_limit"
    EXPOSURE_LIMIT = "exposure_limit"
    BUYING_POWER = "buying_power"
    SETTLED_CASH = "settled_cash"
    BELOW_LOT = "below_lot"


MEANING: Final[dict[Denial, str]] = {
    Denial.TRADING_HALTED: "Trading is halted: nothing is sent but cancels.",
    Denial.REDUCE_ONLY: "The account is reducing: only orders toward zero are sent.",
    Denial.NO_PRICE: "There is no price of this symbol yet.",
    Denial.STALE_PRICE: "The last price is too old, in seconds.",
    Denial.SESSION_CLOSED: "The exchange is closed and extended hours are not traded.",
    Denial.SYMBOL_RESTRICTED: "The symbol is on the list of restricted symbols.",
    Denial.SYMBOL_NOT_ALLOWED: "The symbol is not on the list of allowed symbols.",
    Denial.SHORT_SALE: "Short positions are not allowed.",
    Denial.NOT_SHORTABLE: "The broker does not lend this symbol.",
    Denial.ORDER_UNKNOWN: "The fate of an earlier order on this symbol is unknown.",
    Denial.SELF_CROSSING: "Another ledger of the account has an order on the other side.",
    Denial.OPPOSITE_ORDER: "The broker takes no order that could meet another of the account.",
    Denial.PRICE_COLLAR: "The order's price is too far from the last price.",
    Denial.CONCURRENT_ORDERS: "Too many orders are open.",
    Denial.ORDER_RATE: "Too many orders were made in the last minute.",
    Denial.DAY_TRADES: "An account this small would become a pattern day trader.",
    Denial.DAILY_LOSS: "The day's loss has reached its limit, as a fraction of the day's start.",
    Denial.DRAWDOWN: "The fall from the equity's peak has reached its limit; a person must resume.",
    Denial.DAILY_NOTIONAL: "The day's orders would move more money than they may.",
    Denial.POSITION_LIMIT: "The position would exceed its share of the equity.",
    Denial.SECTOR_LIMIT: "The sector would exceed its share of the equity.",
    Denial.EXPOSURE_LIMIT: "The sum of all positions would exceed its share of the equity.",
    Denial.BUYING_POWER: "The order costs more than what may still be bought.",
    Denial.SETTLED_CASH: "The order costs more than the settled cash.",
    Denial.BELOW_LOT: "The wanted size is below one lot.",
}
"""One sentence a code, for people; the docs table is made from it."""

LIMIT_OF: Final[dict[Denial, str]] = {
    Denial.STALE_PRICE: "stale_price_seconds",
    Denial.SESSION_CLOSED: "trade_extended_hours",
    Denial.SYMBOL_RESTRICTED: "restricted_symbols",
    Denial.SYMBOL_NOT_ALLOWED: "allowed_symbols",
    Denial.SHORT_SALE: "allow_short",
    Denial.SELF_CROSSING: "prevent_self_crossing",
    Denial.PRICE_COLLAR: "price_collar",
    Denial.CONCURRENT_ORDERS: "max_concurrent_orders",
    Denial.ORDER_RATE: "max_orders_per_minute",
    Denial.DAY_TRADES: "max_day_trades",
    Denial.DAILY_LOSS: "max_daily_loss",
    Denial.DRAWDOWN: "max_drawdown",
    Denial.DAILY_NOTIONAL: "max_daily_notional",
    Denial.POSITION_LIMIT: "max_position_size",
    Denial.SECTOR_LIMIT: "max_sector_exposure",
    Denial.EXPOSURE_LIMIT: "max_portfolio_exposure",
    Denial.SETTLED_CASH: "settled_cash_only",
}
"""The limit behind a denial; the others follow from the state of the account or the market."""
