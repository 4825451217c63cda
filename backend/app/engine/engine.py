"""The trading engine of one account: one input in, the events it causes out.

Pure: no clock, no await, no I/O, no random. The same inputs give the same events, byte for byte.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final

import msgspec

from app.core.errors import ConfigurationError
from app.domain.deployments import (
    EXTERNAL,
    MANUAL,
    Deployment,
    DeploymentState,
    TradingState,
    deployment_of,
)
from app.domain.events import (
    AbilitiesSeen,
    BarLate,
    BarsCorrected,
    CashSeen,
    ChangeRejected,
    ClockTicked,
    CommandReceived,
    CorporateActionDue,
    Event,
    ExecutionBusted,
    ExecutionCorrected,
    FundsSeen,
    HoldingSeen,
    Input,
    InstrumentSeen,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderSeen,
    OrdersElsewhere,
    OrderSubmitted,
    OrderUnknown,
    Reconciled,
    SessionClosed,
    SessionOpened,
    SliceClosed,
    occurred_at,
)
from app.domain.fills import Fills
from app.domain.instruments import Instrument
from app.domain.limits import Limits
from app.domain.market import Timeframe
from app.domain.orders import Order, OrderType, PendingChange
from app.domain.portfolio import Ledger
from app.domain.ports import BrokerAbilities
from app.engine import (
    adoption,
    busts,
    controls,
    corporate_actions,
    drawdown,
    held,
    reports,
    surroundings,
)
from app.engine.deployments import Deployments, StrategyFactory
from app.engine.desk import EVERYTHING, Desk
from app.engine.history import HistoryFactory
from app.engine.protection import protect
from app.engine.pursuit import extend, lapse_when_due, reduce
from app.engine.requests import Requests
from app.engine.state import FORMAT, Act, EngineState
from app.risk.book import Book
from app.risk.engine import RiskEngine


class AccountSetup(msgspec.Struct, frozen=True, kw_only=True):
    """What an account starts with, before its first event."""

    account_id: int
    cash: Decimal
    limits: Limits = Limits()


class Engine:
    """Holds everything one account trades, so that account-wide limits see all of it."""

    def __init__(
        self,
        account: AccountSetup,
        *,
        strategies: StrategyFactory,
        histories: HistoryFactory,
        instruments: Mapping[str, Instrument] | None = None,
        risk: RiskEngine | None = None,
        abilities: BrokerAbilities = EVERYTHING,
    ) -> None:
        """`abilities`: what the account's broker can do by itself; we hold the rest."""
        known = dict(instruments or {})
        self.book = Book(account.account_id, account.cash, account.limits, known)
        self.desk = Desk(self.book, risk or RiskEngine(), abilities)
        self._deployments = Deployments(self.desk, strategies, histories)
        self._requests = Requests(self.desk, self._deployments)
        self.runtimes: Final = self._deployments.runtimes
        self.now: datetime | None = None
        self.slice_end: datetime | None = None
        "End of the last slice that was handled: the feed goes on after it."

    def handle(self, event: Input) -> list[Event]:
        """What follows from `event`, in order; the event itself is not among it."""
        at = occurred_at(event)
        if self.now is None or at > self.now:
            self.now = at
        kind = type(event)
        report = _REPORTS.get(kind)
        if report is not None:
            report(self.desk, event)
            if self.desk.failing:
                self._pause_failing(at)
        else:
            _HANDLERS[kind](self, event)
        return self.desk.taken()

    # -------------------------------------------------------------------------------- inputs

    def _on_slice(self, event: SliceClosed) -> None:
        if self.slice_end is not None and event.end <= self.slice_end:
            return  # given again after a restart
        self.slice_end = event.end
        book, at = self.book, event.end
        book.begin_session(event.session)
        for bar in event.bars:
            book.mark(bar.symbol, bar.close, bar.end)
        if book.limits.max_drawdown is not None:
            drawdown.watch(self.desk, at)
        if event.warm_up:
            self._deployments.warm(event)
            return
        wishes = self._deployments.wishes(event)
        fresh = [self.desk.take_up(signal, quantity) for signal, quantity in wishes]
        held.watch(self.desk, event)
        self._pursue_all(at)
        for standing in fresh:
            protect(self.desk, standing.target.ledger, standing.target.symbol, at)

    def _pursue_all(self, at: datetime) -> None:
        """Every unmet target: all reductions first, each pass by ledger and symbol."""
        desk = self.desk
        unmet = [item for item in desk.standings.items() if item[1].is_live]
        if len(unmet) > 1:
            unmet.sort(key=_first)
        for _, standing in unmet:
            lapse_when_due(desk, standing, at)
            reduce(desk, standing, at)
        for _, standing in unmet:
            extend(desk, standing, at)

    def _on_clock(self, event: ClockTicked) -> None:
        for order in list(self.book.open.values()):
            due = self._due(order)
            if due is not None and due <= event.at:
                self.desk.cancel(order, "order timeout", event.at)

    def _pause_failing(self, at: datetime) -> None:
        """A deployment whose orders come to nothing stops making them until a person looks."""
        failing, self.desk.failing = self.desk.failing, {}
        for ledger, reason in failing.items():
            number = deployment_of(ledger)
            runtime = self.runtimes.get(number) if number is not None else None
            if runtime is not None and runtime.state is DeploymentState.RUNNING:
                self._deployments.pause(runtime.deployment.deployment_id, reason, at)

    def _on_session_opened(self, event: SessionOpened) -> None:
        self.book.begin_session(event.session)
        self.book.is_open, self.book.opened_at = True, event.at
        if any(standing.is_bare for standing in self.desk.standings.values()):
            controls.guard_again(self.desk, event.at)

    def _on_session_closed(self, event: SessionClosed) -> None:
        self.book.is_open = False
        held.expire(self.desk, event.at)

    def pass_over(
        self,
        end: datetime,
        marks: Iterable[tuple[str, float, datetime]],
        peaks: Iterable[Mapping[str, float]] = (),
    ) -> None:
        """Time went on to `end` over slices that change nothing but prices (backtests only).

        `marks`: the last close of each symbol and its instant; `peaks`: closes by symbol of the
        slices among which the equity was highest.
        """
        for closes in peaks:
            self.book.raise_peak_to(self.book.worth(closes))
        for symbol, close, at in marks:
            self.book.mark(symbol, close, at)
        self.now = self.slice_end = end

    # -------------------------------------------------------------------------------- clock

    @property
    def deadline(self) -> datetime | None:
        """When the next order times out; None while none can."""
        next_due: datetime | None = None
        for order in self.book.open.values():
            due = self._due(order)
            if due is not None and (next_due is None or due < next_due):
                next_due = due
        return next_due

    def _due(self, order: Order) -> datetime | None:
        """Time-outs run while the exchange is open. What is meant to rest never times out."""
        if order.leg.is_protective or order.pending is PendingChange.CANCEL:
            return None
        if order.ledger == EXTERNAL or order.is_held:
            return None  # whoever made it decides how long it rests
        if order.ledger == MANUAL and order.type is not OrderType.MARKET:
            return None
        if self.book.is_open is False:
            return None
        start, opened = order.at, self.book.opened_at
        if opened is not None and opened > start:
            start = opened
        limits = self.book.limits_of(order.ledger, order.symbol)
        return start + timedelta(0, limits.order_timeout_seconds)

    # ---------------------------------------------------------------------------- what it is

    @property
    def trading_state(self) -> TradingState:
        return self.book.trading_state

    @property
    def limits(self) -> Limits:
        return self.book.limits

    @property
    def cash(self) -> Decimal:
        return self.book.cash

    @property
    def equity(self) -> Decimal:
        """Cash plus positions at their last prices."""
        return self.book.equity

    @property
    def ledgers(self) -> Mapping[str, Ledger]:
        return self.book.ledgers

    @property
    def open_orders(self) -> list[Order]:
        return list(self.book.open.values())

    @property
    def outbox(self) -> Sequence[Act]:
        """What was decided and must still be done at the broker, first come first served."""
        return self.desk.outbox

    @property
    def deployments(self) -> dict[int, tuple[Deployment, DeploymentState]]:
        runtimes = self.runtimes.items()
        return {number: (one.deployment, one.state) for number, one in runtimes}

    @property
    def subscriptions(self) -> frozenset[tuple[str, Timeframe]]:
        """Series that running deployments decide by."""
        return self._deployments.subscriptions()

    # ---------------------------------------------------------------------------- checkpoint

    def state(self) -> EngineState:
        """Everything remembered, as a value that later inputs do not touch."""
        return EngineState(
            now=self.now,
            slice_end=self.slice_end,
            book=self.book.snapshot(),
            standings=[msgspec.structs.replace(s) for s in self.desk.standings.values()],
            outbox=list(self.desk.outbox),
            fills=self.desk.fills.snapshot(),
            voided=list(self.desk.voided),
            rejections=dict(self.desk.rejections),
            unchangeable=list(self.desk.unchangeable),
            abilities=self.desk.told_abilities,
            unexplained=dict(self.desk.unexplained),
            is_held_for_books=self.desk.is_held_for_books,
            runtimes=self._deployments.snapshot(),
            actions=list(self._deployments.adjusted.values()),
        )

    def restore(self, state: EngineState) -> None:
        """Become the engine that `state` was taken of. Raises ConfigurationError when too old."""
        if state.format != FORMAT:
            raise ConfigurationError(
                f"The checkpoint has format {state.format}; this version reads {FORMAT}.",
                remedy="Replay the journal from its beginning.",
            )
        self.now, self.slice_end = state.now, state.slice_end
        self.book.restore(state.book)
        standings = (msgspec.structs.replace(one) for one in state.standings)
        self.desk.standings = {(s.target.ledger, s.target.symbol): s for s in standings}
        self.desk.outbox = list(state.outbox)
        self.desk.fills = Fills(state.fills)
        self.desk.voided = dict.fromkeys(state.voided)
        self.desk.rejections = dict(state.rejections)
        self.desk.unchangeable = dict.fromkeys(state.unchangeable)
        if state.abilities is not None:
            surroundings.on_abilities(self.desk, state.abilities)
        self.desk.unexplained = dict(state.unexplained)
        self.desk.is_held_for_books = state.is_held_for_books
        self._deployments.restore(state.runtimes)
        for action in state.actions:
            self._deployments.adjust(action)

    def _on_command(self, event: CommandReceived) -> None:
        self._requests.carry_out(event)

    def _on_late_bar(self, event: BarLate) -> None:
        """Stored and journaled, never traded."""

    def _on_action(self, event: CorporateActionDue) -> None:
        corporate_actions.take_effect(self.desk, self._deployments, event)

    def _on_correction(self, event: BarsCorrected) -> None:
        self._deployments.look_again(event.symbol)


