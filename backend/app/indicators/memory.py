"""How many rows an indicator remembers: from this follows the lookback of a strategy."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, log
from typing import Final

RESIDUAL: Final = 1e-6
"A decaying indicator has warmed up when what came before weighs no more than this."


class MemoryKind(StrEnum):
    FINITE = "finite"
    "The last n rows decide."
    DECAYING = "decaying"
    "Old rows fade: after n rows the rest weighs RESIDUAL at most."
    CUMULATIVE = "cumulative"
    "Everything since the session began; it starts anew with each session."


@dataclass(frozen=True)
class Memory:
    """`rows(**parameters)`: bars needed for the first value that can be relied on."""

    kind: MemoryKind
    rows: Callable[..., int]
    is_measured: bool = False
    "True when the rows were found by trying, not by a formula."


def finite(rows: Callable[..., int]) -> Memory:
    return Memory(MemoryKind.FINITE, rows)


def decaying(rows: Callable[..., int]) -> Memory:
    return Memory(MemoryKind.DECAYING, rows)


def one_row(**_: object) -> int:
    return 1


SESSION: Final = Memory(MemoryKind.CUMULATIVE, one_row)
"Since sessions are never cut in two, a session-anchored indicator needs no row before its session."


def ema_fade(length: int) -> int:
    """Rows until the seed of an exponential average, alpha = 2 / (length + 1), has faded."""
    return _fade(1 - 2 / (length + 1))


def wilder_fade(length: int) -> int:
    """Rows until the seed of a Wilder average, alpha = 1 / length, has faded."""
    return _fade(1 - 1 / length)


def _fade(kept: float) -> int:
    return ceil(log(RESIDUAL) / log(kept)) if kept > 0 else 0
