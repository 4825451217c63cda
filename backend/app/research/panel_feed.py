"""Where a backtest must look at a panel: its turning slices, or slice by slice what it answers."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import numpy as np

from app.domain.deployments import DeploymentState
from app.engine.desk import Desk
from app.engine.panel_runtime import ALL, PanelRuntime
from app.engine.panels import PanelTape
from app.research.market import Market, Positions
from app.strategies.base import Array, Opinion


class PanelReader:
    """One panel deployment against the slices of a market."""

    def __init__(self, runtime: PanelRuntime, market: Market, desk: Desk) -> None:
        self.runtime, self._desk = runtime, desk
        self._tape = cast("PanelTape", runtime.history)
        self.symbols: Final = runtime.deployment.symbols
        rows = np.searchsorted(self._tape.ends, market.ends)
        rows = np.minimum(rows, len(self._tape.ends) - 1)
        self._row_of: Positions = np.where(self._tape.ends[rows] == market.ends, rows, -1)
        "Row of each slice; -1 where none of its symbols has a bar."
        self._turns: frozenset[int] = frozenset()
        if not self.decides_by_row:
            self._turns = frozenset(self._turning())

    @property
    def turns(self) -> frozenset[int]:
        """Slices at which the exposure of a symbol changes, or that must be looked at."""
        return self._turns

    @property
    def decides_by_row(self) -> bool:
        return self.runtime.strategy.decides_by_row

    @property
    def is_at_work(self) -> bool:
        return self.runtime.state is DeploymentState.RUNNING

    def hush(self, k: int) -> None:
        """Who decides by columns need not be asked at a slice where nothing turns."""
        if not self.decides_by_row:
            self.runtime.is_quiet = k not in self._turns

    def changes(self, k: int) -> bool:
        """Ask ahead of slice `k`, and say whether anything is wanted otherwise than before."""
        index = int(self._row_of[k])
        if index < 0:
            return False
        runtime = self.runtime
        try:
            row = self._tape.row(index)
            answer = runtime.answer(row, self._held())
        except Exception as error:  # noqa: BLE001  user code: it is told when the slice is visited
            runtime.ready[ALL] = None, error
            return True
        runtime.ready[ALL] = row, answer
        return row is not None and self._is_news(answer)

    def _held(self) -> dict[str, float]:
        ledger = self.runtime.ledger
        return {symbol: self._desk.held_exposure(ledger, symbol) for symbol in self.symbols}

    def _is_news(self, answer: Any) -> bool:  # noqa: ANN401 - user code's
        if not isinstance(answer, Mapping) or not answer.keys() <= set(self.symbols):
            return True  # the visit tells what is wrong with it
        opinions = self.runtime.opinions
        wanted = ((s, a.exposure if isinstance(a, Opinion) else a) for s, a in answer.items())
        return any(e is not None and e != opinions.get(symbol, 0.0) for symbol, e in wanted)

    def _turning(self) -> Iterator[int]:
        slices = np.flatnonzero(self._row_of >= 0)
        rows = self._row_of[slices]
        for wanted in self._tape.exposures().values():
            yield from slices[turns_of(wanted[rows])].tolist()


def turns_of(wanted: Array) -> Positions:
    """Rows at which an exposure is not the one that was stated last, or is not known."""
    stated = np.flatnonzero(~np.isnan(wanted))
    values = wanted[stated]
    before = np.concatenate([[0.0], values[:-1]])
    turns: Positions = stated[(values != before) | np.isinf(values)]
    return turns
