"""The limits a person sets: names, defaults and bounds, as stored in `system_config`."""

from decimal import Decimal
from typing import Annotated, Final

import msgspec
from msgspec import Meta

Fraction = Annotated[Decimal, Meta(description="0.05 means 5 %")]


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every limit of the risk engine. None switches a limit off where that is allowed."""

    risk_checking: bool = True
    "False lets everything but the trading state through. Paper only."
    emergency_stop: bool = True
    "Whether the emergency stop is armed."
    max_concurrent_orders: int = 10
    order_timeout_seconds: int = 300
    max_position_size: Fraction = Decimal("0.05")
    "Largest absolute value of one symbol, as a fraction of the account's equity."
    max_portfolio_exposure: Fraction = Decimal("0.80")
    max_sector_exposure: Fraction = Decimal("0.30")
    default_stop_loss: Fraction | None = Decimal("0.05")
    "Distance of the protective stop from the average entry price, where a signal names none."
    market_data_refresh_seconds: int = 1
    max_daily_loss: Fraction | None = Decimal("0.03")
    max_drawdown: Fraction | None = Decimal("0.20")
    max_orders_per_minute: int = 60
    max_daily_notional: Decimal | None = None
    "Most money that a session's orders may move, bought and sold together."
    max_day_trades: int | None = 3
    "Of a margin account below `day_trade_equity`: round trips within a day, in five sessions."
    day_trade_equity: Decimal = Decimal(25_000)
    price_collar: Fraction | None = Decimal("0.10")
    "Farthest a limit or stop price may stand from the last price."
    stale_price_seconds: int | None = 300
    trade_extended_hours: bool = False
    allow_short: bool = False
    settled_cash_only: bool = False
    prevent_self_crossing: bool = True
    restricted_symbols: tuple[str, ...] = ()
    allowed_symbols: tuple[str, ...] = ()
    "Empty: every symbol that the account's data set knows."


UNLIMITED = Limits(
    max_concurrent_orders=1_000_000,
    order_timeout_seconds=10**9,
    max_position_size=Decimal(10),
    max_portfolio_exposure=Decimal(10),
    max_sector_exposure=Decimal(10),
    default_stop_loss=None,
    max_daily_loss=None,
    max_drawdown=None,
    max_orders_per_minute=10**9,
    max_daily_notional=None,
    max_day_trades=None,
    price_collar=None,
    stale_price_seconds=None,
    allow_short=True,
    prevent_self_crossing=False,
)
"""`backtest --limits none`: the strategy alone, without the account's limits."""


BOUNDS: Final[dict[str, tuple[Decimal, Decimal]]] = {
    "max_concurrent_orders": (Decimal(1), Decimal(10_000)),
    "order_timeout_seconds": (Decimal(5), Decimal(604_800)),
    "max_position_size": (Decimal("0.0001"), Decimal(10)),
    "max_portfolio_exposure": (Decimal("0.0001"), Decimal(10)),
    "max_sector_exposure": (Decimal("0.0001"), Decimal(10)),
    "default_stop_loss": (Decimal("0.0001"), Decimal("0.99")),
    "market_data_refresh_seconds": (Decimal(1), Decimal(3_600)),
    "max_daily_loss": (Decimal("0.0001"), Decimal(1)),
    "max_drawdown": (Decimal("0.0001"), Decimal(1)),
    "max_orders_per_minute": (Decimal(1), Decimal(100_000)),
    "max_daily_notional": (Decimal(1), Decimal(10) ** 12),
    "max_day_trades": (Decimal(0), Decimal(1_000)),
    "day_trade_equity": (Decimal(0), Decimal(10) ** 9),
    "price_collar": (Decimal("0.0001"), Decimal(1)),
    "stale_price_seconds": (Decimal(1), Decimal(604_800)),
}
"""Least and largest value that a person may set; fractions, seconds and counts."""


EXPLANATIONS: Final[dict[str, str]] = {
    "risk_checking": "False lets everything but the trading state through. Paper only.",
    "emergency_stop": "Whether the emergency stop is armed.",
    "max_concurrent_orders": "Open orders at a time, in all accounts of a user together.",
    "order_timeout_seconds": "An entry order that rests longer is canceled.",
    "max_position_size": "Largest value of one symbol, as a fraction of equity.",
    "max_portfolio_exposure": "Largest value of all positions, as a fraction of equity.",
    "max_sector_exposure": "Largest value of one sector, as a fraction of equity.",
    "default_stop_loss": "Distance of the protective stop where a signal names none.",
    "market_data_refresh_seconds": "How often prices are refreshed.",
    "max_daily_loss": "Loss of a session at which only reductions pass.",
    "max_drawdown": "Fall from the peak at which only reductions pass, until a person resumes.",
    "max_orders_per_minute": "Orders that one account may send in a minute.",
    "max_daily_notional": "Money that the orders of a session may move, buys and sells together.",
    "max_day_trades": "Day trades in five sessions, of an account below day_trade_equity.",
    "day_trade_equity": "Equity from which on day trades are not counted.",
    "price_collar": "Farthest a limit or stop price may stand from the last price.",
    "stale_price_seconds": "Age at which a price is too old to add risk on.",
    "trade_extended_hours": "Whether bars outside the regular session are traded.",
    "allow_short": "Whether a position may go below zero.",
    "settled_cash_only": "Whether proceeds must settle before they are spent.",
    "prevent_self_crossing": "Refuse an order that would meet another of our own.",
    "restricted_symbols": "Symbols that may only be reduced.",
    "allowed_symbols": "Only these may be added to; empty: all.",
}
"""One sentence a limit, for people; `system_config` starts with the same ones."""


def out_of_bounds(key: str, value: object) -> str | None:
    """What is wrong with a value of the right type, as a sentence; None when it may be set."""
    if key not in BOUNDS or value is None or not isinstance(value, int | Decimal):
        return None
    least, most = BOUNDS[key]
    if Decimal(value).is_finite() and least <= value <= most:
        return None
    return f"{key} must lie between {least} and {most}, not {value}."
