"""A strategy that sees several symbols at once, and longer bars of each, as of every row."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.marketdata.batch import VALUES
from app.strategies.base import Array, BaseStrategy, Columns, Opinion, Row

PanelRow = Mapping[str, Row]
"""One row of a panel by symbol: `row["SPY"]["close"]`."""
Answer = float | Opinion | None


class View:
    """The closed bars of one symbol and timeframe, as the rows of a panel know them."""

    def __init__(self, bars: Columns, ends: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        """`ends`: when each bar closed; `rows`: when each row of the panel ends (ns, rising)."""
        self.bars = bars
        "Its own bars, a row a bar, nothing filled in: what indicators are computed on."
        self._rows, self._ends = rows, ends
        self._newest = np.searchsorted(ends, rows, side="right") - 1

    @property
    def ends(self) -> NDArray[np.int64]:
        """When each of its own bars closed, ns UTC."""
        return self._ends

    def __getitem__(self, name: str) -> Array:
        """A column of the newest bar closed at or before each row; NaN before the first."""
        return self.aligned(self.bars[name])

    def aligned(self, values: Array) -> Array:
        """Values of `bars` (one a bar) on the rows of the panel: as of each, NaN before the first.

        What has no bar at a row keeps the value of its last one: `is_new` tells.
        """
        if not len(values):
            return np.full(len(self._rows), np.nan)
        known = values[np.maximum(self._newest, 0)]
        return np.where(self._newest >= 0, known, np.nan)

    @property
    def is_new(self) -> NDArray[np.bool_]:
        """Rows with which a bar closed; elsewhere it is an older one, or none."""
        if not len(self._ends):
            return np.zeros(len(self._rows), np.bool_)
        same: NDArray[np.bool_] = self._ends[np.maximum(self._newest, 0)] == self._rows
        return same


class Panel:
    """All bars that a panel strategy may see: `panel["SPY"]`, `panel["SPY", "1d"]`.

    There is a row for each instant at which a bar of any symbol closed.
    """

    def __init__(
        self,
        symbols: tuple[str, ...],
        timeframe: Timeframe,
        ends: NDArray[np.int64],
        session: Array,
        views: Mapping[tuple[str, Timeframe], View],
    ) -> None:
        self.symbols = symbols
        "In the order of the deployment."
        self.timeframe = timeframe
        "The deployment's own, that of `panel[symbol]`."
        self.ends = ends
        "When each row ends, ns UTC."
        self.session = session
        "Ordinal of each row's exchange session."
        self._views = views

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, series: str | tuple[str, str]) -> View:
        symbol, timeframe = (series, self.timeframe) if isinstance(series, str) else series
        found = self._views.get((symbol, Timeframe(timeframe)))
        if found is None:
            known = ", ".join(f"{symbol} {timeframe}" for symbol, timeframe in self._views)
            raise KeyError(f"the panel has no {symbol} {timeframe}, only {known}")
        return found

    @property
    def views(self) -> Mapping[tuple[str, Timeframe], View]:
        """Every series of it, by symbol and timeframe."""
        return self._views

    def with_bars(self, made: Mapping[str, Columns]) -> dict[str, Columns]:
        """By symbol the columns of its bars as of each row, and those `made` of them."""
        names = (*VALUES, "session")
        return {
            symbol: {**{name: self[symbol][name] for name in names}, **made.get(symbol, {})}
            for symbol in self.symbols
        }


class PanelStrategy(BaseStrategy):
    """Bars of several symbols in, the wanted exposure of each out.

    `prepare` is vectorised: it returns columns by symbol, as long as the panel; row i uses what had
    closed by the end of row i only. When bars alone decide, each symbol has an `exposure` column
    (NaN: no opinion), and optionally `stop_loss`, `take_profit` and `stop_trail`. Override `decide`
    only when the strategy's own past matters; its memory is then a dataclass in `memory`, which the
    engine checkpoints. A deployment has one instance for all its symbols.
    """

    timeframes: ClassVar[tuple[str, ...]] = ()
    "Longer bars that it looks at too, e.g. `1d`: made of the deployment's own."

    @abstractmethod
    def prepare(self, panel: Panel) -> Mapping[str, Columns]:
        """Indicator columns by symbol, plus `exposure` when bars alone decide."""

    def decide(self, row: PanelRow, held: Mapping[str, float]) -> Mapping[str, Answer]:
        """Exposures wanted now; a symbol that is missing, or None, stays as it is.

        `held` is the filled exposure of each symbol, -1 .. +1.
        """
        wanted = {symbol: one["exposure"] for symbol, one in row.items()}
        return {symbol: exposure for symbol, exposure in wanted.items() if exposure == exposure}

    @property
    def decides_by_row(self) -> bool:
        return type(self).decide is not PanelStrategy.decide

    @property
    def lookbacks(self) -> Mapping[str, int]:
        """Bars needed of each of `timeframes`; by default as many as of the deployment's own."""
        return dict.fromkeys(self.timeframes, self.lookback)

    def check_symbols(self, symbols: Sequence[str]) -> str | None:
        """A sentence when it cannot trade these together; None when it can."""
        return None

    def shares(self, symbols: int) -> int:
        """Into how many equal shares the capital goes: the most symbols that it holds at once.

        An exposure of 1 is one share.
        """
        return symbols

    def bars_needed(self, timeframe: Timeframe) -> dict[Timeframe, int]:
        needed = {timeframe: self.lookback}
        for name, bars in self.lookbacks.items():
            longer = Timeframe(name)
            if longer.duration < timeframe.duration:
                raise InvalidInput(
                    f"{self.name} looks at {longer} bars, which cannot be made of {timeframe}.",
                    field="timeframe",
                    remedy=f"Deploy it on {longer} or a shorter timeframe.",
                )
            needed[longer] = max(bars, needed.get(longer, 0))
        return needed

    def check_deployment(self, symbols: Sequence[str], timeframe: Timeframe) -> None:
        problem = self.check_symbols(symbols)
        if problem:
            raise InvalidInput(problem, field="symbols")
        self.bars_needed(timeframe)
