"""The laws of the engine for panels: symbols with many holes, and some that are listed late."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.market import Timeframe
from app.engine.driver import Driver, drive
from app.engine.engine import AccountSetup, Engine
from app.engine.history import Tapes
from app.engine.journal import MemoryJournal
from app.engine.paper import PaperBroker
from app.research.feed import Feed
from app.research.market import Market, series_of
from tests.laws import test_engine as laws
from tests.markets import CALENDAR, LIMITS, MODELS, make_strategy, random_batches
from tests.panels import PANELS
from tests.trading import finish, start_command


@dataclass(frozen=True)
class PanelCase(laws.Case):
    """A random world of symbols that trade now and then; the last is listed `late` bars on."""

    sparse: float = 0.0
    late: int = 0

    @property
    def batches(self) -> Any:
        random = np.random.default_rng(self.seed + 1)
        whole = random_batches(self.seed, self.timeframe, self.length, self.symbols, wild=self.wild)
        *others, last = [one[random.random(len(one)) >= self.sparse] for one in whole]
        found = [*others, last[min(self.late, len(last) - 1) :]] if len(last) else [*others, last]
        return [one for one in found if len(one)] or whole


cases = st.builds(
    PanelCase,
    seed=st.integers(0, 10**6),
    strategy=st.sampled_from(sorted(PANELS)),
    timeframe=st.sampled_from([Timeframe.M1, Timeframe.H1, Timeframe.D1]),
    length=st.integers(10, 120),
    symbols=st.integers(2, 4),
    limits=st.sampled_from(LIMITS),
    model=st.sampled_from(MODELS),
    wild=st.sampled_from([0.003, 0.01, 0.03]),
    sparse=st.sampled_from([0.0, 0.2, 0.6]),
    late=st.sampled_from([0, 5, 40]),
)
law = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def of(test: Any) -> Callable[..., None]:
    """The law itself, without the cases that its own test draws."""
    inner: Callable[..., None] = test.hypothesis.inner_test
    return inner


@law
@given(cases)
def test_skipping_quiet_slices_changes_no_decision(case: PanelCase) -> None:
    of(laws.test_skipping_quiet_bars_changes_no_decision)(case)


@law
@given(cases)
def test_a_tape_and_a_window_tell_the_same_story(case: PanelCase) -> None:
    of(laws.test_a_tape_and_a_window_tell_the_same_story)(case)


@law
@given(cases, st.integers(1, 119))
def test_the_future_never_changes_the_past(case: PanelCase, cut: int) -> None:
    of(laws.test_the_future_never_changes_the_past)(case, cut)


@law
@given(cases, st.integers(0, 400))
def test_a_restart_in_the_middle_goes_on_as_if_nothing_had_been(case: PanelCase, cut: int) -> None:
    of(laws.test_a_restart_in_the_middle_goes_on_as_if_nothing_had_been)(case, cut)


@law
@given(cases, st.sampled_from(["sma_cross", "trailing", "leader", "relay"]))
def test_skipping_changes_nothing_for_panels_beside_others(case: PanelCase, other: str) -> None:
    assert beside(case, other, visit_all=False) == beside(case, other, visit_all=True)


def beside(case: PanelCase, other: str, *, visit_all: bool) -> str:
    """The journal's hash of an account on which a second strategy trades the same symbols."""
    series = [series_of(batch, CALENDAR) for batch in case.batches]
    market = Market(series, CALENDAR)
    engine = Engine(
        AccountSetup(account_id=0, cash=laws.CASH, limits=case.limits),
        strategies=make_strategy,
        histories=Tapes(series),
    )
    broker, journal = PaperBroker(case.model), MemoryJournal()
    driver = Driver(engine, broker, journal)
    first = start_command(case.strategy, market)
    first.payload["symbols"] = list(market.tracks)[:2]  # it has no row where only others trade
    payload = {**start_command(other, market).payload, "deployment_id": 2}
    for command in (first, msgspec.structs.replace(first, command_id=2, payload=payload)):
        finish(driver.step(command))
    finish(drive(Feed(market, engine, broker, visit_all=visit_all).items(), driver))
    return journal.hash
