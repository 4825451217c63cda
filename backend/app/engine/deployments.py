"""All deployments of an account: start, pause, stop, fail, and asking them about a slice."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from app.domain.deployments import Deployment, DeploymentState
from app.domain.events import (
    CorporateActionDue,
    DeploymentFailed,
    DeploymentPaused,
    DeploymentStarted,
    DeploymentStopped,
    Severity,
    SliceClosed,
    StrategyNoted,
)
from app.domain.market import Bar, Timeframe, stamp
from app.domain.signals import Signal
from app.engine.desk import Desk
from app.engine.history import HistoryFactory
from app.engine.panel_runtime import PanelRuntime
from app.engine.pursuit import give_up
from app.engine.runtime import Runtime, Wanted, described
from app.engine.state import RuntimeState
from app.marketdata.adjustments import adjustment_of
from app.risk.sizing import budget_of, quantity_of
from app.strategies.base import BaseStrategy, Strategy
from app.strategies.panel import PanelStrategy

StrategyFactory = Callable[[str, Mapping[str, Any]], BaseStrategy]
Wish = tuple[Signal, Decimal]
"""A new signal with the quantity that it stands for."""


class Deployments:
    """The strategies at work on one account. A failing one stops alone."""

    def __init__(self, desk: Desk, strategies: StrategyFactory, histories: HistoryFactory) -> None:
        self.desk, self.strategies, self.histories = desk, strategies, histories
        self.runtimes: dict[int, Runtime] = {}
        self.adjusted: dict[str, CorporateActionDue] = {}
        "Corporate actions that changed how older bars are seen, by id."
        self._routes: dict[tuple[str, Timeframe], list[Runtime]] = {}
        self._panels: list[PanelRuntime] = []

    @property
    def running(self) -> list[Runtime]:
        """By ledger name, which is the order of everything that follows from a slice."""
        found = [r for r in self.runtimes.values() if r.state is DeploymentState.RUNNING]
        return sorted(found, key=lambda runtime: runtime.ledger)

    # ----------------------------------------------------------------------- life and death

    def start(self, deployment: Deployment, at: datetime) -> None:
        """Put a strategy to work. Raises what its construction raises, and InvalidInput."""
        strategy = self._make(deployment)
        strategy.check_deployment(deployment.symbols, deployment.timeframe)
        self.runtimes[deployment.deployment_id] = self._build(deployment, strategy)
        self._route()
        self.desk.emit(DeploymentStarted(deployment=deployment, at=at))

    def pause(self, deployment_id: int, reason: str, at: datetime) -> None:
        """No more decisions; working entries are cancelled, exits and protection stay."""
        self._end(deployment_id, DeploymentState.PAUSED, at)
        self.desk.emit(DeploymentPaused(deployment_id=deployment_id, reason=reason, at=at))

    def stop(self, deployment_id: int, reason: str, at: datetime) -> None:
        """As `pause`, for good. What it holds stays in its ledger, protected."""
        self._end(deployment_id, DeploymentState.STOPPED, at)
        self.desk.emit(DeploymentStopped(deployment_id=deployment_id, reason=reason, at=at))

    def fail(self, runtime: Runtime, error: Exception, at: datetime) -> None:
        """A strategy raised: as `stop`, with its traceback. The others go on."""
        deployment_id = runtime.deployment.deployment_id
        self._end(deployment_id, DeploymentState.FAILED, at)
        self.desk.emit(
            DeploymentFailed(
                deployment_id=deployment_id,
                reason=f"{type(error).__name__}: {error}",
                at=at,
                traceback=described(error),
            )
        )

    def _end(self, deployment_id: int, state: DeploymentState, at: datetime) -> None:
        runtime = self.runtimes[deployment_id]
        runtime.state = state
        runtime.ready.clear()
        self._route()
        for (ledger, _), standing in self.desk.standings.items():
            if ledger == runtime.ledger:
                give_up(self.desk, standing, f"deployment {state}", at)

    def _make(self, deployment: Deployment) -> BaseStrategy:
        return self.strategies(deployment.strategy, deployment.parameters)

    def _build(self, deployment: Deployment, first: BaseStrategy) -> Runtime:
        """`first` is an instance to begin with; every symbol has one, but for panels."""
        if isinstance(first, PanelStrategy):
            history = self.histories.panel(first, deployment.symbols, deployment.timeframe)
            return PanelRuntime(deployment, first, history)
        others = (self._make(deployment) for _ in deployment.symbols[1:])
        made = cast("Iterable[Strategy]", (first, *others))
        strategies = dict(zip(deployment.symbols, made, strict=True))
        histories = {
            symbol: self.histories(strategy, symbol, deployment.timeframe)
            for symbol, strategy in strategies.items()
        }
        return Runtime(deployment, strategies, histories)

    def adjust(self, event: CorporateActionDue) -> None:
        """Strategies see what was before a corporate action in the shares of now."""
        found = adjustment_of(event, event.session)
        if found is not None:
            self.adjusted[event.action_id] = event
            self.histories.adjust(event.symbol, found)

    def look_again(self, symbol: str) -> None:
        """Stored bars of `symbol` were corrected: its histories begin anew, with what they are."""
        for runtime in self.running:
            deployment = runtime.deployment
            if symbol not in deployment.symbols:
                continue
            if isinstance(runtime, PanelRuntime):
                runtime.history = self.histories.panel(
                    runtime.strategy, deployment.symbols, deployment.timeframe
                )
            else:
                runtime.histories[symbol] = self.histories(
                    runtime.strategies[symbol], symbol, deployment.timeframe
                )

    def _route(self) -> None:
        self._routes = {}
        self._panels = [one for one in self.running if isinstance(one, PanelRuntime)]
        for runtime in self.running:
            if isinstance(runtime, PanelRuntime):
                continue
            for symbol in runtime.deployment.symbols:
                series = symbol, runtime.deployment.timeframe
                self._routes.setdefault(series, []).append(runtime)

    # ------------------------------------------------------------------------------- slices

    def subscriptions(self) -> frozenset[tuple[str, Timeframe]]:
        """Series that somebody decides by."""
        panels = {
            (symbol, panel.deployment.timeframe)
            for panel in self._panels
            for symbol in panel.deployment.symbols
        }
        return frozenset(self._routes.keys() | panels)

    def warm(self, event: SliceClosed) -> None:
        """Let histories and memories see the bars; opinions are only remembered."""
        for runtime, bar, wanted in self._looks(event, news_only=False):
            runtime.miss(bar.symbol, wanted, event.end)

    def wishes(self, event: SliceClosed) -> list[Wish]:
        """A signal for each opinion that changed, all sized on what the account is now."""
        found: list[Wish] = []
        for runtime, bar, wanted in self._looks(event, news_only=True):
            if runtime.missed:
                wanted = self._or_missed(runtime, bar, wanted)
            before = self._opinion(runtime, bar.symbol)
            if wanted is None or wanted.exposure == before:
                continue
            runtime.opinions[bar.symbol] = wanted.exposure
            found.append(self._wish(runtime, bar, wanted, before, event.end))
        if len(found) > 1:
            found.sort(key=lambda wish: (wish[0].ledger, wish[0].symbol))
        return [wish for wish in found if self._is_at_work(wish[0])]

    def _is_at_work(self, signal: Signal) -> bool:
        """Whether its deployment has not failed on another symbol of this slice."""
        runtime = self.runtimes[signal.deployment_id or 0]
        return runtime.state is DeploymentState.RUNNING

    def _opinion(self, runtime: Runtime, symbol: str) -> float:
        """What the strategy last said; before it said anything, flat if that is what it is."""
        found = runtime.opinions.get(symbol)
        if found is None:
            return math.nan if self.desk.book.held(runtime.ledger, symbol) else 0.0
        return found

    def _looks(
        self, event: SliceClosed, *, news_only: bool
    ) -> Iterator[tuple[Runtime, Bar, Wanted | None]]:
        for bar in event.bars:
            for runtime in self._routes.get((bar.symbol, bar.timeframe), ()):
                if bar.symbol in runtime.quiet or runtime.state is not DeploymentState.RUNNING:
                    continue  # or it has just failed on another symbol
                held = self.desk.held_exposure(runtime.ledger, bar.symbol)
                is_quick = news_only and bar.symbol not in runtime.missed
                before = runtime.opinions.get(bar.symbol) if is_quick else None
                try:
                    wanted = runtime.look(bar, event.session, held, before)
                except Exception as error:  # noqa: BLE001  user code may raise anything
                    self.fail(runtime, error, event.end)
                else:
                    yield runtime, bar, wanted
        for panel in self._panels:
            yield from self._looks_of(panel, event, news_only=news_only)

    def _looks_of(
        self, panel: PanelRuntime, event: SliceClosed, *, news_only: bool
    ) -> Iterator[tuple[Runtime, Bar, Wanted | None]]:
        """The same of a strategy that decides for all its symbols at once."""
        asked = panel.deployment
        bars = [
            b for b in event.bars if b.timeframe is asked.timeframe and b.symbol in asked.symbols
        ]
        if panel.is_quiet or not bars:
            return
        held = {symbol: self.desk.held_exposure(panel.ledger, symbol) for symbol in asked.symbols}
        try:
            found = panel.looks(bars, event.session, held, news_only=news_only)
        except Exception as error:  # noqa: BLE001  user code may raise anything
            self.fail(panel, error, event.end)
        else:
            for bar, wanted in found:
                yield panel, bar, wanted

    def _or_missed(self, runtime: Runtime, bar: Bar, wanted: Wanted | None) -> Wanted | None:
        """The last opinion of an outage, when the strategy has none now and it is one bar old."""
        missed = runtime.missed.pop(bar.symbol, None)
        if wanted is not None or missed is None:
            return wanted
        if missed.at >= bar.start:
            return Wanted(missed.exposure, reasons=("wanted while we were away",))
        if missed.exposure != self._opinion(runtime, bar.symbol):
            self.desk.emit(
                StrategyNoted(
                    deployment_id=runtime.deployment.deployment_id,
                    kind="stale_signal",
                    severity=Severity.WARNING,
                    message=f"Skipped {missed.exposure:+g} of {bar.symbol}, wanted at {missed.at}.",
                    at=bar.end,
                )
            )
        return None

    def _wish(
        self, runtime: Runtime, bar: Bar, wanted: Wanted, before: float, at: datetime
    ) -> Wish:
        deployment, book = runtime.deployment, self.desk.book
        instrument = book.instrument(bar.symbol)
        price = book.price(bar.symbol) or instrument.price(bar.close)
        limits = book.limits_of(runtime.ledger, bar.symbol)
        budget = budget_of(deployment.capital, runtime.shares, book.equity, limits)
        stop, profit, trail = wanted.stop_loss, wanted.take_profit, wanted.stop_trail
        signal = Signal(
            signal_id=f"{runtime.ledger}-{bar.symbol}-{stamp(at)}",
            ledger=runtime.ledger,
            deployment_id=deployment.deployment_id,
            symbol=bar.symbol,
            exposure=wanted.exposure,
            price=bar.close,
            at=at,
            valid_until=at + runtime.patience if wanted.exposure else None,
            stop_loss=None if stop is None else instrument.price(stop),
            take_profit=None if profit is None else instrument.price(profit),
            stop_trail=None if trail is None else max(instrument.price(trail), instrument.tick),
            reasons=wanted.reasons
            or (
                f"{deployment.strategy} turned from {stance(before)} to {stance(wanted.exposure)}.",
            ),
            indicator_values=wanted.values,
        )
        return signal, quantity_of(wanted.exposure, budget, price, instrument)

    # --------------------------------------------------------------------------- checkpoint

    def snapshot(self) -> list[RuntimeState]:
        return [runtime.snapshot() for runtime in self.runtimes.values()]

    def restore(self, states: list[RuntimeState]) -> None:
        for state in states:
            if state.state is DeploymentState.RUNNING:
                runtime = self._build(state.deployment, self._make(state.deployment))
            else:
                runtime = Runtime(state.deployment, {}, {})
            runtime.restore(state)
            self.runtimes[state.deployment.deployment_id] = runtime
        self._route()


def stance(exposure: float) -> str:
    """An exposure in words: "flat", "long", "short", "60 % long"."""
    if not exposure:
        return "flat"
    side = "long" if exposure > 0 else "short"
    return side if abs(exposure) == 1 else f"{abs(exposure):.0%} {side}".replace("%", " %")
