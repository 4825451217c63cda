"""Does a strategy know the future? Shown less of it, it must say the same, bit for bit.

`prepare` is asked again on bars that end early, at several cuts of the very blocks that the
backtest used; `decide` is asked about the same rows with and without the bars after them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import Any, Final

import msgspec
import numpy as np

from app.engine.history import Tape
from app.engine.panels import PanelTape
from app.engine.series import Block, Series
from app.marketdata.calendar import TradingCalendar, trading_calendar
from app.research.comparison import ROWS, Found, compare_columns, compare_panels, compare_told
from app.strategies.base import Array, BaseStrategy, Columns, Strategy
from app.strategies.panel import PanelStrategy
from app.strategies.trial import decided

BLOCKS: Final = 6
"Blocks of each symbol that are looked at, spread over the whole time."
CUTS: Final = (0.37, 0.71, 1.0)
"Where a block is cut, as shares of its rows; the last leaves out its final bar."


class Verdict(StrEnum):
    """As `backtests.causality` stores it."""

    CAUSAL = "causal"
    LOOKS_AHEAD = "looks_ahead"
    UNCHECKED = "unchecked"


class Causality(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict, after how many comparisons, and what was found."""

    verdict: Verdict
    cuts: int
    detail: str


def check_causality(
    make: Callable[[], BaseStrategy],
    series: Sequence[Series],
    calendar: TradingCalendar | None = None,
) -> Causality:
    """Try strategies fresh from `make` on these bars. One that raises stays unchecked.

    A panel sees all the series at once; `calendar` makes its longer bars.
    """
    cuts = 0
    try:
        for compare in _comparisons(make, series, calendar or trading_calendar()):
            compare()
            cuts += 1
    except Found as found:
        return Causality(verdict=Verdict.LOOKS_AHEAD, cuts=cuts + 1, detail=str(found))
    except Exception as error:  # noqa: BLE001  user code: the run tells what it raises, bar by bar
        detail = f"It raised {type(error).__name__}: {error}"
        return Causality(verdict=Verdict.UNCHECKED, cuts=cuts, detail=detail)
    if not cuts:
        detail = "There are too few bars to cut any off."
        return Causality(verdict=Verdict.UNCHECKED, cuts=0, detail=detail)
    detail = f"Equal to the bit at {cuts} cuts."
    return Causality(verdict=Verdict.CAUSAL, cuts=cuts, detail=detail)


def _comparisons(
    make: Callable[[], Any], series: Sequence[Series], calendar: TradingCalendar
) -> Iterator[Callable[[], None]]:
    """One comparison for each cut that there is to make."""
    strategy = make()
    if isinstance(strategy, PanelStrategy):
        tape = PanelTape(strategy, series, series[0].timeframe, calendar)
        for block, end in _cuts(tape.blocks, tape.lookback):
            yield partial(compare_panels, make, tape, block, end)
        return
    for one in series:
        for block, end in _cuts(Tape(strategy, one).blocks, strategy.lookback):
            yield partial(_compare, make, one, block, end)


def _cuts(blocks: Sequence[Block], lookback: int) -> Iterator[tuple[Block, int]]:
    """Blocks, and the rows before which they are cut."""
    for at in sorted(set(np.linspace(0, len(blocks) - 1, BLOCKS).astype(int).tolist())):
        block = blocks[at]
        rows = block.last - max(block.first, block.base + lookback)
        ends = {block.last - rows + int((rows - 1) * share) for share in CUTS}
        for end in sorted(ends):
            if block.base + lookback <= end < block.last:
                yield block, end


def _compare(make: Callable[[], Strategy], series: Series, block: Block, end: int) -> None:
    strategy = make()
    whole = _columns(strategy, series, block.base, block.last)
    part = _columns(make(), series, block.base, end)
    rows, when = end - block.base, series.bar(end - 1).end
    compare_columns(whole, part, rows, when)
    if strategy.decides_by_row:
        _compare_decisions(make, whole, part, range(max(strategy.lookback - 1, rows - ROWS), rows))


def _compare_decisions(
    make: Callable[[], Strategy], whole: Columns, part: Columns, rows: range
) -> None:
    """The same opinions, whether or not later rows exist beyond the one it is asked about."""
    compare_told(
        lambda: list(decided(make(), whole, rows)), lambda: list(decided(make(), part, rows))
    )


def _columns(strategy: Strategy, series: Series, first: int, last: int) -> dict[str, Array]:
    """Copies go in, so that a strategy that writes into its bars harms nobody else."""
    bars = {name: column[first:last].copy() for name, column in series.columns.items()}
    made: Mapping[str, Array] = strategy.prepare(bars)
    return {**bars, **made}
