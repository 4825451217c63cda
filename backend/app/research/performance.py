"""What a run was worth: figures of an equity curve, its round trips and its executions.

The curve is read in pieces of any size, so that a live account and a million bars of a backtest
use the same code in constant memory. Fractions are plain numbers (0.05 means 5 %); money is
Decimal. A figure that does not exist (a Sharpe ratio without any change) is None.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from math import isfinite, sqrt
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.domain.executions import Execution
from app.domain.portfolio import Trade
from app.marketdata.batch import Nanos, to_datetime, to_ns
from app.marketdata.calendar import TradingCalendar

Floats = NDArray[np.float64]
Move = tuple[str, datetime, Decimal]
"""Symbol, instant, and by how many (signed) shares the holding changed."""
ZERO: Final = Decimal(0)
_YEAR_SECONDS: Final = 365.25 * 86_400
_CENT: Final = Decimal("0.01")


class CurveFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the equity curve alone says."""

    total_return: float
    cagr: float | None
    "Growth a calendar year, compounded; None where it would overflow or nothing is left."
    volatility: float | None
    "Standard deviation of the returns between points, annualised."
    sharpe: float | None
    "Mean return over its standard deviation, annualised; no risk-free rate is taken off."
    sortino: float | None
    "Mean return over the root mean square of the losses alone, annualised."
    max_drawdown: float
    "Largest fall from the highest equity before it; 0.2 means 20 %."
    drawdown_from: datetime | None
    drawdown_to: datetime | None
    drawdown_recovered: datetime | None
    "When the old height was reached again; None: not yet."
    periods_per_year: float
    "Points of the curve a year, by which the ratios are annualised."


class TradeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the round trips and the executions say. Money is net of commissions."""

    trades: int
    win_rate: float | None
    profit_factor: float | None
    "Sum of the gains over the sum of the losses; None without a loss."
    average_trade: Decimal | None
    average_win: Decimal | None
    average_loss: Decimal | None
    best_trade: Decimal | None
    worst_trade: Decimal | None
    expectancy: float | None
    "Average trade in units of the average loss: what one unit of risk brought."
    average_holding_seconds: float | None
    executions: int
    turnover: float
    "Value of all executions over the average equity."
    traded_value: Decimal
    commissions: Decimal
    exposure_time: float
    "Share of the curve's points at which something was held."


class CurveTally:
    """Folds an equity curve, piece by piece, into its figures.

    Means and variances are merged as Chan, Golub and LeVeque do it, so that a long curve in
    pieces gives the figures of the whole.
    """

    def __init__(self, start: datetime, equity: float) -> None:
        """`equity` is what there was at `start`, before the first point. Raises ValueError."""
        if not equity > 0:
            raise ValueError("an equity curve begins above zero")
        self._first = self._last = float(equity)
        self._begin = self._end = to_ns(start)
        self._count, self._mean, self._squares, self._losses = 0, 0.0, 0.0, 0.0
        self._sum = 0.0
        self._peak, self._peak_at = self._first, self._begin
        self._fall = 0.0
        self._fall_peak, self._fall_from, self._fall_to = self._first, 0, 0
        self._recovered: int | None = None

    def add(self, times: Nanos, equity: Floats) -> None:
        """The next points, in order of time."""
        if not len(equity):
            return
        before = np.concatenate([[self._last], equity[:-1]])
        with np.errstate(divide="ignore", invalid="ignore"):
            returns = np.where(before > 0, equity / before - 1.0, 0.0)
        self._merge(returns)
        self._sum += float(equity.sum())
        self._sink(times, equity)
        self._last, self._end = float(equity[-1]), int(times[-1])

    def figures(self, periods_per_year: float) -> CurveFigures:
        """The figures so far, annualised by so many points a year."""
        deviation = sqrt(self._squares / (self._count - 1)) if self._count > 1 else 0.0
        downside = sqrt(self._losses / self._count) if self._count else 0.0
        yearly = sqrt(periods_per_year)
        fell = self._fall > 0
        return CurveFigures(
            total_return=self._last / self._first - 1.0,
            cagr=self._cagr(),
            volatility=deviation * yearly if self._count > 1 else None,
            sharpe=self._mean / deviation * yearly if _is_real(deviation) else None,
            sortino=self._mean / downside * yearly if _is_real(downside) else None,
            max_drawdown=self._fall,
            drawdown_from=to_datetime(self._fall_from) if fell else None,
            drawdown_to=to_datetime(self._fall_to) if fell else None,
            drawdown_recovered=to_datetime(self._recovered) if self._recovered else None,
            periods_per_year=periods_per_year,
        )

    @property
    def average(self) -> float:
        """Mean equity over the points."""
        return self._sum / self._count if self._count else self._first

    def _merge(self, returns: Floats) -> None:
        count, mean = len(returns), float(returns.mean())
        squares = float(((returns - mean) ** 2).sum())
        total, apart = self._count + count, mean - self._mean
        self._squares += squares + apart * apart * self._count * count / total
        self._mean += apart * count / total
        self._count = total
        self._losses += float((np.minimum(returns, 0.0) ** 2).sum())

    def _sink(self, times: Nanos, equity: Floats) -> None:
        heights = np.maximum.accumulate(np.concatenate([[self._peak], equity]))[1:]
        falls = 1.0 - equity / heights
        deepest = int(falls.argmax())
        if self._fall > 0 and self._recovered is None:
            self._recover(times, equity, 0)
        if falls[deepest] > self._fall:
            self._fall = float(falls[deepest])
            self._fall_peak, self._fall_to = float(heights[deepest]), int(times[deepest])
            top = np.flatnonzero(equity[: deepest + 1] == self._fall_peak)
            in_piece = len(top) > 0 and self._fall_peak > self._peak
            self._fall_from = int(times[top[0]]) if in_piece else self._peak_at
            self._recovered = None
            self._recover(times, equity, deepest)
        if heights[-1] > self._peak:
            self._peak = float(heights[-1])
            self._peak_at = int(times[int(np.argmax(equity == self._peak))])

    def _recover(self, times: Nanos, equity: Floats, after: int) -> None:
        again = np.flatnonzero(equity[after:] >= self._fall_peak)
        if len(again):
            self._recovered = int(times[after + int(again[0])])

    def _cagr(self) -> float | None:
        years = (self._end - self._begin) / 1e9 / _YEAR_SECONDS
        growth = self._last / self._first
        if years <= 0 or growth <= 0:
            return None
        with np.errstate(over="ignore"):
            rate = float(np.float64(growth) ** (1.0 / years)) - 1.0
        return rate if isfinite(rate) else None


def periods_per_year(times: Nanos, calendar: TradingCalendar) -> float:
    """Points of a curve a year: points a session, times the calendar's sessions a year.

    Both are means, the second over the calendar years that the curve touches.
    """
    days = calendar.session_days(times - 1)  # a point is the end of its bar
    sessions = np.unique(days[~np.isnat(days)])
    if not len(sessions):
        return 0.0
    first, last = (int(str(day)[:4]) for day in (sessions[0], sessions[-1]))
    begin, end = _new_year(first), _new_year(last + 1)
    yearly = len(calendar.sessions(begin, end)) / (last + 1 - first)
    return len(times) / len(sessions) * yearly


def trade_figures(
    trades: Sequence[Trade],
    executions: Sequence[Execution],
    times: Nanos,
    average_equity: float,
    moves: Sequence[Move] = (),
) -> TradeFigures:
    """Figures of round trips and executions; `times` are those of the equity curve.

    `moves`: shares that came or went without an execution, by a corporate action.
    """
    wins = [trade.pnl for trade in trades if trade.pnl > 0]
    losses = [trade.pnl for trade in trades if trade.pnl < 0]
    results = [trade.pnl for trade in trades]
    average, lost = _mean(results), _mean(losses)
    value = sum((one.quantity * one.price for one in executions), ZERO)
    held = [(trade.exit_at - trade.entry_at).total_seconds() for trade in trades]
    return TradeFigures(
        trades=len(trades),
        win_rate=len(wins) / len(trades) if trades else None,
        profit_factor=float(sum(wins, ZERO) / -sum(losses, ZERO)) if losses else None,
        average_trade=_cents(average),
        average_win=_cents(_mean(wins)),
        average_loss=_cents(lost),
        best_trade=max(results, default=None),
        worst_trade=min(results, default=None),
        expectancy=float(average / -lost) if average is not None and lost else None,
        average_holding_seconds=sum(held) / len(held) if held else None,
        executions=len(executions),
        turnover=float(value) / average_equity if average_equity > 0 else 0.0,
        traded_value=value,
        commissions=sum((one.commission for one in executions), ZERO),
        exposure_time=exposure_time(executions, times, moves),
    )


def exposure_time(
    executions: Sequence[Execution], times: Nanos, moves: Sequence[Move] = ()
) -> float:
    """Share of points before which something was held; a fill counts from the next point on."""
    if not len(times):
        return 0.0
    changes: dict[str, Floats] = {}
    traded = ((one.symbol, one.at, one.signed_quantity) for one in executions)
    for symbol, at, quantity in (*traded, *moves):
        quantities = changes.setdefault(symbol, np.zeros(len(times) + 1))
        quantities[int(np.searchsorted(times, to_ns(at), "right"))] += float(quantity)
    is_held = np.zeros(len(times), np.bool_)
    for quantities in changes.values():
        is_held |= np.abs(np.cumsum(quantities[:-1])) > 1e-9
    return float(is_held.mean())


def drawdowns(equity: Floats, initial: float) -> Floats:
    """At each point the fall from the highest equity so far, as a fraction."""
    heights = np.maximum.accumulate(np.concatenate([[initial], equity]))[1:]
    return 1.0 - equity / heights


def thinned(times: Nanos, equity: Floats, points: int = 2_000) -> tuple[Nanos, Floats]:
    """A curve of about so many points that keeps each stretch's first, lowest and highest."""
    if len(equity) <= points:
        return times, equity
    edges = np.linspace(0, len(equity), max(points // 3, 1) + 1).astype(np.int64)
    kept = {len(equity) - 1}
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = equity[first:last]
        kept |= {first, first + int(part.argmin()), first + int(part.argmax())}
    rows = np.array(sorted(kept), dtype=np.int64)
    return times[rows], equity[rows]


def _is_real(deviation: float) -> bool:
    """Rounding errors of a flat curve are no risk."""
    return deviation > 1e-15


def _mean(values: Sequence[Decimal]) -> Decimal | None:
    return sum(values, ZERO) / len(values) if values else None


def _cents(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(_CENT)


def _new_year(year: int) -> int:
    return int(np.datetime64(f"{year}-01-01", "ns").astype(np.int64))
