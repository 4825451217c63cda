"""Backtests: what is traded, what is refused, and figures that agree with each other."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from app.core.errors import InvalidInput
from app.domain.events import DeploymentFailed, SignalRaised
from app.domain.instruments import Instrument
from app.domain.limits import UNLIMITED
from app.domain.market import Timeframe
from app.domain.matching import FREE
from app.domain.orders import OrderType, TimeInForce
from app.engine.engine import AccountSetup, Engine
from app.engine.history import Tapes
from app.engine.paper import PaperBroker
from app.marketdata.batch import BarBatch, to_datetime
from app.research.backtest import _finish, equity_curve, fingerprint_of, run_backtest
from app.research.feed import Feed
from app.research.market import Market, series_of
from tests.markets import CALENDAR, make_strategy, random_backtest, random_batches
from tests.trading import finish, make_execution, make_order

D = Decimal


def batch_of(length: int = 300, symbols: int = 1) -> list[BarBatch]:
    return random_batches(7, Timeframe.M1, length, symbols)


def test_the_equity_ends_where_the_account_does() -> None:
    result = random_backtest(batch_of(), limits=UNLIMITED, model=FREE)
    assert result.equity[-1] == pytest.approx(float(result.final_equity), rel=1e-12)
    assert result.equity[0] == 100_000
    assert len(result.equity) == len(result.times) == result.bars
    assert result.visited < result.bars
    assert result.trades
    assert len(result.executions) > len(result.trades)


def test_only_bars_between_start_and_end_are_traded() -> None:
    batches = batch_of(600)
    start, end = to_datetime(batches[0].start[200]), to_datetime(batches[0].end[399])
    result = random_backtest(batches, limits=UNLIMITED, start=start, end=end)
    assert result.bars == 200
    signals = [e.signal for e in result.journal.events if isinstance(e, SignalRaised)]
    assert signals[0].at == to_datetime(batches[0].end[200]), "earlier bars have warmed it"
    assert start <= signals[0].at <= signals[-1].at <= end


def test_without_events_the_hash_and_the_trades_remain() -> None:
    kept, bare = (random_backtest(batch_of(), keeps_events=flag) for flag in (True, False))
    assert bare.journal_hash == kept.journal_hash
    assert bare.trades == kept.trades
    assert bare.journal.events == []


def test_many_events_are_hashed_in_batches_without_a_difference() -> None:
    result = random_backtest(batch_of(2500), limits=UNLIMITED)
    assert result.journal.count > 1000
    assert result.journal_hash == random_backtest(batch_of(2500), limits=UNLIMITED).journal_hash


def test_other_bars_have_another_fingerprint() -> None:
    one, two = batch_of(symbols=2)
    assert fingerprint_of([one, two]) == fingerprint_of([two, one])
    assert fingerprint_of([one]) != fingerprint_of([two])


@pytest.mark.parametrize("strategy", ["fragile", "brittle"])
@pytest.mark.parametrize("visit_all", [True, False])
def test_a_failing_strategy_ends_its_trading_with_its_traceback(
    strategy: str, visit_all: bool
) -> None:
    result = random_backtest(batch_of(), strategy, limits=UNLIMITED, visit_all=visit_all)
    (failed,) = [e for e in result.journal.events if isinstance(e, DeploymentFailed)]
    assert failed.traceback is not None
    assert "markets.py" in failed.traceback
    assert "research" not in failed.traceback


def test_there_must_be_bars_of_the_right_timeframe() -> None:
    (batch,) = batch_of()
    for bars, field in (([], "symbols"), ([replace(batch, timeframe=Timeframe.M5)], "timeframe")):
        with pytest.raises(InvalidInput) as refused:
            run(bars)
        assert refused.value.field == field
    with pytest.raises(InvalidInput, match="no bars"):
        run([batch], start=datetime.max.replace(year=2090, tzinfo=to_datetime(0).tzinfo))


def run(bars: list[BarBatch], **given: Any) -> Any:
    return run_backtest(
        "levels",
        strategies=make_strategy,
        bars=bars,
        timeframe=Timeframe.M1,
        calendar=CALENDAR,
        **given,
    )


def test_an_unknown_parameter_is_told_at_once() -> None:
    with pytest.raises(TypeError):
        run(batch_of(), parameters={"nonsense": 1})


def test_half_ticks_are_rounded_as_money_is() -> None:
    (batch,) = batch_of(5)
    batch.rows["close"] = [1.005, 1.015, 2.675, 1.0, 1.03]
    market = Market([series_of(batch, CALENDAR)], CALENDAR)
    grid = Instrument("S0")
    curve = equity_curve(market, [fill(market)], D(0), {})
    expected = [float(grid.price(close)) for close in batch.rows["close"]]
    assert curve == pytest.approx(np.array(expected) - 1.0, abs=1e-12)


def fill(market: Market) -> Any:
    first = to_datetime(int(market.ends[0]))
    return make_execution(1, 1, symbol="S0", at=first - timedelta(minutes=1), execution_id="a:b:0")


def test_a_backtest_never_waits_for_anything() -> None:
    class Waiting:
        def __await__(self) -> Any:
            yield

    async def waits() -> None:
        await Waiting()

    with pytest.raises(RuntimeError, match="waited"):
        _finish(waits())


def test_days_outside_the_calendar_begin_and_end_with_their_bars() -> None:
    (batch,) = batch_of(10)
    sunday = batch.rows.copy()
    shift = 6 * 86_400 * 10**9
    sunday["start"] += shift
    sunday["end"] += shift
    series = series_of(batch, CALENDAR)
    day = to_datetime(int(sunday["start"][0])).date()
    while CALENDAR.session_on(day) is not None:
        day += timedelta(days=1)
    ordinals = np.full(10, float(day.toordinal()))
    odd = replace(series, columns={**series.columns, "session": ordinals})
    market = Market([odd], CALENDAR)
    assert market.days[0].open == to_datetime(int(series.start[0]))
    assert market.days[0].close == to_datetime(int(series.end[-1]))


def test_bars_of_one_slice_may_begin_at_different_times() -> None:
    one, two = batch_of(3, symbols=2)
    two.rows["start"] += 10**9
    market = Market([series_of(batch, CALENDAR) for batch in (one, two)], CALENDAR)
    opened = market.opened(0, market.days[0])
    assert [sorted(item.opens) for item in opened] == [["S0"], ["S1"]]


def test_resting_orders_are_visited_when_a_bar_comes_near() -> None:
    (batch,) = batch_of(60)
    series = series_of(batch, CALENDAR)
    market = Market([series], CALENDAR)
    engine = Engine(
        AccountSetup(account_id=0, cash=D(1000)),
        strategies=make_strategy,
        histories=Tapes([series]),
    )
    broker = PaperBroker(FREE)
    feed = Feed(market, engine, broker)
    at = market.days[0].open
    target = float(series.columns["low"].min())
    orders = {
        "limit": {"type": OrderType.LIMIT, "limit_price": target},
        "ioc": {"time_in_force": TimeInForce.IOC, "type": OrderType.LIMIT, "limit_price": 1},
        "far": {"type": OrderType.LIMIT, "limit_price": 0.01},
    }
    first = {}
    for name, terms in orders.items():
        order = make_order(client_order_id=name, symbol="S0", at=at, **terms)
        broker.matcher.resting.clear()
        finish(broker.submit(order, at))
        first[name] = feed._order_slice(0, False, len(batch))
    assert first["ioc"] == 0
    assert first["far"] == len(batch)
    assert series.columns["low"][first["limit"]] <= target + 0.011
    assert feed._order_slice(len(batch), False, len(batch)) == len(batch)
