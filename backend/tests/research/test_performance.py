"""Figures against independent formulas, and against hand calculations."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from app.domain.executions import Execution
from app.domain.portfolio import Trade
from app.marketdata.batch import to_datetime, to_ns
from app.marketdata.calendar import trading_calendar
from app.research.performance import (
    CurveTally,
    drawdowns,
    exposure_time,
    periods_per_year,
    thinned,
    trade_figures,
)
from tests.factories import make_batch, utc

START = utc("2024-01-02 14:30")
MINUTE = 60_000_000_000


def times(count: int) -> np.ndarray:
    return to_ns(START) + MINUTE * np.arange(1, count + 1)


def curve(seed: int, count: int = 500) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(0.0001, 0.01, count)
    return 100_000 * np.cumprod(1 + steps)


def tallied(equity: np.ndarray, pieces: list[int], initial: float = 100_000) -> CurveTally:
    tally = CurveTally(START, initial)
    at = times(len(equity))
    for first, last in zip([0, *pieces], [*pieces, len(equity)], strict=True):
        tally.add(at[first:last], equity[first:last])
    return tally


@pytest.mark.parametrize("pieces", [[], [1], [250], [1, 2, 3, 4], [100, 100, 499]])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ratios_are_those_of_the_textbook_however_the_curve_is_cut(
    seed: int, pieces: list[int]
) -> None:
    equity, year = curve(seed), 98_280.0
    returns = np.diff(np.concatenate([[100_000], equity])) / np.concatenate(
        [[100_000], equity[:-1]]
    )
    losses = np.sqrt(np.mean(np.minimum(returns, 0) ** 2))

    found = tallied(equity, pieces).figures(year)

    assert found.total_return == pytest.approx(equity[-1] / 100_000 - 1)
    assert found.volatility == pytest.approx(np.std(returns, ddof=1) * np.sqrt(year))
    assert found.sharpe == pytest.approx(np.mean(returns) / np.std(returns, ddof=1) * np.sqrt(year))
    assert found.sortino == pytest.approx(np.mean(returns) / losses * np.sqrt(year))
    years = 500 * 60 / (365.25 * 86_400)
    assert found.cagr == pytest.approx((equity[-1] / 100_000) ** (1 / years) - 1)


@pytest.mark.parametrize("pieces", [[], [3], [1, 2, 3, 4, 5, 6, 7, 8], [200]])
@pytest.mark.parametrize("seed", range(6))
def test_the_largest_drawdown_is_that_of_a_plain_double_loop(seed: int, pieces: list[int]) -> None:
    equity = np.round(curve(seed, 300), -1)  # rounded, so that heights are equal now and then
    worst, peak_at, trough = 0.0, 0, 0
    path = [100_000.0, *equity.tolist()]
    for low in range(len(path)):
        for high in range(low):
            fall = 1 - path[low] / path[high]
            if fall > worst:
                worst, peak_at, trough = fall, high, low
    at = [to_ns(START), *times(300).tolist()]
    again = [i for i in range(trough, 301) if path[i] >= path[peak_at]]

    found = tallied(equity, pieces).figures(1)

    assert found.max_drawdown == pytest.approx(worst)
    assert found.drawdown_from == to_datetime(at[peak_at])
    assert found.drawdown_to == to_datetime(at[trough])
    assert found.drawdown_recovered == (to_datetime(at[again[0]]) if again else None)
    assert drawdowns(equity, 100_000).max() == pytest.approx(worst)


def test_a_recovery_in_a_later_piece_is_noticed() -> None:
    found = tallied(np.array([120.0, 90.0, 100.0, 121.0]), [2, 3], initial=100).figures(1)

    assert found.max_drawdown == pytest.approx(0.25)
    assert found.drawdown_recovered == START + timedelta(minutes=4)


def test_figures_that_do_not_exist_are_none() -> None:
    flat = tallied(np.full(10, 100_000.0), []).figures(98_280)
    assert (flat.sharpe, flat.sortino, flat.drawdown_from) == (None, None, None)
    assert (flat.total_return, flat.max_drawdown, flat.volatility) == (0.0, 0.0, 0.0)

    empty = CurveTally(START, 100.0).figures(1)
    assert (empty.cagr, empty.volatility, empty.sharpe) == (None, None, None)

    ruined = tallied(np.array([50_000.0, -10.0]), []).figures(1)
    assert ruined.cagr is None

    doubled = tallied(np.array([1e300]), []).figures(1)
    assert doubled.cagr is None  # a year of that would be more than a number can hold


def test_an_empty_piece_changes_nothing_and_the_average_is_that_of_the_points() -> None:
    tally = tallied(np.array([110.0, 130.0]), [], initial=100)
    tally.add(times(0), np.array([]))

    assert tally.average == 120
    assert CurveTally(START, 100.0).average == 100


def test_a_curve_cannot_begin_without_money() -> None:
    with pytest.raises(ValueError, match="above zero"):
        CurveTally(START, 0)


def test_a_year_has_the_sessions_of_the_calendar_and_the_points_of_a_session() -> None:
    calendar = trading_calendar()
    day = make_batch([1.0] * 390)
    assert periods_per_year(day.end, calendar) == 390 * 252  # 2024 has 252 sessions

    half = make_batch([1.0] * 390)[::2]
    assert periods_per_year(half.end, calendar) == 195 * 252

    assert periods_per_year(np.array([], dtype=np.int64), calendar) == 0


def make_trade(pnl: str, minutes: int = 30) -> Trade:
    return Trade(
        trade_id=pnl,
        ledger="d1",
        symbol="AAPL",
        quantity=Decimal(10),
        entry_price=Decimal(100),
        exit_price=Decimal(101),
        entry_at=START,
        exit_at=START + timedelta(minutes=minutes),
        commission=Decimal(2),
        pnl=Decimal(pnl),
    )


def make_execution(side: str, quantity: int, minute: float, symbol: str = "AAPL") -> Execution:
    return Execution(
        execution_id=f"{symbol}{minute}",
        broker="paper",
        client_order_id="o",
        ledger="d1",
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(100),
        commission=Decimal(1),
        at=START + timedelta(minutes=minute),
    )


def test_trades_are_counted_as_by_hand() -> None:
    trades = [make_trade("30", 10), make_trade("-10", 20), make_trade("-20", 60), make_trade("0")]
    executions = [make_execution("buy", 10, 0), make_execution("sell", 10, 5)]

    found = trade_figures(trades, executions, times(10), 1_000)

    assert (found.trades, found.executions) == (4, 2)
    assert found.win_rate == 0.25
    assert found.profit_factor == 1.0
    assert (found.average_trade, found.average_win, found.average_loss) == (0, 30, -15)
    assert (found.best_trade, found.worst_trade) == (30, -20)
    assert found.expectancy == 0
    assert found.average_holding_seconds == 30 * 60
    assert (found.traded_value, found.turnover, found.commissions) == (2_000, 2.0, 2)


def test_without_trades_there_are_no_averages() -> None:
    found = trade_figures([], [], times(0), 0)

    assert (found.win_rate, found.profit_factor, found.average_trade, found.expectancy) == (
        (None,) * 4
    )
    assert (found.exposure_time, found.turnover) == (0, 0)


def test_time_in_the_market_counts_a_bar_in_which_anything_is_held() -> None:
    executions = [
        make_execution("buy", 10, 2),  # at the open of the third minute
        make_execution("buy", 5, 4, "IBM"),
        make_execution("sell", 10, 5),
        make_execution("sell", 5, 8, "IBM"),
    ]

    assert exposure_time(executions, times(10)) == 0.6


def test_a_thinned_curve_keeps_its_heights_and_depths() -> None:
    equity = curve(4, 10_000)
    at, kept = thinned(times(10_000), equity, 300)

    assert len(kept) <= 301
    assert (kept.min(), kept.max(), kept[-1]) == (equity.min(), equity.max(), equity[-1])
    assert np.all(np.diff(at) > 0)
    assert thinned(times(5), equity[:5], 300)[1] is not None


def test_times_are_utc() -> None:
    falling = tallied(np.array([90.0]), [], initial=100).figures(1)
    assert falling.drawdown_from == datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
