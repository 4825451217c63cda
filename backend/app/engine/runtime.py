"""One running deployment: its strategies, what they remember, and what they want now."""

import math
import traceback
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from types import TracebackType
from typing import Any, Final

import msgspec

from app.domain.deployments import Deployment, DeploymentState
from app.domain.market import Bar
from app.engine.history import NAMES, History
from app.engine.state import Missed, RuntimeState
from app.strategies.base import BaseStrategy, Opinion, Row, Strategy

_BARS: Final = frozenset(NAMES)
_OWN_CODE: Final = ("app.engine", "app.research", "app.hosting")


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """A strategy's answer about one bar, checked."""

    exposure: float
    stop_loss: float | None = None
    take_profit: float | None = None
    stop_trail: float | None = None
    reasons: tuple[str, ...] = ()
    values: dict[str, float] = {}


class Runtime:
    """A deployment at work. One strategy instance and one history a symbol."""

    def __init__(
        self,
        deployment: Deployment,
        strategies: dict[str, Strategy],
        histories: dict[str, History],
    ) -> None:
        self.deployment, self.ledger = deployment, deployment.ledger
        self.patience = deployment.timeframe.duration
        "How long an entry is tried."
        self.shares = len(deployment.symbols)
        "Into how many equal parts the capital goes: an exposure of 1 is one of them."
        self.state = DeploymentState.RUNNING
        self.strategies, self.histories = strategies, histories
        self.opinions: dict[str, float] = {}
        self.missed: dict[str, Missed] = {}
        self.laid_down: dict[str, Any] = {}
        "Memories of one that had ended before a restart: nobody is there to have them."
        self.ready: dict[str, tuple[Any, Any]] = {}
        "Rows and answers that were computed ahead of their bar, by a backtest."
        self.quiet: Collection[str] = ()
        "Symbols that a backtest knows to have nothing new to say at the next slice."

    def ask(self, symbol: str, row: Row | None, held: float) -> Any:  # noqa: ANN401 - user code's
        """The strategy's bare answer; None without a row."""
        return None if row is None else self.strategies[symbol].decide(row, held)

    def look(
        self, bar: Bar, session: date, held: float, before: float | None = None
    ) -> Wanted | None:
        """What the strategy wants at this bar; None for no opinion, or still the one `before`.

        Raises what it raises, and ValueError for an exposure outside -1 .. +1.
        """
        symbol = bar.symbol
        if symbol in self.ready:
            row, answer = self.ready.pop(symbol)
            if isinstance(answer, Exception):
                raise answer
        else:
            row = self.histories[symbol].advance(bar, session)
            answer = self.ask(symbol, row, held)
        if row is None or answer is None or answer == before:
            return None
        return wanted_of(answer, row)

    @property
    def every_strategy(self) -> Sequence[BaseStrategy]:
        """All instances that decide for it."""
        return tuple(self.strategies.values())

    @property
    def answers_ahead(self) -> bool:
        """Whether its strategies live in another process."""
        return any(one.answers_ahead for one in self.every_strategy)

    def miss(self, symbol: str, wanted: Wanted | None, at: datetime) -> None:
        """Remember an opinion that came while nothing may be done about it."""
        if wanted is not None:
            self.missed[symbol] = Missed(wanted.exposure, at)

    def snapshot(self) -> RuntimeState:
        return RuntimeState(
            deployment=self.deployment,
            state=self.state,
            opinions=dict(self.opinions),
            missed=dict(self.missed),
            memories={**self.laid_down, **self.memories()},
        )

    def memories(self) -> dict[str, Any]:
        """What its strategies remember, by symbol, as plain data."""
        found = {symbol: one.checkpoint() for symbol, one in self.strategies.items()}
        return {symbol: memory for symbol, memory in found.items() if memory is not None}

    def restore(self, state: RuntimeState) -> None:
        self.state = state.state
        self.opinions, self.missed = dict(state.opinions), dict(state.missed)
        if self.state is not DeploymentState.RUNNING:
            self.laid_down = dict(state.memories)
        self.remember(state.memories)

    def remember(self, memories: Mapping[str, Any]) -> None:
        """Give its strategies back what `memories` told."""
        for symbol, strategy in self.strategies.items():
            if symbol in memories:
                strategy.restore(memories[symbol])


def wanted_of(answer: Any, row: Row) -> Wanted:  # noqa: ANN401 - whatever user code returned
    """The answer with the row's prices and values. Raises ValueError outside -1 .. +1."""
    if isinstance(answer, Opinion):
        exposure, stop, profit = float(answer.exposure), answer.stop_loss, answer.take_profit
        trail, reasons = answer.stop_trail, answer.reasons
    else:
        exposure, reasons = float(answer), ()
        stop, profit = _optional(row, "stop_loss"), _optional(row, "take_profit")
        trail = _optional(row, "stop_trail")
    if not -1.0 <= exposure <= 1.0:
        raise ValueError(f"exposure must be between -1 and 1, not {exposure}")
    at = row.index
    finite = {
        name: value
        for name, column in row.columns.items()
        if name not in _BARS and math.isfinite(value := float(column[at]))
    }
    return Wanted(exposure, stop, profit, trail, reasons, finite)


def _optional(row: Row, name: str) -> float | None:
    value = row[name] if name in row.columns else math.nan
    return value if math.isfinite(value) else None


def described(error: Exception) -> str:
    """The traceback without our own frames, so that a backtest and a live run tell the same.

    Of an error that came from another process it is the one that ended there.
    """
    told = getattr(error, "told", "")
    if told:
        return str(told)
    frames: TracebackType | None = error.__traceback__
    while frames is not None and _is_ours(frames):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames, chain=False))


def _is_ours(frames: TracebackType) -> bool:
    return str(frames.tb_frame.f_globals.get("__name__")).startswith(_OWN_CODE)
