"""Asking strategies of other processes about a slice before the engine handles it.

The engine stays synchronous: answers wait in the runtimes, where the handling of the slice finds
them. The questions are those that the handling would ask. They may be asked while other things are
still handled: where that changes what is held, `decide` is asked again, with the memory of before.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from app.core.errors import StrategyLost
from app.domain.deployments import DeploymentState
from app.domain.events import SliceClosed
from app.domain.market import Bar
from app.engine.desk import Desk
from app.engine.engine import Engine
from app.engine.panel_runtime import ALL, PanelRuntime
from app.engine.runtime import Runtime
from app.strategies.base import BaseStrategy, Row
from app.strategies.panel import PanelRow


class Question(ABC):
    """About one slice. `ask` and `ask_again` wait for another process, so a thread calls them."""

    key: str
    strategy: BaseStrategy

    def __init__(self, desk: Desk, runtime: Runtime, session: date) -> None:
        self.runtime = runtime
        self._desk, self._session = desk, session
        self._held, self._memory = self._now(), self.strategy.checkpoint()

    @property
    def is_outdated(self) -> bool:
        """Whether something else is held by now than was told, and it matters."""
        return self.strategy.decides_by_row and self._held != self._now()

    def ask(self) -> None:
        """Leave the row and the answer with the runtime. Raises StrategyLost."""
        row, answer = None, None
        try:
            row = self._advanced()
            answer = self._answer(row)
        except StrategyLost:
            raise
        except Exception as error:  # noqa: BLE001  user code: it is told when the slice is handled
            answer = error
        self.runtime.ready[self.key] = row, answer

    def ask_again(self) -> None:
        """The same row with what is held now. Raises StrategyLost."""
        row, answer = self.runtime.ready[self.key]
        self._held = self._now()
        if row is None:
            return  # nothing was decided
        self.strategy.restore(self._memory)
        try:
            answer = self._answer(row)
        except StrategyLost:
            raise
        except Exception as error:  # noqa: BLE001  as above
            answer = error
        self.runtime.ready[self.key] = row, answer

    @abstractmethod
    def _now(self) -> Any:  # noqa: ANN401 - of one symbol, or of each
        ...

    @abstractmethod
    def _advanced(self) -> Any:  # noqa: ANN401 - as above
        ...

    @abstractmethod
    def _answer(self, row: Any) -> Any:  # noqa: ANN401 - user code's
        ...


def questions(engine: Engine, event: SliceClosed) -> list[Question]:
    """By deployment; none where all strategies live in this process."""
    if engine.slice_end is not None and event.end <= engine.slice_end:
        return []  # given again after a restart: it is not handled
    return [
        question
        for _, runtime in sorted(engine.runtimes.items())
        if runtime.state is DeploymentState.RUNNING and runtime.answers_ahead
        for question in _questions(engine.desk, runtime, event)
    ]


def _questions(desk: Desk, runtime: Runtime, event: SliceClosed) -> Iterator[Question]:
    asked = runtime.deployment
    bars = [b for b in event.bars if b.timeframe is asked.timeframe and b.symbol in asked.symbols]
    if not isinstance(runtime, PanelRuntime):
        for bar in bars:
            yield _OfBar(desk, runtime, bar, event.session)
    elif bars:
        yield _OfPanel(desk, runtime, bars, event.session)


class _OfBar(Question):
    """What one symbol's strategy wants at its bar."""

    def __init__(self, desk: Desk, runtime: Runtime, bar: Bar, session: date) -> None:
        self.key, self._bar = bar.symbol, bar
        self.strategy = runtime.strategies[bar.symbol]
        super().__init__(desk, runtime, session)

    def _now(self) -> float:
        return self._desk.held_exposure(self.runtime.ledger, self.key)

    def _advanced(self) -> Row | None:
        return self.runtime.histories[self.key].advance(self._bar, self._session)

    def _answer(self, row: Row | None) -> Any:  # noqa: ANN401 - user code's
        return self.runtime.ask(self.key, row, self._held)


class _OfPanel(Question):
    """What a panel's strategy wants at a slice."""

    key = ALL

    def __init__(self, desk: Desk, panel: PanelRuntime, bars: Sequence[Bar], session: date) -> None:
        self._panel, self._bars = panel, bars
        self.strategy = panel.strategy
        super().__init__(desk, panel, session)

    def _now(self) -> dict[str, float]:
        ledger, symbols = self._panel.ledger, self._panel.deployment.symbols
        return {symbol: self._desk.held_exposure(ledger, symbol) for symbol in symbols}

    def _advanced(self) -> PanelRow | None:
        return self._panel.history.advance(self._bars, self._session)

    def _answer(self, row: PanelRow | None) -> Any:  # noqa: ANN401 - user code's
        return self._panel.answer(row, self._held)
