"""A backtest: the live engine and driver, fed by bars that are all known, on the paper broker."""

import hashlib
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from time import perf_counter
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvalidInput
from app.domain.commands import CommandKind
from app.domain.events import CashMoved, CommandReceived, PositionAdjusted
from app.domain.executions import Execution
from app.domain.instruments import Instrument
from app.domain.limits import Limits
from app.domain.market import Timeframe
from app.domain.matching import FillModel
from app.domain.options import instrument_of
from app.domain.portfolio import Position, Trade
from app.engine.commands import DeploymentStart
from app.engine.deployments import StrategyFactory
from app.engine.driver import Driver, drive
from app.engine.engine import AccountSetup, Engine
from app.engine.history import Tapes
from app.engine.journal import MemoryJournal
from app.engine.paper import PaperBroker
from app.marketdata.adjustments import Adjustment, adjustments
from app.marketdata.batch import BarBatch, to_ns
from app.marketdata.calendar import TradingCalendar
from app.marketdata.due_actions import Schedule
from app.marketdata.ports import Action
from app.research.feed import Feed
from app.research.market import Market, Track, series_of

T = TypeVar("T")
ACCOUNT: Final = AccountSetup(account_id=0, cash=Decimal(100_000))


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestResult:
    """What happened. `equity[i]` is the equity at `times[i]` (ns UTC), the end of a slice."""

    journal: MemoryJournal
    trades: Sequence[Trade]
    executions: Sequence[Execution]
    times: NDArray[np.int64]
    equity: NDArray[np.float64]
    initial_cash: Decimal
    final_cash: Decimal
    final_equity: Decimal
    positions: Sequence[Position]
    "What is still held at the end, by ledger and symbol."
    limits: Limits
    model: FillModel
    bars: int
    visited: int
    seconds: float
    fingerprint: str

    @property
    def journal_hash(self) -> str:
        """Equal for equal decisions: visiting every bar, or a paper run, gives the same."""
        return self.journal.hash


def run_backtest(
    strategy: str,
    *,
    strategies: StrategyFactory,
    bars: Sequence[BarBatch],
    timeframe: Timeframe,
    calendar: TradingCalendar,
    parameters: Mapping[str, Any] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    cash: Decimal = ACCOUNT.cash,
    capital: Decimal | None = None,
    limits: Limits | None = None,
    model: FillModel | None = None,
    instruments: Mapping[str, Instrument] | None = None,
    actions: Sequence[Action] = (),
    visit_all: bool = False,
    keeps_events: bool = True,
) -> BacktestResult:
    """Trade `bars` (one batch a symbol, raw) by a strategy and say what came of it.

    Corporate actions change what is held before the first bar that is due, and how strategies see
    the bars before that. Bars before `start` warm the indicators. Raises InvalidInput when there is
    nothing to trade or the strategy cannot be started. Not to be confused with a sweep: this is the
    real engine.
    """
    began = perf_counter()
    bars = _checked(bars, timeframe)
    # tells at once what is wrong with them
    made = strategies(strategy, dict(parameters or {}))
    made.check_deployment([batch.symbol for batch in bars], timeframe)
    series = [series_of(batch, calendar) for batch in bars]
    market = Market(series, calendar, start, end)
    model, limits = model or FillModel(), limits or Limits()
    known = dict(instruments or {})
    actions = [action for action in actions if action.symbol in market.tracks]
    engine = Engine(
        AccountSetup(account_id=ACCOUNT.account_id, cash=cash, limits=limits),
        strategies=strategies,
        histories=Tapes(series, calendar, _adjustments(actions, calendar)),
        instruments=known,
    )
    broker = PaperBroker(model, known)
    journal = MemoryJournal(keeps_events=keeps_events)
    due = Schedule(actions, calendar) if actions else None
    feed = Feed(market, engine, broker, visit_all=visit_all, actions=due)
    asked = DeploymentStart(
        deployment_id=1,
        strategy=strategy,
        parameters=dict(parameters or {}),
        symbols=tuple(market.tracks),
        timeframe=timeframe,
        capital=capital,
    )
    _finish(_run(feed, Driver(engine, broker, journal), asked))
    return BacktestResult(
        journal=journal,
        trades=journal.trades,
        executions=journal.executions,
        times=market.ends,
        equity=equity_curve(
            market, journal.executions, cash, engine.book.instruments, journal.adjustments
        ),
        initial_cash=cash,
        final_cash=engine.cash,
        final_equity=engine.equity,
        positions=list(engine.book.positions()),
        limits=limits,
        model=model,
        bars=market.bars,
        visited=feed.visited,
        seconds=perf_counter() - began,
        fingerprint=fingerprint_of(bars, actions),
    )


async def _run(feed: Feed, driver: Driver, asked: DeploymentStart) -> None:
    at = feed.market.days[0].open
    await driver.step(
        CommandReceived(
            command_id=1,
            kind=CommandKind.DEPLOYMENT_START,
            payload=msgspec.to_builtins(asked),
            actor="backtest",
            at=at,
        )
    )
    await drive(feed.items(), driver)


