"""pairs and rotation, by what they want to hold."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.indicators.samples import bars_of, sample_bars
from app.strategies.base import Opinion, Row
from app.strategies.pairs import Pairs, Spread
from app.strategies.panel_trial import PanelTrial, panel_opinions
from app.strategies.rotation import Rotation, ranks

NAN = float("nan")
Wants = dict[str, float | None]


def exposures(strategy: Any, **closes: list[float]) -> list[Wants]:
    bars = {symbol: bars_of(values) for symbol, values in closes.items()}
    said = panel_opinions(strategy, bars)
    return [{symbol: one and one.exposure for symbol, one in row.items()} for row in said]


def at(z: float) -> dict[str, Row]:
    return {symbol: Row({"z": np.array([z])}, 0) for symbol in ("A", "B")}


def ask(strategy: Pairs, z: float, first: float = 0.0, second: float = 0.0) -> list[float]:
    said = strategy.decide(at(z), {"A": first, "B": second})
    return [opinion.exposure for opinion in said.values()]


# ------------------------------------------------------------------------------------------ pairs


def test_pairs_sells_the_dear_symbol_and_buys_the_cheap_one() -> None:
    flat = [100.0, 101.0] * 5
    wanted = exposures(Pairs(length=10, entry=2.0), A=[*flat, 110], B=[100.0] * 11)
    assert wanted[-1] == {"A": -1.0, "B": 1.0}
    wanted = exposures(Pairs(length=10, entry=2.0), A=[*flat, 90], B=[100.0] * 11)
    assert wanted[-1] == {"A": 1.0, "B": -1.0}
    assert wanted[0] == {"A": 0.0, "B": 0.0}


def test_pairs_leaves_when_the_spread_has_come_back() -> None:
    strategy = Pairs(entry=2, exit=0.5)
    assert ask(strategy, 2.5) == [-1.0, 1.0]
    assert ask(strategy, 0.6, -1, 1) == [-1.0, 1.0]
    assert ask(strategy, 0.5, -1, 1) == [0.0, 0.0]
    assert strategy.memory == Spread()


def test_pairs_that_crosses_to_the_other_side_leaves_first() -> None:
    strategy = Pairs(entry=2, exit=0.5)
    ask(strategy, -2.5)
    said = strategy.decide(at(3.0), {"A": 1.0, "B": -1.0})
    assert said["A"] == Opinion(0.0, reasons=("the spread came back: z is 3.00",))
    assert ask(strategy, 3.0) == [-1.0, 1.0]


def test_pairs_does_not_keep_one_leg_alone() -> None:
    strategy = Pairs(entry=2, exit=0.5, patience=2)
    ask(strategy, 2.5)
    assert ask(strategy, 2.5, 0, 1) == [-1.0, 1.0]
    assert ask(strategy, 2.5, 0, 1) == [-1.0, 1.0]
    said = strategy.decide(at(2.5), {"A": 0.0, "B": 1.0})
    assert said["B"] == Opinion(0.0, reasons=("one leg was alone for more than 2 bars",))
    assert ask(strategy, 2.5) == [0.0, 0.0], "it waits"
    assert ask(strategy, 0.4) == [0.0, 0.0]
    assert ask(strategy, 2.5) == [-1.0, 1.0]


def test_pairs_has_no_opinion_without_a_deviation() -> None:
    assert Pairs().decide(at(NAN), {"A": 0.0, "B": 0.0}) == {}
    assert exposures(Pairs(length=5), A=[5.0] * 8, B=[5.0] * 8)[-1] == {"A": None, "B": None}


@pytest.mark.parametrize("symbols", [["A"], ["A", "B", "C"]])
def test_pairs_takes_exactly_two_symbols(symbols: list[str]) -> None:
    with pytest.raises(InvalidInput, match="pairs trades exactly two symbols, not") as caught:
        Pairs().check_deployment(symbols, Timeframe.M1)
    assert caught.value.field == "symbols"


def test_pairs_refuses_an_exit_beyond_its_entry() -> None:
    with pytest.raises(InvalidInput, match="exit must be less than entry"):
        Pairs(entry=1, exit=1)


@given(seed=st.integers(0, 2**32 - 1), stop=st.integers(1, 180))
def test_pairs_goes_on_after_a_restart_as_if_nothing_had_happened(seed: int, stop: int) -> None:
    random = np.random.default_rng(seed)
    held = random.choice([-1.0, 0.0, 1.0], (200, 2))
    z = np.cumsum(random.normal(0, 0.7, 200))
    straight, strategy = Pairs(patience=1), Pairs(patience=1)
    for i in range(200):
        if i == stop:
            state = msgspec.json.decode(msgspec.json.encode(strategy.checkpoint()))
            strategy = Pairs(patience=1)
            strategy.restore(state)
        assert ask(strategy, z[i], *held[i]) == ask(straight, z[i], *held[i])


# --------------------------------------------------------------------------------------- rotation


def test_rotation_holds_the_strongest() -> None:
    wanted = exposures(Rotation(length=1), A=[100, 110, 110], B=[100, 105, 120])
    assert wanted == [{"A": 1.0, "B": 0.0}, {"A": 0.0, "B": 1.0}]


def test_rotation_keeps_cash_in_a_fall_unless_told_otherwise() -> None:
    closes = {"A": [100.0, 90.0], "B": [100.0, 95.0]}
    assert exposures(Rotation(length=1), **closes) == [{"A": 0.0, "B": 0.0}]
    assert exposures(Rotation(length=1, rising=False), **closes) == [{"A": 0.0, "B": 1.0}]


def test_rotation_does_not_rank_what_is_not_listed_long_enough() -> None:
    wanted = exposures(Rotation(length=1), A=[NAN, 100, 150], B=[100, 105, 110])
    assert wanted == [{"A": 0.0, "B": 1.0}, {"A": 1.0, "B": 0.0}]


def test_rotation_has_no_opinion_before_any_momentum() -> None:
    bars = {"A": bars_of([1.0, 2, 3, 4]), "B": bars_of([1.0, 2, 3, 4])}
    said = panel_opinions(Rotation(length=2), bars, "1h")
    assert said == [{"A": None, "B": None}] * 4


def test_rotation_changes_when_a_day_closes() -> None:
    strategy = Rotation(length=1)
    bars = {symbol: sample_bars(7 * 30, i) for i, symbol in enumerate("AB")}
    trial = PanelTrial(strategy, bars, Timeframe.H1)
    panel = trial.panel(len(trial.ends))
    wanted = strategy.prepare(panel)["A"]["exposure"]
    turns = np.flatnonzero(np.diff(np.nan_to_num(wanted)) != 0) + 1
    ends_of_days = np.flatnonzero(np.diff(panel.session, append=0) != 0)
    assert len(turns) > 5
    assert set(turns.tolist()) <= set(ends_of_days.tolist())


def test_rotation_cuts_the_capital_into_as_many_parts_as_it_holds() -> None:
    assert Rotation(strongest=3).shares(10) == 3


def test_rotation_needs_more_symbols_than_it_holds() -> None:
    Rotation(strongest=2).check_deployment(["A", "B", "C"], Timeframe.D1)
    with pytest.raises(InvalidInput, match="name at least 3, not 2") as caught:
        Rotation(strongest=2).check_deployment(["A", "B"], Timeframe.D1)
    assert caught.value.field == "symbols"


def test_ranks_begin_with_the_strongest_and_settle_ties_by_order() -> None:
    strength = np.array([[1.0, NAN], [3.0, 2.0], [3.0, NAN]])
    found = ranks(strength)
    assert found[:, 0].tolist() == [3.0, 1.0, 2.0]
    assert found[1, 1] == 1.0
    assert np.isnan(found[[0, 2], 1]).all()