_first: Final = itemgetter(0)
_HANDLERS: Final[dict[type, Callable[[Engine, Any], None]]] = {
    SliceClosed: Engine._on_slice,
    ClockTicked: Engine._on_clock,
    SessionOpened: Engine._on_session_opened,
    SessionClosed: Engine._on_session_closed,
    CommandReceived: Engine._on_command,
    BarLate: Engine._on_late_bar,
    BarsCorrected: Engine._on_correction,
    CorporateActionDue: Engine._on_action,
}
_REPORTS: Final[dict[type, Callable[[Desk, Any], None]]] = {
    OrderSubmitted: reports.on_submitted,
    OrderAccepted: reports.on_accepted,
    OrderUnknown: reports.on_unknown,
    OrderRejected: reports.on_closed,
    OrderCanceled: reports.on_closed,
    OrderExpired: reports.on_closed,
    OrderFilled: reports.on_filled,
    OrderReplaced: reports.on_replaced,
    ChangeRejected: reports.on_change_rejected,
    OrderSeen: reports.on_seen,
    ExecutionBusted: busts.on_busted,
    ExecutionCorrected: busts.on_corrected,
    OrdersElsewhere: surroundings.on_orders_elsewhere,
    InstrumentSeen: surroundings.on_instrument,
    FundsSeen: surroundings.on_funds,
    AbilitiesSeen: surroundings.on_abilities,
    HoldingSeen: adoption.on_holding,
    CashSeen: adoption.on_cash,
    Reconciled: adoption.on_reconciled,
}
