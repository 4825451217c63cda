"""Numbers for prints and quotes whose vendor has none: their order among those of one instant."""

from collections import OrderedDict
from typing import Final, TypeVar

import numpy as np

from app.marketdata.batch import Nanos, QuoteBatch, TickBatch
from app.marketdata.tick_memory import Groups

Batch = TypeVar("Batch", TickBatch, QuoteBatch)

LATE: Final = 1 << 20
"Numbers of rows that came after later ones begin here, so that they meet none that was in order."
_REMEMBERED: Final = 100_000


class Numbering:
    """Gives rows without a sequence one, by symbol and microsecond, from 1 on.

    The same rows in the same order get the same numbers, however they are cut into batches: a file
    that is imported twice is stored once.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}
        self._late: OrderedDict[tuple[str, int], int] = OrderedDict()

    def prime(self, symbol: str, at: int, sequence: int) -> None:
        """Where a series ended before: its newest instant (ns), and the number of the last row."""
        self._last[symbol] = (at // 1_000, sequence if sequence < LATE else 0)

    def number(self, batch: Batch) -> Batch:
        """The batch with a sequence in every row."""
        missing = np.flatnonzero(batch.rows["sequence"] == 0)
        if not len(missing):
            return batch
        rows = batch.rows.copy()
        groups = Groups.of(rows["symbol"].astype(np.intp), missing)
        micros = rows["at"][groups.order] // 1_000
        numbers = np.empty(len(groups.order), dtype=np.int64)
        ends = np.append(groups.first[1:], len(numbers)).tolist()
        for number, first, end in zip(
            groups.numbers.tolist(), groups.first.tolist(), ends, strict=True
        ):
            numbers[first:end] = self._numbered(batch.symbols[number], micros[first:end])
        rows["sequence"][groups.order] = numbers
        if isinstance(batch, TickBatch):
            return TickBatch(batch.symbols, rows, batch.labels)
        return QuoteBatch(batch.symbols, rows, batch.partial)

    def _numbered(self, symbol: str, micros: Nanos) -> Nanos:
        newest, count = self._last.get(symbol, (-(2**62), 0))
        highest = np.maximum.accumulate(np.concatenate([[newest], micros]))
        late = np.flatnonzero(micros < highest[:-1])
        if len(late):
            numbers = np.empty(len(micros), dtype=np.int64)
            numbers[late] = [self._late_number(symbol, at) for at in micros[late].tolist()]
            fine = np.flatnonzero(micros >= highest[:-1])
            if len(fine):
                numbers[fine] = self._numbered(symbol, micros[fine])
            return numbers
        begins = np.flatnonzero(np.diff(micros, prepend=newest))
        place = np.arange(1, len(micros) + 1)
        base = np.zeros(len(micros), dtype=np.int64)
        base[begins] = begins
        base = np.maximum.accumulate(base)
        numbers = place - base
        numbers[micros == newest] += count
        self._last[symbol] = (int(micros[-1]), int(numbers[-1]))
        return numbers

    def _late_number(self, symbol: str, at: int) -> int:
        key = (symbol, at)
        self._late[key] = number = self._late.get(key, LATE - 1) + 1
        if len(self._late) > _REMEMBERED:
            self._late.popitem(last=False)
        return number
