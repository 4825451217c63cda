"""The backtest: bars a second through the real engine, driver and paper broker.

A second is one of the processor's: a run has one thread and waits for nothing, so on an idle
machine that is the clock's, and on a busy one it is still about the program.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import msgspec
import numpy as np

from app.domain.events import CommandReceived, SessionClosed, SessionOpened
from app.domain.limits import Limits
from app.domain.market import Timeframe
from app.domain.ports import Entry
from app.engine.driver import Driver, Item
from app.engine.engine import AccountSetup, Engine
from app.engine.history import Windows
from app.engine.paper import PaperBroker
from app.marketdata.batch import BarBatch
from app.marketdata.calendar import trading_calendar
from app.research.backtest import BacktestResult, run_backtest
from app.research.market import Market, series_of
from app.strategies.base import Columns, Row, Strategy
from app.strategies.catalog import Catalogue
from app.strategies.sma_cross import SmaCross
from benchmarks.measure import Result, at_least, result

BARS = 1_000_000
FIRST = date(2010, 1, 4)
CALENDAR = trading_calendar()
STOPPED = msgspec.structs.replace(Limits(), max_drawdown=Decimal(1), max_daily_loss=Decimal(1))
"""Every rule at work; but a random market loses, and a strategy that was halted is no work."""
LIMITS = msgspec.structs.replace(STOPPED, default_stop_loss=None)
"""The same without the protective stops, which those we are compared with do not have either."""


@dataclass
class DecidingCross(SmaCross):
    """The same strategy, asked on every bar."""

    name = "deciding_cross"

    def prepare(self, bars: Columns) -> Columns:
        return {n: c for n, c in super().prepare(bars).items() if n != "exposure"}

    def decide(self, row: Row, held: float) -> float | None:
        fast, slow = row["fast"], row["slow"]
        return None if slow != slow else float(fast > slow)


def make(name: str, parameters: object) -> Strategy:
    """The catalogue, and the strategy above."""
    assert isinstance(parameters, dict)
    if name == DecidingCross.name:
        return DecidingCross(**parameters)
    return Catalogue().make(name, parameters)


def market(count: int, symbol: str = "AAA", seed: int = 1) -> BarBatch:
    """A seeded random walk over whole sessions of minutes."""
    starts: list[np.ndarray] = []
    ends: list[np.ndarray] = []
    session = CALENDAR.session_on(FIRST)
    assert session is not None
    while sum(map(len, starts)) < count:
        grid = CALENDAR.grid(session, Timeframe.M1)
        starts.append(grid[0])
        ends.append(grid[1])
        session = CALENDAR.next_session(session.open)
    random = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.0005, count))), 2)
    opened = np.concatenate([close[:1], close[:-1]])
    return BarBatch.of(
        symbol,
        Timeframe.M1,
        np.concatenate(starts)[:count],
        np.concatenate(ends)[:count],
        open=opened,
        high=np.maximum(opened, close) + 0.01,
        low=np.minimum(opened, close) - 0.01,
        close=close,
        volume=random.integers(10_000, 100_000, count).astype(np.float64),
    )


def run(
    strategy: str, bars: list[BarBatch], *, visit_all: bool = False, limits: Limits = LIMITS
) -> BacktestResult:
    return run_backtest(
        strategy,
        strategies=make,
        bars=bars,
        timeframe=Timeframe.M1,
        calendar=CALENDAR,
        parameters={"fast": 10, "slow": 30},
        limits=limits,
        visit_all=visit_all,
        keeps_events=False,
    )


def rate(
    strategy: str, bars: list[BarBatch], *, visit_all: bool = False, limits: Limits = LIMITS
) -> float:
    """Bars a second, the better of two runs; a short one before pays for imports."""

    def once(some: list[BarBatch]) -> float:
        began = time.process_time()
        done = run(strategy, some, visit_all=visit_all, limits=limits)
        return done.bars / (time.process_time() - began)

    once([batch[:2_000] for batch in bars])
    return max(once(bars) for _ in range(2))


def one_symbol() -> list[Result]:
    value = rate("sma_cross", [market(BARS)])
    return [at_least("engine: one symbol, SMA 10/30", value, "bars/s", 500_000, memory=500)]


def with_stops() -> list[Result]:
    bars = [market(BARS)]
    value, plain = rate("sma_cross", bars, limits=STOPPED), rate("sma_cross", bars)
    return [
        result(
            "engine: a stop on every position", value, "bars/s", limit=plain,
            against="the same run without stops", figure="none; twice the orders",
        )
    ]  # fmt: skip


def ten_symbols() -> list[Result]:
    bars = [market(BARS // 10, f"S{i}", seed=i) for i in range(10)]
    return [at_least("engine: ten symbols", rate("sma_cross", bars), "bars/s", 300_000)]


def deciding() -> list[Result]:
    value = rate("deciding_cross", [market(BARS)])
    return [at_least("engine: deciding on every bar", value, "bars/s", 150_000)]


def visiting_all() -> list[Result]:
    bars = [market(BARS // 4)]
    value = rate("sma_cross", bars, visit_all=True)
    skipping = rate("sma_cross", bars)
    return [
        result(
            "engine: visiting every bar", value, "bars/s", limit=skipping,
            against="the same run with quiet bars skipped", figure="the study: 189,000",
        )
    ]  # fmt: skip


def recorded(bars: BarBatch) -> list[list[Entry]]:
    """What a live account would journal over these bars, one list a transaction."""
    journal = Recorder()
    engine = Engine(
        AccountSetup(account_id=1, cash=Decimal(100_000), limits=STOPPED),
        strategies=make,
        histories=Windows(),
    )
    asyncio.run(trade(Driver(engine, PaperBroker(), journal), bars))
    return journal.groups


class Recorder:
    """A journal that keeps every transaction apart."""

    def __init__(self) -> None:
        self.groups: list[list[Entry]] = []

    async def append(self, entries: Sequence[Entry]) -> int:
        self.groups.append(list(entries))
        return len(self.groups)


async def trade(driver: Driver, bars: BarBatch) -> None:
    """Start deployment 1 of sma_cross and let it see all bars."""
    market_of = Market([series_of(bars, CALENDAR)], CALENDAR)
    await driver.step(start_command(bars.symbol, market_of.days[0].open))
    for item in items(market_of):
        await driver.step(item)


def start_command(symbol: str, at: datetime) -> CommandReceived:
    asked = {
        "deployment_id": 1, "strategy": "sma_cross", "parameters": {"fast": 10, "slow": 30},
        "symbols": [symbol], "timeframe": "1m", "capital": None,
    }  # fmt: skip
    return CommandReceived(
        command_id=1, kind="deployment_start", payload=asked, actor="bench", at=at
    )


def items(market_of: Market) -> Iterator[Item]:
    """Everything that a feed would give, slice by slice."""
    for day in market_of.days:
        yield SessionOpened(session=day.session, at=day.open)
        for k in range(day.first, day.last):
            yield from market_of.opened(k, day)
            yield market_of.closed(k, day)
        yield SessionClosed(session=day.session, at=day.close)
