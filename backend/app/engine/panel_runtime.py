"""A running deployment whose one strategy decides for all its symbols, slice by slice."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from app.domain.deployments import Deployment
from app.domain.market import Bar
from app.engine.panels import PanelHistory
from app.engine.runtime import Runtime, Wanted, wanted_of
from app.strategies.base import BaseStrategy
from app.strategies.panel import PanelRow, PanelStrategy

ALL: Final = "*"
"Key of what a panel has once and not for each symbol: its memory, an answer ahead."
Look = tuple[Bar, Wanted | None]


class PanelRuntime(Runtime):
    """A panel deployment at work: one strategy and one history for all symbols."""

    def __init__(
        self, deployment: Deployment, strategy: PanelStrategy, history: PanelHistory
    ) -> None:
        super().__init__(deployment, {}, {})
        self.strategy, self.history = strategy, history
        self.shares = strategy.shares(len(deployment.symbols))
        self.is_quiet = False
        "A backtest knows that there is nothing new to say at the next slice."

    def answer(self, row: PanelRow | None, held: Mapping[str, float]) -> Any:  # noqa: ANN401 - user code's
        """The strategy's bare answer; None without a row."""
        return None if row is None else self.strategy.decide(row, held)

    @property
    def every_strategy(self) -> Sequence[BaseStrategy]:
        return (self.strategy,)

    def looks(
        self, bars: Sequence[Bar], session: date, held: Mapping[str, float], *, news_only: bool
    ) -> list[Look]:
        """What is wanted of each symbol that has had a bar; None for no opinion, or no news.

        `bars`: those of the slice. Raises what the strategy raises, and ValueError for an answer
        that is not exposures of -1 .. +1 by symbol.
        """
        row: PanelRow | None
        if ALL in self.ready:
            row, answer = self.ready.pop(ALL)
            if isinstance(answer, Exception):
                raise answer
        else:
            row = self.history.advance(bars, session)
            answer = self.answer(row, held)
        if row is None:
            return [(bar, None) for bar in bars]
        _check(answer, row)
        known = {bar.symbol: bar for bar in bars}
        return [
            (bar, self._wanted(answer.get(bar.symbol), row, bar, news_only=news_only))
            for bar in self._bars(row, known, bars[0])
        ]

    def _bars(self, row: PanelRow, known: Mapping[str, Bar], other: Bar) -> Iterator[Bar]:
        """The bar of each symbol; without one in this slice, a flat one at its last close."""
        for symbol in self.deployment.symbols:
            close = row[symbol]["close"]
            if symbol in known:
                yield known[symbol]
            elif close == close:  # NaN: it has had none yet, and nobody could price it
                flat = (close, close, close, close, 0.0)
                yield Bar(symbol, other.timeframe, other.start, other.end, *flat)

    def _wanted(self, said: Any, row: PanelRow, bar: Bar, *, news_only: bool) -> Wanted | None:  # noqa: ANN401 - user code's
        if said is None:
            return None
        if news_only and bar.symbol not in self.missed and said == self.opinions.get(bar.symbol):
            return None
        return wanted_of(said, row[bar.symbol])

    def memories(self) -> dict[str, Any]:
        memory = self.strategy.checkpoint()
        return {} if memory is None else {ALL: memory}

    def remember(self, memories: Mapping[str, Any]) -> None:
        if ALL in memories:
            self.strategy.restore(memories[ALL])


def _check(answer: Any, row: PanelRow) -> None:  # noqa: ANN401 - whatever user code returned
    if not isinstance(answer, Mapping):
        raise ValueError(f"decide must return exposures by symbol, not {type(answer).__name__}")
    strange = sorted(map(str, answer.keys() - row.keys()))
    if strange:
        raise ValueError(f"decide wants {', '.join(strange)}: not among the deployment's symbols")
