"""The built-in strategies, by what they want to hold."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import InvalidInput
from app.indicators.samples import bars_of, sample_bars
from app.strategies.base import Opinion, Row, Strategy
from app.strategies.breakout import Breakout, Trail
from app.strategies.buy_and_hold import BuyAndHold
from app.strategies.catalog import built_in
from app.strategies.rsi_reversion import RsiReversion
from app.strategies.sma_cross import SmaCross
from app.strategies.trial import opinions

SINGLE = [kind for kind in built_in() if issubclass(kind, Strategy)]
"Those that see one symbol; panels have a file of their own."


def exposures(strategy: Strategy, closes: list[float]) -> list[float | None]:
    return [said and said.exposure for said in opinions(strategy, bars_of(closes))]


def row(**columns: float) -> Row:
    return Row({name: np.array([value]) for name, value in columns.items()}, 0)


def at(close: float, upper: float = 100.0, lower: float = 80.0, atr: float = 2.0) -> Row:
    return row(close=close, upper=upper, lower=lower, atr=atr)


def test_buy_and_hold_holds() -> None:
    assert exposures(BuyAndHold(), [1, 2, 3]) == [1.0, 1.0, 1.0]
    assert exposures(BuyAndHold(exposure=0.5), [1]) == [0.5]


def test_sma_cross_is_long_while_the_fast_average_is_above() -> None:
    assert exposures(SmaCross(fast=1, slow=2), [10, 11, 12, 9]) == [1.0, 1.0, 0.0]


def test_sma_cross_goes_short_when_allowed() -> None:
    assert exposures(SmaCross(fast=1, slow=2, short=True), [10, 11, 9]) == [1.0, -1.0]


def test_sma_cross_has_no_opinion_before_both_averages_exist() -> None:
    columns = SmaCross(fast=1, slow=3).prepare(bars_of([10, 11, 12]))
    assert np.isnan(columns["exposure"]).tolist() == [True, True, False]


def test_sma_cross_refuses_a_fast_average_that_is_not_faster() -> None:
    with pytest.raises(InvalidInput, match="fast must be less than slow: 30 is not less than 30"):
        SmaCross(fast=30, slow=30)


def test_rsi_reversion_buys_a_fall_and_leaves_after_the_recovery() -> None:
    strategy = RsiReversion(length=2)
    columns = strategy.prepare(bars_of([100, 99, 98, 98.5, 101, 104]))
    assert columns["rsi"][2] == 0.0
    assert columns["exposure"][2] == 1.0
    assert columns["exposure"][-1] == 0.0


def test_rsi_reversion_has_no_opinion_in_between() -> None:
    strategy = RsiReversion(length=2, oversold=30, recovered=60)
    columns = strategy.prepare(bars_of([100, 99, 98, 98.8]))
    assert 30 < columns["rsi"][3] < 60
    assert np.isnan(columns["exposure"][3])


def test_rsi_reversion_does_not_buy_what_never_moved() -> None:
    assert np.isnan(RsiReversion(length=2).prepare(bars_of([5.0] * 9))["exposure"]).all()


def test_rsi_reversion_sells_short_when_overbought_if_allowed() -> None:
    strategy = RsiReversion(length=2, short=True)
    columns = strategy.prepare(bars_of([100, 101, 102]))
    assert columns["exposure"][2] == -1.0


def test_rsi_reversion_refuses_levels_in_the_wrong_order() -> None:
    with pytest.raises(InvalidInput, match="recovered must be above oversold"):
        RsiReversion(oversold=40, recovered=40)


def test_breakout_waits_for_a_new_high() -> None:
    strategy = Breakout()
    assert strategy.decide(at(99), 0.0) == Opinion(0.0)
    assert strategy.decide(at(101), 0.0) == Opinion(
        1.0, stop_loss=95.0, reasons=("close 101 is above 100",)
    )


def test_the_stop_of_a_breakout_follows_and_never_goes_back() -> None:
    strategy = Breakout()
    stops = [strategy.decide(at(close), 1.0) for close in (101, 105, 103)]
    assert [said.stop_loss for said in stops if said] == [95.0, 99.0, 99.0]
    wider = strategy.decide(at(104, atr=4), 1.0)
    assert wider is not None
    assert wider.stop_loss == 99.0


def test_a_breakout_leaves_when_the_close_reaches_the_stop() -> None:
    strategy = Breakout()
    strategy.decide(at(101), 0.0)
    said = strategy.decide(at(94), 1.0)
    assert said == Opinion(0.0, reasons=("close 94 reached the stop 95",))
    assert strategy.memory == Trail()


def test_a_breakout_knows_when_the_broker_stopped_it_out() -> None:
    strategy = Breakout()
    strategy.decide(at(101), 0.0)
    strategy.decide(at(102), 1.0)
    said = strategy.decide(at(99), 0.0)
    assert said == Opinion(0.0, reasons=("stopped out at 96",))


def test_a_breakout_keeps_its_wish_while_it_was_never_filled() -> None:
    strategy = Breakout()
    strategy.decide(at(101), 0.0)
    said = strategy.decide(at(102), 0.0)
    assert said is not None
    assert said.exposure == 1.0


def test_a_breakout_downwards_is_short_only_when_allowed() -> None:
    assert Breakout().decide(at(79), 0.0) == Opinion(0.0)
    strategy = Breakout(short=True)
    assert strategy.decide(at(79), 0.0) == Opinion(
        -1.0, stop_loss=85.0, reasons=("close 79 is below 80",)
    )
    assert strategy.decide(at(86), -1.0) == Opinion(0.0, reasons=("close 86 reached the stop 85",))


def test_a_breakout_has_no_opinion_without_values() -> None:
    assert Breakout().decide(at(101, upper=float("nan")), 0.0) is None


def test_a_stop_below_zero_is_no_stop() -> None:
    said = Breakout(stop_ranges=50).decide(at(101, atr=5), 0.0)
    assert said is not None
    assert said.stop_loss is None


@pytest.mark.parametrize("kind", SINGLE, ids=lambda kind: kind.name)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 300))
def test_appending_bars_changes_no_earlier_bit(kind: type[Strategy], seed: int, cut: int) -> None:
    bars = sample_bars(300, seed)
    whole = kind().prepare(bars)
    part = kind().prepare({name: column[:cut] for name, column in bars.items()})
    for name, column in part.items():
        assert np.array_equal(column, whole[name][:cut], equal_nan=True), name


@pytest.mark.parametrize("kind", SINGLE, ids=lambda kind: kind.name)
def test_the_declared_columns_are_those_of_prepare(kind: type[Strategy]) -> None:
    assert set(kind.columns) == set(kind().prepare(sample_bars(10)))


@given(seed=st.integers(0, 2**32 - 1), stop=st.integers(1, 249))
def test_a_breakout_goes_on_after_a_restart_as_if_nothing_had_happened(
    seed: int, stop: int
) -> None:
    strategy = Breakout(length=5, atr_length=3, stop_ranges=1.5, short=True)
    columns = strategy.prepare(sample_bars(250, seed, step=0.01))
    said: list[Any] = []
    held = 0.0
    for index in range(250):
        if index == stop:
            state = msgspec.json.decode(msgspec.json.encode(strategy.checkpoint()))
            strategy = Breakout(length=5, atr_length=3, stop_ranges=1.5, short=True)
            strategy.restore(state)
        opinion = strategy.decide(Row(columns, index), held)
        held = held if opinion is None else opinion.exposure
        said.append(opinion)
    straight = Breakout(length=5, atr_length=3, stop_ranges=1.5, short=True)
    held = 0.0
    for index, expected in enumerate(said):
        opinion = straight.decide(Row(columns, index), held)
        held = held if opinion is None else opinion.exposure
        assert opinion == expected
