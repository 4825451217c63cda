"""A drawdown between visited slices is found where it happened, not where somebody looked next."""

import pytest

from app.domain.events import TradingHalted
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


def test_these_cases_need_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Heights, "fall", lambda self, k, best: best)
    different = 0
    for seed, symbols in CASES:
        batches = random_batches(seed, Timeframe.M1, 120, symbols, wild=0.01)
        every = random_backtest(batches, limits=FALLING, model=MODELS[0], visit_all=True)
        some = random_backtest(batches, limits=FALLING, model=MODELS[0])
        different += some.journal_hash != every.journal_hash
    assert different == len(CASES)
