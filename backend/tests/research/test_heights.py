"""A drawdown between visited slices is found where it happened, not where somebody looked next."""

from decimal import Decimal
from typing import Any

import pytest

from app.domain.events import TradingHalted
from app.domain.instruments import Instrument
from app.domain.market import Timeframe
from app.research.heights import Heights
from tests.markets import FALLING, MODELS, random_backtest, random_batches

CASES = [(2, 2), (6, 1), (16, 1), (17, 1), (30, 1)]
"Seeds and numbers of symbols whose equity falls to the limit and recovers unseen."


@pytest.mark.parametrize(("seed", "symbols"), CASES)
def test_a_fall_that_recovers_unseen_latches_where_it_was(seed: int, symbols: int) -> None:
    batches = random_batches(seed, Timeframe.M1, 120, symbols, wild=0.01)
    every = random_backtest(batches, limits=FALLING, model=MODELS[0], visit_all=True)
    some = random_backtest(batches, limits=FALLING, model=MODELS[0])
    assert any(isinstance(event, TradingHalted) for event in every.journal.events)
    assert some.journal_hash == every.journal_hash


def test_a_fall_of_contracts_counts_their_multiplier() -> None:
    batches = random_batches(2, Timeframe.M1, 120, 2, wild=0.01)
    known = {"S0": Instrument("S0", multiplier=Decimal(10)), "S1": Instrument("S1")}
    given: dict[str, Any] = {"limits": FALLING, "model": MODELS[0], "instruments": known}
    every = random_backtest(batches, visit_all=True, **given)
    some = random_backtest(batches, **given)
    assert any(one.symbol == "S0" for one in every.executions)
    assert any(isinstance(event, TradingHalted) for event in every.journal.events)
    assert some.journal_hash == every.journal_hash
    assert every.equity[-1] == pytest.approx(float(every.final_equity))


def test_these_cases_need_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Heights, "fall", lambda self, k, best: best)
    different = 0
    for seed, symbols in CASES:
        batches = random_batches(seed, Timeframe.M1, 120, symbols, wild=0.01)
        every = random_backtest(batches, limits=FALLING, model=MODELS[0], visit_all=True)
        some = random_backtest(batches, limits=FALLING, model=MODELS[0])
        different += some.journal_hash != every.journal_hash
    assert different == len(CASES)
