"""Laws of corporate actions, on random markets, strategies, actions and limits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.events import (
    CashMoved,
    CorporateActionDue,
    Event,
    OrderFilled,
    PositionAdjusted,
    encode,
    occurred_at,
)
from app.domain.executions import Execution
from app.domain.instruments import Instrument
from app.domain.limits import UNLIMITED, Limits
from app.domain.market import Timeframe
from app.domain.matching import FREE, FillModel
from app.engine.driver import Driver, Item
from app.engine.engine import AccountSetup, Engine
from app.engine.history import Windows
from app.engine.journal import TIME, MemoryJournal
from app.engine.paper import PaperBroker
from app.engine.state import EngineState
from app.marketdata.adjustments import adjustments
from app.marketdata.batch import BarBatch, to_datetime, to_ns
from app.marketdata.due_actions import Schedule
from app.marketdata.ports import Action
from app.research.feed import Feed
from app.research.market import Market, series_of
from tests.laws.test_crash import Killed, Mortal
from tests.markets import (
    CALENDAR,
    FIRST,
    LIMITS,
    MODELS,
    STRATEGIES,
    make_strategy,
    random_backtest,
    random_batches,
)
from tests.trading import finish, start_command

CASH = Decimal(100_000)
SESSIONS = [session.day for session in CALENDAR.sessions(FIRST, FIRST + 10**17)]
law = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def action(symbol: int, told: tuple[str, dict[str, Any]], day: int, wait: int | None) -> Action:
    kind, figures = told
    ex_date = SESSIONS[day]
    known = None if wait is None else datetime(*ex_date.timetuple()[:3], tzinfo=UTC)
    return Action(
        symbol=f"S{symbol}",
        kind=kind,  # type: ignore[arg-type]  # one of the six
        ex_date=ex_date,
        known_at=None if known is None else known + timedelta(days=wait or 0),
        **figures,
    )


RATIOS = st.sampled_from(["2", "4", "1.5", "0.33333333", "0.1", "1.00270027"]).map(Decimal)
AMOUNTS = st.sampled_from(["0.82", "0.125", "3", "49"]).map(Decimal)
TOLD = st.one_of(
    st.tuples(st.just("split"), st.fixed_dictionaries({"ratio": RATIOS})),
    st.tuples(st.just("dividend"), st.fixed_dictionaries({"amount": AMOUNTS})),
    st.tuples(
        st.sampled_from(["merger", "spin_off"]),
        st.fixed_dictionaries({"ratio": RATIOS, "new_symbol": st.just("NEW")}),
    ),
    st.tuples(st.sampled_from(["merger", "spin_off"]), st.just({"amount": Decimal(7)})),
    st.tuples(st.just("symbol_change"), st.just({"new_symbol": "NEW"})),
    st.tuples(st.just("delisting"), st.just({})),
)
ORDINARY = st.one_of(
    st.tuples(st.just("split"), st.fixed_dictionaries({"ratio": RATIOS})),
    st.tuples(st.just("dividend"), st.fixed_dictionaries({"amount": AMOUNTS})),
)
LATE = st.sampled_from([None, None, None, -3, 2])


def some(told: Any) -> Any:
    every = st.lists(
        st.builds(action, st.integers(0, 2), told, st.integers(1, 14), LATE), max_size=6
    )
    return every.map(lambda found: list({(a.symbol, a.kind, a.ex_date): a for a in found}.values()))


@dataclass(frozen=True)
class Case:
    """One random world with corporate actions."""

    seed: int
    strategy: str
    timeframe: Timeframe
    length: int
    symbols: int
    limits: Limits
    model: FillModel
    actions: list[Action]

    @property
    def batches(self) -> list[BarBatch]:
        return random_batches(self.seed, self.timeframe, self.length, self.symbols)

    def run(self, **given: Any) -> Any:
        return random_backtest(
            given.pop("batches", None) or self.batches,
            self.strategy,
            limits=self.limits,
            model=self.model,
            actions=given.pop("actions", self.actions),
            **given,
        )


def cases(told: Any = TOLD) -> Any:
    return st.builds(
        Case,
        seed=st.integers(0, 10**6),
        strategy=st.sampled_from(sorted(STRATEGIES)),
        timeframe=st.sampled_from([Timeframe.M15, Timeframe.H1, Timeframe.D1]),
        length=st.integers(10, 120),
        symbols=st.integers(1, 3),
        limits=st.sampled_from(LIMITS),
        model=st.sampled_from(MODELS),
        actions=some(told),
    )


class Live:
    """The same world as paper trading sees it: windows, every slice, time journaled too."""

    def __init__(self, case: Case, journal: MemoryJournal | None = None) -> None:
        self.case = case
        self.windows = Windows(CALENDAR)
        self.engine = Engine(
            AccountSetup(account_id=0, cash=CASH, limits=case.limits),
            strategies=make_strategy,
            histories=self.windows,
        )
        self.broker = PaperBroker(case.model)
        self.journal = journal or MemoryJournal(keeps_time=True)
        self.driver = Driver(self.engine, self.broker, self.journal)

    def items(self) -> list[Item]:
        batches = self.case.batches
        return self._items(Market([series_of(batch, CALENDAR) for batch in batches], CALENDAR))

    def _items(self, market: Market) -> list[Item]:
        known = [a for a in self.case.actions if a.symbol in market.tracks]
        feed = Feed(
            market, self.engine, self.broker, visit_all=True, actions=Schedule(known, CALENDAR)
        )
        found: list[Item] = [start_command(self.case.strategy, market)]

        async def collect() -> None:
            found.extend([item async for item in feed.items()])

        finish(collect())
        return found

    def run(self, items: Sequence[Item]) -> None:
        for item in items:
            finish(self.driver.step(item))


def told(events: Sequence[Event]) -> list[bytes]:
    return [encode(event) for event in events if type(event) not in TIME]


@law
@given(cases())
def test_skipping_quiet_bars_changes_no_decision(case: Case) -> None:
    every, quick = case.run(visit_all=True), case.run()
    assert told(quick.journal.events) == told(every.journal.events)
    assert quick.final_equity == every.final_equity


@law
@given(cases())
def test_a_tape_and_a_window_tell_the_same_story(case: Case) -> None:
    live = Live(case)
    live.run(live.items())
    assert told(live.journal.events) == told(case.run().journal.events)


@law
@given(cases(), st.integers(1, 119))
def test_what_comes_later_never_changes_what_was_seen(case: Case, cut: int) -> None:
    batches = case.batches
    end = batches[0].end[min(cut, len(batches[0]) - 1)]
    past = [batch[batch.end <= end] for batch in batches]
    if not all(len(batch) for batch in past):
        return
    instant = to_datetime(int(end))
    by_then = [a for a in case.actions if a.ex_date <= instant.date()]
    known = [
        event
        for event in case.run(batches=past, actions=by_then).journal.events
        if occurred_at(event) <= instant
    ]
    assert told(case.run(batches=batches).journal.events)[: len(known)] == told(known)


@law
@given(cases())
def test_shares_and_cash_are_all_accounted_for(case: Case) -> None:
    result = case.run()
    cash, shares = CASH, {}
    for event in result.journal.events:
        if isinstance(event, OrderFilled):
            one: Execution = event.execution
            cash -= one.signed_quantity * one.price + one.commission
            shares[one.symbol] = shares.get(one.symbol, Decimal(0)) + one.signed_quantity
        elif isinstance(event, CashMoved):
            cash += event.amount
            assert event.account_cash == cash
        elif isinstance(event, PositionAdjusted):
            symbol = event.position.symbol
            assert shares.get(symbol, Decimal(0)) == event.before
            shares[symbol] = event.position.quantity
    assert result.final_cash == cash
    held = {position.symbol: position.quantity for position in result.positions}
    assert held == {symbol: quantity for symbol, quantity in shares.items() if quantity}
    if not any(symbol == "NEW" for symbol in held):
        assert abs(result.equity[-1] - float(result.final_equity)) < 1e-6 * float(CASH)


@law
@given(cases(), st.integers(0, 250), st.integers(0, 60))
def test_killed_between_any_two_transactions(case: Case, lives: int, kept: int) -> None:
    whole = Live(case, Mortal(10**9))
    items = whole.items()
    whole.run(items)

    journal = Mortal(lives)
    first = Live(case, journal)
    checkpoint, after = None, 0
    for number, item in enumerate(items):
        if number == kept:
            checkpoint = msgspec.json.encode(first.engine.state())
            after = len(journal.entries)
        try:
            first.run([item])
        except Killed:
            break
    else:
        return
    journal.lives = 10**9
    second = recovered(case, checkpoint, after, journal)
    if second.engine.now is not None:
        finish(second.driver.recover(second.engine.now))
    second.run(left_of(items, second.engine))
    assert told(journal.events) == told(whole.journal.events)
    assert second.engine.state() == whole.engine.state()


def recovered(case: Case, checkpoint: bytes | None, after: int, journal: MemoryJournal) -> Live:
    """A new process: windows and actions from the tables, checkpoint, then the stream."""
    fresh = Live(case, journal)
    state = None if checkpoint is None else msgspec.json.decode(checkpoint, type=EngineState)
    end = 0 if state is None or state.slice_end is None else to_ns(state.slice_end)
    for batch in case.batches:
        series = series_of(batch, CALENDAR)
        fresh.windows.preload(series.rows(0, int((series.end <= end).sum())))
        mine = [a for a in case.actions if a.symbol == batch.symbol]
        for one in adjustments(mine, CALENDAR):
            fresh.windows.adjust(batch.symbol, one)
    if state is not None:
        fresh.engine.restore(state)
    for entry in journal.entries[after:]:
        if entry.cause is None:
            fresh.engine.handle(entry.event)  # type: ignore[arg-type]  # inputs have no cause
    fresh.broker.restore(journal.events)
    return fresh


def left_of(items: Sequence[Item], engine: Engine) -> list[Item]:
    """What a feed gives again: all after the last slice, the session's actions among it."""
    end = engine.slice_end
    for index in range(len(items) - 1, -1, -1):
        item = items[index]
        if end is not None and type(item).__name__ == "SliceClosed" and occurred_at(item) <= end:  # type: ignore[arg-type]  # a slice
            return list(items[index + 1 :])
    return list(items if end is None and not engine.deployments else items[1:])


