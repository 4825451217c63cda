"""Small worlds for tests: the values that matter are visible in the test, the rest has defaults."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

from app.domain.market import Bar, Timeframe
from app.marketdata.batch import BarBatch, to_ns
from app.marketdata.calendar import TradingCalendar, trading_calendar

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
"Real market data beside the project; tests that need it skip where it is missing."

FRIDAY = date(2024, 3, 1)
"A plain session of XNYS: 14:30 to 21:00 UTC."


def utc(text: str) -> datetime:
    """`utc("2024-03-01 14:30")`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ns(text: str) -> int:
    return to_ns(utc(text))


def make_batch(
    closes: Sequence[float],
    *,
    symbol: str = "AAPL",
    timeframe: Timeframe = Timeframe.M1,
    day: date = FRIDAY,
    skip: Sequence[int] = (),
    first: int = 0,
    volume: float = 100,
    exchange: str = "XNYS",
) -> BarBatch:
    """Consecutive bars from bar `first` of the session `day` on, leaving out those in `skip`.

    Goes on into the next sessions. Opens at the close before; high and low span both.
    """
    starts, ends = _grid(trading_calendar(exchange), day, timeframe, first + len(closes))
    close = np.array(closes, dtype=np.float64)
    open_ = np.concatenate([close[:1], close[:-1]])
    batch = BarBatch.of(
        symbol,
        timeframe,
        starts[first : first + len(close)],
        ends[first : first + len(close)],
        open=open_,
        high=np.maximum(open_, close),
        low=np.minimum(open_, close),
        close=close,
        volume=volume,
    )
    return batch[~np.isin(np.arange(len(close)) + first, list(skip))]


def make_bars(
    closes: Sequence[float],
    *,
    symbol: str = "AAPL",
    timeframe: Timeframe = Timeframe.M1,
    day: date = FRIDAY,
    first: int = 0,
    volume: float = 100,
) -> list[Bar]:
    """`make_batch` as domain bars."""
    batch = make_batch(
        closes, symbol=symbol, timeframe=timeframe, day=day, first=first, volume=volume
    )
    return batch.bars()


def _grid(
    calendar: TradingCalendar, day: date, timeframe: Timeframe, count: int
) -> tuple[np.ndarray, np.ndarray]:
    session = calendar.session_on(day)
    assert session is not None, f"{day} is no trading day"
    grids = [calendar.grid(session, timeframe)]
    while sum(len(starts) for starts, _ in grids) < count:
        session = calendar.next_session(session.open)
        grids.append(calendar.grid(session, timeframe))
    return np.concatenate([g[0] for g in grids]), np.concatenate([g[1] for g in grids])
