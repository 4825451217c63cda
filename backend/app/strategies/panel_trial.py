"""Asks a panel strategy for its opinions on given bars, as the engine would if all were filled."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import VALUES, BarBatch, Nanos
from app.marketdata.calendar import TradingCalendar, trading_calendar
from app.strategies.base import Columns, Opinion, Row
from app.strategies.panel import Panel, PanelStrategy, View
from app.strategies.trial import as_opinion

FIRST: Final = 1_672_704_000 * 10**9
"Bars are put on the sessions of New York from 3 January 2023 on."
_DAY: Final = 86_400 * 10**9
_FEWEST_PER_SESSION: Final = {Timeframe.D1: 1, Timeframe.H1: 4}

PanelOpinions = dict[str, Opinion | None]


class PanelTrial:
    """Bars of several symbols with made-up times, and the panels that can be cut from them."""

    def __init__(
        self, strategy: PanelStrategy, bars: Mapping[str, Columns], timeframe: Timeframe
    ) -> None:
        """A row whose close is NaN has no bar. All symbols have equally many rows."""
        self.symbols = tuple(bars)
        self.timeframe = timeframe
        calendar = trading_calendar()
        start, end = grid(calendar, timeframe, len(next(iter(bars.values()))["close"]))
        self._needed = strategy.bars_needed(timeframe)
        self._series: dict[tuple[str, Timeframe], tuple[Nanos, Columns]] = {}
        for symbol, columns in bars.items():
            exists = ~np.isnan(columns["close"])
            values = {name: columns[name][exists] for name in VALUES}
            batch = BarBatch.of(symbol, timeframe, start[exists], end[exists], **values)
            for one in self._needed:
                made = batch if one is timeframe else aggregate(batch, one, calendar, 2**62)
                session = calendar.ordinals(made.start)
                self._series[symbol, one] = made.end, {**made.columns(), "session": session}
        ends = [self._series[symbol, timeframe][0] for symbol in self.symbols]
        self.ends: NDArray[np.int64] = np.unique(np.concatenate(ends))
        self._session = calendar.ordinals(self.ends - 1)

    def panel(self, last: int, first: int = 0) -> Panel:
        """Rows first <= i < last, with the longer bars that must stand before row `first`."""
        views: dict[tuple[str, Timeframe], View] = {}
        rows = self.ends[first:last]
        for (symbol, timeframe), (ends, columns) in self._series.items():
            begin = int(np.searchsorted(ends, rows[0]))
            if timeframe is not self.timeframe:
                begin = max(begin - self._needed[timeframe], 0) if first else 0
            over = int(np.searchsorted(ends, rows[-1], side="right"))
            kept = {name: column[begin:over].copy() for name, column in columns.items()}
            views[symbol, timeframe] = View(kept, ends[begin:over], rows)
        return Panel(self.symbols, self.timeframe, rows, self._session[first:last], views)


def grid(calendar: TradingCalendar, timeframe: Timeframe, rows: int) -> tuple[Nanos, Nanos]:
    """Starts and ends of so many bars on real sessions."""
    most = rows // _FEWEST_PER_SESSION.get(timeframe, 10) + 10
    sessions = calendar.sessions(FIRST, FIRST + 2 * most * _DAY)
    parts = [calendar.grid(session, timeframe) for session in sessions[:most]]
    start, end = (np.concatenate(columns)[:rows] for columns in zip(*parts, strict=True))
    return start, end


def panel_opinions(
    strategy: PanelStrategy, bars: Mapping[str, Columns], timeframe: str = "1d"
) -> list[PanelOpinions]:
    """One opinion a symbol and row, from the first row that the lookback allows; None is none.

    Rows whose close is NaN have no bar. Raises InvalidInput for symbols that it cannot trade.
    """
    lengths = {len(columns["close"]) for columns in bars.values()}
    if len(lengths) != 1:
        raise InvalidInput("All symbols must have equally many rows.", field="bars")
    strategy.check_deployment(list(bars), Timeframe(timeframe))
    trial = PanelTrial(strategy, bars, Timeframe(timeframe))
    panel = trial.panel(len(trial.ends))
    columns = panel.with_bars(strategy.prepare(panel))
    lookback = strategy.bars_needed(trial.timeframe)[trial.timeframe]
    return list(panel_decided(strategy, columns, range(lookback - 1, len(panel))))


def panel_decided(
    strategy: PanelStrategy,
    columns: Mapping[str, Columns],
    rows: range,
    held: Mapping[str, float] | None = None,
) -> Iterator[PanelOpinions]:
    """The opinions on these rows; `held` is what is held before the first. Raises ValueError."""
    holding = dict.fromkeys(columns, 0.0) | dict(held or {})
    for index in rows:
        row = {symbol: Row(one, index) for symbol, one in columns.items()}
        said: object = strategy.decide(row, dict(holding))
        if not isinstance(said, Mapping) or not said.keys() <= row.keys():
            raise ValueError(f"decide must return exposures by symbol, not {said!r}")
        opinions = {symbol: as_opinion(said.get(symbol)) for symbol in row}
        holding |= {symbol: one.exposure for symbol, one in opinions.items() if one is not None}
        yield opinions