# ------------------------------------------------------------------- a world in other shares


@law
@given(
    cases(ORDINARY),
    st.sampled_from(["levels", "sma_cross", "rotation", "pairs"]),
    st.sampled_from([2, 4, 8]),
    st.integers(1, 8),
)
def test_a_world_in_other_shares_is_the_same_world(
    case: Case, strategy: str, ratio: int, day: int
) -> None:
    """From a split on prices are divided and sizes multiplied: the money stays what it is.

    Ticks and lots are prices and sizes, too. (A strategy with a price in its memory would see
    another world; so would one that looks at absolute prices or volumes.)
    """
    if strategy not in STRATEGIES:
        strategy = "levels"
    case = replace(case, strategy=strategy, actions=[], model=FREE)
    plain, other = Coarse(case, ratio, None), Coarse(case, ratio, SESSIONS[day])
    assert other.money() == plain.money()
    assert other.engine.equity == plain.engine.equity
    assert other.engine.cash == plain.engine.cash


class Coarse(Live):
    """A market in ticks of so many cents, with or without a split of all symbols that undoes it."""

    def __init__(self, case: Case, ratio: int, ex_date: date | None) -> None:
        super().__init__(case)
        self.ratio, self.ex_date = ratio, ex_date
        symbols = [batch.symbol for batch in case.batches]
        self._trade({s: Instrument(s, tick=Decimal(ratio) / 100) for s in symbols})
        batches = [self._transformed(batch) for batch in case.batches]
        self.case = replace(case, actions=self._splits(symbols))
        market = Market([series_of(batch, CALENDAR) for batch in batches], CALENDAR)
        for item in self._items(market):
            if isinstance(item, CorporateActionDue):
                lot = Decimal(ratio)
                self._trade({item.symbol: Instrument(item.symbol, tick=Decimal("0.01"), lot=lot)})
            self.run([item])

    def _splits(self, symbols: Sequence[str]) -> list[Action]:
        if self.ex_date is None:
            return []
        ratio = Decimal(self.ratio)
        return [Action(symbol=s, kind="split", ex_date=self.ex_date, ratio=ratio) for s in symbols]

    def _trade(self, instruments: dict[str, Instrument]) -> None:
        self.engine.book.instruments.update(instruments)
        self.broker.matcher.instruments.update(instruments)

    def _transformed(self, batch: BarBatch) -> BarBatch:
        rows = batch.rows.copy()
        after = np.zeros(len(rows), np.bool_)
        if self.ex_date is not None:
            after = CALENDAR.ordinals(batch.start) >= self.ex_date.toordinal()
        for name in ("open", "high", "low", "close"):
            rows[name] = np.round(rows[name] / self.ratio, 2) * self.ratio
            rows[name][after] /= self.ratio
        rows["volume"][after] *= self.ratio
        return BarBatch(batch.symbol, batch.timeframe, rows)

    def money(self) -> list[tuple[str, datetime, Decimal]]:
        """What every execution cost or brought."""
        done = [e.execution for e in self.journal.events if isinstance(e, OrderFilled)]
        return [(one.symbol, one.at, one.signed_quantity * one.price) for one in done]


def test_the_laws_are_about_something() -> None:
    seen: dict[str, int] = {}
    for seed in range(30):
        told = [("split", {"ratio": Decimal(2)}), ("dividend", {"amount": Decimal(1)})]
        actions = [action(0, told[day % 2], day, None) for day in range(2, 14)]
        case = Case(seed, "levels", Timeframe.H1, 100, 1, UNLIMITED, FREE, actions)
        for event in case.run().journal.events:
            seen[type(event).__name__] = seen.get(type(event).__name__, 0) + 1
    assert seen["PositionAdjusted"] > 30
    assert seen["OrderAdjusted"] > 30
    assert seen["CashMoved"] > 30
