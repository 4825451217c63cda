"""Does a strategy know the future? Shown less of it, it must say the same, bit for bit.

`prepare` is asked again on bars that end early, at several cuts of the very blocks that the
backtest used; `decide` is asked about the same rows with and without the bars after them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np

from app.engine.history import Block, Series, Tape
from app.strategies.base import Array, Columns, Strategy
from app.strategies.trial import decided

BLOCKS: Final = 6
"Blocks of each symbol that are looked at, spread over the whole time."
CUTS: Final = (0.37, 0.71, 1.0)
"Where a block is cut, as shares of its rows; the last leaves out its final bar."
ROWS: Final = 400
"Rows of a cut at most on which `decide` is asked."


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


class _Found(Exception):
    """What gave the strategy away."""


def check_causality(make: Callable[[], Strategy], series: Sequence[Series]) -> Causality:
    """Try strategies fresh from `make` on these bars. One that raises stays unchecked."""
    cuts = 0
    try:
        for one in series:
            for block, end in _cuts(make(), one):
                _compare(make, one, block, end)
                cuts += 1
    except _Found as found:
        return Causality(verdict=Verdict.LOOKS_AHEAD, cuts=cuts + 1, detail=str(found))
    except Exception as error:  # noqa: BLE001  user code: the run tells what it raises, bar by bar
        detail = f"It raised {type(error).__name__}: {error}"
        return Causality(verdict=Verdict.UNCHECKED, cuts=cuts, detail=detail)
    if not cuts:
        detail = "There are too few bars to cut any off."
        return Causality(verdict=Verdict.UNCHECKED, cuts=0, detail=detail)
    detail = f"Equal to the bit at {cuts} cuts."
    return Causality(verdict=Verdict.CAUSAL, cuts=cuts, detail=detail)


def _cuts(strategy: Strategy, series: Series) -> Iterator[tuple[Block, int]]:
    """Blocks, and the rows (of the series) before which they are cut."""
    blocks = Tape(strategy, series).blocks
    for at in sorted(set(np.linspace(0, len(blocks) - 1, BLOCKS).astype(int).tolist())):
        block = blocks[at]
        rows = block.last - max(block.first, block.base + strategy.lookback)
        ends = {block.last - rows + int((rows - 1) * share) for share in CUTS}
        for end in sorted(ends):
            if block.base + strategy.lookback <= end < block.last:
                yield block, end


def _compare(make: Callable[[], Strategy], series: Series, block: Block, end: int) -> None:
    strategy = make()
    whole = _columns(strategy, series, block.base, block.last)
    part = _columns(make(), series, block.base, end)
    rows, when = end - block.base, series.bar(end - 1).end
    for name, column in whole.items():
        if name not in part or not _same(column[:rows], part[name]):
            raise _Found(
                f"The column {name} changes its rows before {when:%Y-%m-%d %H:%M} UTC"
                " when the bars after it are known."
            )
    if strategy.decides_by_row:
        _compare_decisions(make, whole, part, range(max(strategy.lookback - 1, rows - ROWS), rows))


def _compare_decisions(
    make: Callable[[], Strategy], whole: Columns, part: Columns, rows: range
) -> None:
    """The same opinions, whether or not later rows exist beyond the one it is asked about."""
    told = list(decided(make(), whole, rows))
    try:
        alone = list(decided(make(), part, rows))
    except IndexError:
        raise _Found("`decide` reads rows after the one that it is asked about.") from None
    if told != alone:
        raise _Found("`decide` answers differently when later rows are known.")


def _columns(strategy: Strategy, series: Series, first: int, last: int) -> dict[str, Array]:
    """Copies go in, so that a strategy that writes into its bars harms nobody else."""
    bars = {name: column[first:last].copy() for name, column in series.columns.items()}
    made: Mapping[str, Array] = strategy.prepare(bars)
    return {**bars, **made}


def _same(one: Array, other: Array) -> bool:
    """Equal to the bit; any NaN equals any NaN."""
    if one.shape != other.shape:
        return False
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind in "fc"))
