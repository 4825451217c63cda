"""Comparisons that give away a strategy that knows the future: columns, panels, answers."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import numpy as np

from app.core.clock import from_ns
from app.engine.panels import PanelTape, columns_of
from app.engine.series import Block
from app.strategies.base import Array, Columns
from app.strategies.panel import PanelStrategy
from app.strategies.panel_trial import panel_decided

ROWS: Final = 400
"Rows of a cut at most on which `decide` is asked."


class Found(Exception):
    """What gave the strategy away."""


def compare_columns(
    whole: Columns, part: Columns, rows: int, when: datetime, whose: str = ""
) -> None:
    """The first `rows` of `whole` must be those of `part`, which ends there. Raises Found."""
    for name, column in whole.items():
        if name not in part or not _same(column[:rows], part[name]):
            raise Found(
                f"The column {name}{whose} changes its rows before {when:%Y-%m-%d %H:%M} UTC"
                " when the bars after it are known."
            )


def compare_told(told: Callable[[], Any], alone: Callable[[], Any]) -> None:
    """`alone` knows no later rows, and must say what `told` says. Raises Found."""
    said = told()
    try:
        other = alone()
    except IndexError:
        raise Found("`decide` reads rows after the one that it is asked about.") from None
    if said != other:
        raise Found("`decide` answers differently when later rows are known.")


def compare_panels(
    make: Callable[[], PanelStrategy], tape: PanelTape, block: Block, end: int
) -> None:
    """The rows of a block before row `end`, with and without those after it. Raises Found."""
    strategy = make()
    whole = columns_of(strategy, tape.panel(block, block.last, copied=True))
    part = columns_of(make(), tape.panel(block, end, copied=True))
    rows, when = end - block.base, from_ns(int(tape.ends[end - 1]))
    for symbol, columns in whole.items():
        compare_columns(columns, part[symbol], rows, when, f" of {symbol}")
    if strategy.decides_by_row:
        asked = range(max(tape.lookback - 1, rows - ROWS), rows)
        compare_told(_answers(make, whole, asked), _answers(make, part, asked))


def _answers(
    make: Callable[[], PanelStrategy], columns: Mapping[str, Columns], rows: range
) -> Callable[[], Any]:
    return lambda: list(panel_decided(make(), columns, rows))


def _same(one: Array, other: Array) -> bool:
    """Equal to the bit; any NaN equals any NaN."""
    if one.shape != other.shape:
        return False
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind in "fc"))
