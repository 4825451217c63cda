"""Stored bars in the shares of now, or of an instant: by the corporate actions known then."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

import asyncpg
import numpy as np

from app.core.clock import now, to_ns
from app.domain.market import Timeframe
from app.marketdata.adjustments import Factor, adjusted, due_session, factors
from app.marketdata.batch import BarBatch, to_datetime
from app.marketdata.calendar import TradingCalendar, trading_calendar
from app.marketdata.ports import Action
from app.repositories import corporate_actions
from app.repositories.stock_data import StockData

_BEFORE: Final = timedelta(days=15)
"How far back the last close before an ex-date is looked for."


async def adjusted_bars(
    pool: asyncpg.Pool, stored: StockData, batch: BarBatch, as_of: datetime | None = None
) -> BarBatch:
    """`batch` as it compares with the shares of `as_of` (an instant of the market; None: now).

    Splits divide prices and multiply volumes; of a dividend the rows before lose 1 - amount / the
    close before. Only actions count that were known at `as_of` and in effect by then.
    """
    if not len(batch):
        return batch
    stock = await stored.stock(batch.symbol)
    calendar = trading_calendar(stock.exchange)
    return adjusted(batch, await factors_as_of(pool, stored, batch, calendar, as_of), calendar)


async def factors_as_of(
    pool: asyncpg.Pool,
    stored: StockData,
    batch: BarBatch,
    calendar: TradingCalendar,
    as_of: datetime | None = None,
) -> list[Factor]:
    """What the rows of `batch` are multiplied with, by ex-date."""
    instant = as_of or now()
    first = to_datetime(int(batch.start[0])).date()
    known = await corporate_actions.load(
        pool, stored.dataset, [batch.symbol], start=first, known_by=instant
    )
    due = [one for one in known if _is_due(one, calendar, to_ns(instant))]
    return factors(due, await _closes(stored, batch.symbol, due, calendar))


def _is_due(action: Action, calendar: TradingCalendar, instant: int) -> bool:
    session = due_session(action, calendar)
    return session is not None and session.day_start <= instant


async def _closes(
    stored: StockData, symbol: str, actions: Iterable[Action], calendar: TradingCalendar
) -> dict[date, float]:
    """The raw close before each ex-date that pays cash."""
    dates = sorted({one.ex_date for one in actions if one.amount is not None})
    if not dates:
        return {}
    begins = {day: to_datetime(_begin(day, calendar)) for day in dates}
    first, last = begins[dates[0]] - _BEFORE, begins[dates[-1]]
    days = await stored.stored(symbol, Timeframe.D1, first, last)
    found: dict[date, float] = {}
    for day, begin in begins.items():
        at = int(np.searchsorted(days.start, to_ns(begin)))
        if at:
            found[day] = float(days.rows["close"][at - 1])
            continue
        made = await stored.bars(symbol, Timeframe.D1, begin - _BEFORE, begin, 1)
        if len(made):
            found[day] = float(made.rows["close"][-1])
    return found


def _begin(day: date, calendar: TradingCalendar) -> int:
    session = due_session(Action(symbol="", kind="dividend", ex_date=day), calendar)
    return session.day_start if session else (day - date(1970, 1, 1)).days * 86_400 * 10**9
