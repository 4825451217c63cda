"""How much an indicator remembers, found by trying, where nobody has written down a formula."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from app.indicators.memory import RESIDUAL
from app.indicators.rows import Array
from app.indicators.samples import sample_bars

Columns = Mapping[str, Array]
Compute = Callable[[Columns], tuple[Array, ...]]

LIMIT: Final = 4096
"Rows after which an indicator counts as one that never forgets."
COMPARED: Final = 64
SEEDS: Final = (11, 12, 13)


def rows_remembered(compute: Compute) -> int | None:
    """Fewest rows after which it does not matter what came before; None beyond LIMIT.

    The last rows of three tapes are computed from the whole and from ever longer tails; they agree
    when they differ by no more than RESIDUAL of their range.
    """
    needed = [_on_tape(compute, sample_bars(LIMIT + COMPARED, seed)) for seed in SEEDS]
    return max((rows for rows in needed if rows is not None), default=None) if all(needed) else None


def _on_tape(compute: Compute, bars: Columns) -> int | None:
    whole = compute(bars)
    enough = 1
    while not _agrees(compute, bars, whole, enough):
        enough *= 2
        if enough > LIMIT:
            return None
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if _agrees(compute, bars, whole, middle):
            enough = middle
        else:
            too_few = middle
    return enough


def _agrees(compute: Compute, bars: Columns, whole: tuple[Array, ...], rows: int) -> bool:
    """True when every row from the `rows`-th on is the same as on the whole tape."""
    begin = LIMIT - rows
    tail = compute({name: column[begin:] for name, column in bars.items()})
    return all(
        _same(cut[rows - 1 :], full[begin + rows - 1 :])
        for cut, full in zip(tail, whole, strict=True)
    )


def _same(values: Array, other: Array) -> bool:
    known = np.isfinite(other)
    if not np.array_equal(known, np.isfinite(values)):
        return False
    if not known.any():
        return True
    spread = float(np.ptp(other[known])) or float(np.max(np.abs(other[known])))
    return bool(np.max(np.abs(values[known] - other[known])) <= RESIDUAL * spread)
