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
COMPARED: Final = 512
HEAD: Final = 512
"Rows that no tail includes."
MARKETS: Final = ((0.004, 0.0), (0.0005, 0.00005), (0.02, 0.0), (0.003, -0.0006), (0.003, 0.0006))
"Step and drift of the tapes: usual, calm, wild, falling, rising."


def rows_remembered(compute: Compute, residual: float = RESIDUAL) -> int | None:
    """Fewest rows after which it does not matter what came before; None beyond LIMIT.

    The last rows of several tapes are computed from the whole and from ever longer tails; they
    agree when they differ by no more than `residual` of their range.
    """
    needed = [
        _on_tape(
            compute, sample_bars(HEAD + LIMIT + COMPARED, seed, step=step, drift=drift), residual
        )
        for seed, (step, drift) in enumerate(MARKETS)
    ]
    known = [rows for rows in needed if rows is not None]
    return max(known) if len(known) == len(needed) else None


def _on_tape(compute: Compute, bars: Columns, residual: float) -> int | None:
    whole = compute(bars)

    def agrees(rows: int) -> bool:
        """Every row from the `rows`-th on is the same as on the whole tape."""
        begin = HEAD + LIMIT - rows
        tail = compute({name: column[begin:] for name, column in bars.items()})
        return all(
            _same(cut[rows - 1 :], full[begin + rows - 1 :], residual)
            for cut, full in zip(tail, whole, strict=True)
        )

    enough = 1
    while not agrees(enough):
        enough *= 2
        if enough > LIMIT:
            return None
    return _fewest(agrees, enough // 2, enough)


def _fewest(agrees: Callable[[int], bool], too_few: int, enough: int) -> int:
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if agrees(middle):
            enough = middle
        else:
            too_few = middle
    return enough


def _same(values: Array, other: Array, residual: float) -> bool:
    known = np.isfinite(other)
    if not np.array_equal(known, np.isfinite(values)):
        return False
    if not known.any():
        return True
    spread = float(np.ptp(other[known])) or float(np.max(np.abs(other[known])))
    return bool(np.max(np.abs(values[known] - other[known])) <= residual * spread)