def equity_curve(
    market: Market,
    executions: Sequence[Execution],
    cash: Decimal,
    instruments: Mapping[str, Instrument],
    adjusted: Sequence[PositionAdjusted | CashMoved] = (),
) -> NDArray[np.float64]:
    """Cash plus positions at the last closes (on the tick grid), at the end of every slice.

    Shares of a company that has no bars in `market` (a merger's, a spin-off's) count as nothing.
    """
    flow = np.zeros(len(market.ends) + 1)
    shares = {symbol: np.zeros(len(market.ends) + 1) for symbol in market.tracks}
    flow[0] = float(cash)
    for k, one in zip(_slices_of(executions, market).tolist(), executions, strict=True):
        signed, instrument = one.signed_quantity, _instrument(instruments, one.symbol)
        flow[k] -= float(signed * one.price * instrument.multiplier + one.commission)
        shares[one.symbol][k] += float(signed)
    for event in adjusted:
        k = int(np.searchsorted(market.ends, to_ns(event.at), "right"))
        if isinstance(event, CashMoved):
            flow[k] += float(event.amount)
        elif event.position.symbol in shares:
            k = _told_at(k, event, market.tracks[event.position.symbol])
            shares[event.position.symbol][k] += float(event.position.quantity - event.before)
    # In place from here on: of long histories every further column counts.
    equity = np.cumsum(flow, out=flow)[:-1]
    for symbol, track in market.tracks.items():
        held = shares.pop(symbol)
        held = np.cumsum(held, out=held)[:-1]
        instrument = _instrument(instruments, symbol)
        worth = _on_grid(_last_closes(track), instrument)
        held *= float(instrument.multiplier)
        worth *= held
        worth[held == 0] = 0.0
        equity += worth
    return equity


def _instrument(instruments: Mapping[str, Instrument], symbol: str) -> Instrument:
    return instruments.get(symbol) or instrument_of(symbol)


def _told_at(k: int, event: PositionAdjusted, track: Track) -> int:
    """New shares of a split count with their first close; until then old ones at the old one."""
    if not event.before or not event.position.quantity:
        return k
    bar = track.bars_before(k)
    return track.slice_at(bar) if bar < track.last_bar else len(track.next_bar)


def _last_closes(track: Track) -> NDArray[np.float64]:
    """The symbol's last close at the end of every slice; any number before its first bar."""
    if track.is_complete:
        every: NDArray[np.float64] = track.close[track.first_bar : track.last_bar]
        return every
    last = np.append(track.next_bar[1:], track.last_bar) - 1
    closes: NDArray[np.float64] = track.close[np.maximum(last, 0)]
    return closes


def _slices_of(executions: Sequence[Execution], market: Market) -> NDArray[np.int64]:
    """The slice of each fill; one at the open has the instant at which the slice before ended."""
    at = np.array([to_ns(one.at) for one in executions], np.int64)
    at_open = np.array([one.execution_id.endswith(":0") for one in executions], bool)
    after = np.searchsorted(market.ends, at, "right")
    return np.where(at_open, after, np.searchsorted(market.ends, at))


def _on_grid(prices: NDArray[np.float64], instrument: Instrument) -> NDArray[np.float64]:
    """What `Instrument.price` makes of each, in bulk; the doubtful ones one by one."""
    ticks = prices / float(instrument.tick)
    result = np.rint(ticks)
    result *= float(instrument.tick)
    ticks -= np.floor(ticks)
    ticks -= 0.5
    for i in np.flatnonzero(np.abs(ticks, out=ticks) < 1e-6).tolist():
        result[i] = float(instrument.price(float(prices[i])))
    return result


def fingerprint_of(bars: Sequence[BarBatch], actions: Sequence[Action] = ()) -> str:
    """SHA-256 over the fingerprints of all series, by symbol: which bars were traded.

    Corporate actions are part of it where there are any.
    """
    digest = hashlib.sha256()
    for batch in sorted(bars, key=lambda one: one.symbol):
        digest.update(batch.fingerprint().encode())
    for line in sorted(msgspec.json.encode(action) for action in actions):
        digest.update(line)
    return digest.hexdigest()


def _adjustments(
    actions: Sequence[Action], calendar: TradingCalendar
) -> dict[str, list[Adjustment]]:
    by_symbol: dict[str, list[Action]] = {}
    for action in actions:
        by_symbol.setdefault(action.symbol, []).append(action)
    return {symbol: adjustments(mine, calendar) for symbol, mine in by_symbol.items()}


def _checked(bars: Sequence[BarBatch], timeframe: Timeframe) -> list[BarBatch]:
    if not bars:
        raise InvalidInput("A backtest needs bars of at least one symbol.", field="symbols")
    for batch in bars:
        if batch.timeframe is not timeframe:
            raise InvalidInput(
                f"The bars of {batch.symbol} are {batch.timeframe}, not {timeframe}.",
                field="timeframe",
            )
    return list(bars)


def _finish(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits for anything, without an event loop."""
    try:
        work.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    work.close()
    raise RuntimeError("a backtest waited for something outside")
