"""A process that dies between any two transactions loses nothing and doubles nothing."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.events import INPUT_TYPES, OrderFilled, SliceClosed, encode
from app.domain.market import SliceOpened, Timeframe
from app.domain.ports import Entry
from app.engine.driver import Driver, Item
from app.engine.engine import AccountSetup, Engine
from app.engine.history import Windows
from app.engine.journal import TIME, MemoryJournal
from app.engine.paper import PaperBroker
from app.engine.state import EngineState
from app.marketdata.batch import BarBatch, to_ns
from app.research.feed import Feed
from app.research.market import Market, series_of
from tests.markets import CALENDAR, LIMITS, MODELS, STRATEGIES, make_strategy, random_batches
from tests.trading import finish, start_command

CASH = Decimal(100_000)
Setup = dict[str, Any]


class Killed(Exception):
    """The process is gone."""


class Mortal(MemoryJournal):
    """Commits so many transactions, then takes the process down with it."""

    def __init__(self, lives: int) -> None:
        super().__init__(keeps_time=True)
        self.lives = lives

    async def append(self, entries: Sequence[Entry]) -> int:
        if self.lives == 0:
            raise Killed
        self.lives -= 1
        return await super().append(entries)


def engine_of(setup: Setup, windows: Windows) -> Engine:
    account = AccountSetup(account_id=0, cash=CASH, limits=setup["limits"])
    return Engine(account, strategies=make_strategy, histories=windows)


def items_of(setup: Setup, batches: Sequence[BarBatch]) -> list[Item]:
    series = [series_of(batch, CALENDAR) for batch in batches]
    market = Market(series, CALENDAR)
    engine, broker = engine_of(setup, Windows()), PaperBroker()
    found: list[Item] = [start_command(setup["strategy"], market)]

    async def collect() -> None:
        feed = Feed(market, engine, broker, visit_all=True)
        found.extend([item async for item in feed.items()])

    finish(collect())
    return found


def recovered(
    setup: Setup,
    batches: Sequence[BarBatch],
    checkpoint: bytes | None,
    after: int,
    journal: MemoryJournal,
) -> Driver:
    """A new process: checkpoint, journaled inputs after it, the book from the stream."""
    windows = Windows()
    state = None if checkpoint is None else msgspec.json.decode(checkpoint, type=EngineState)
    end = 0 if state is None or state.slice_end is None else to_ns(state.slice_end)
    for batch in batches:
        series = series_of(batch, CALENDAR)
        windows.preload(series.rows(0, int((series.end <= end).sum())))
    engine = engine_of(setup, windows)
    if state is not None:
        engine.restore(state)
    caused = [entry.event for entry in journal.entries[after:] if entry.cause is not None]
    again = [
        fact
        for entry in journal.entries[after:]
        if type(entry.event) in INPUT_TYPES and entry.cause is None
        for fact in engine.handle(entry.event)  # type: ignore[arg-type]  # it is an input
    ]
    assert [encode(e) for e in again] == [encode(e) for e in caused]
    broker = PaperBroker(setup["model"])
    broker.restore(journal.events)
    return Driver(engine, broker, journal)


def later(items: Sequence[Item], engine: Engine) -> list[Item]:
    """What a feed gives after a restart: all that is not older than the last slice handled."""
    end = engine.slice_end
    for index in range(len(items) - 1, -1, -1):
        item = items[index]
        if isinstance(item, SliceClosed) and end is not None and item.end <= end:
            return list(items[index + 1 :])
    return list(items if end is None and not engine.deployments else items[1:])


def told(journal: Any) -> list[bytes]:
    return [encode(event) for event in journal.events if type(event) not in TIME]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {
            "strategy": st.sampled_from(sorted(STRATEGIES)),
            "limits": st.sampled_from(LIMITS),
            "model": st.sampled_from(MODELS),
        }
    ),
    st.integers(0, 10**6),
    st.sampled_from([Timeframe.M1, Timeframe.H1]),
    st.integers(0, 250),
    st.integers(0, 60),
)
def test_killed_between_any_two_transactions(
    setup: Setup, seed: int, timeframe: Timeframe, lives: int, kept: int
) -> None:
    batches = random_batches(seed, timeframe, 60, 2)
    items = items_of(setup, batches)
    whole = Driver(engine_of(setup, Windows()), PaperBroker(setup["model"]), Mortal(10**9))
    for item in items:
        finish(whole.step(item))

    journal = Mortal(lives)
    driver = Driver(engine_of(setup, Windows()), PaperBroker(setup["model"]), journal)
    checkpoint, after = None, 0
    for number, item in enumerate(items):
        if number == kept:
            checkpoint, after = msgspec.json.encode(driver.engine.state()), len(journal.entries)
        try:
            finish(driver.step(item))
        except Killed:
            break
    else:
        return
    journal.lives = 10**9
    driver = recovered(setup, batches, checkpoint, after, journal)
    at = driver.engine.now
    if at is not None:
        finish(driver.recover(at))
    for item in later(items, driver.engine):
        finish(driver.step(item))

    assert told(journal) == told(whole.journal)
    ids = [e.execution.execution_id for e in journal.events if isinstance(e, OrderFilled)]
    assert len(ids) == len(set(ids))
    assert driver.engine.state() == whole.engine.state()


def test_a_resumed_feed_gives_the_open_of_the_unfinished_bar_again() -> None:
    setup = {"limits": LIMITS[0], "strategy": "sma_cross"}
    items = items_of(setup, random_batches(1, Timeframe.M1, 5, 1))
    engine = engine_of(setup, Windows())
    for item in items[:4]:
        if not isinstance(item, SliceOpened):
            engine.handle(item)
    assert isinstance(later(items, engine)[0], SliceOpened)
