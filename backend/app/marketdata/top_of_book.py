"""One-sided quotes folded into two-sided tops of book, and the last of each second picked out."""

from typing import Final

import numpy as np

from app.marketdata.batch import Flags, Nanos, QuoteBatch, Rows
from app.marketdata.tick_memory import Groups, Positions

_SECOND: Final = 1_000_000_000
_SIDES: Final = ("bid", "ask")


class TopOfBook:
    """The last bid and ask of every symbol. Rows that tell one side only are completed.

    While the two cross, the older side is taken to be gone: vendors send a move of the whole market
    one side after the other. It shows again when the newer side goes back, or is replaced.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._last = {name: np.full(0, np.nan) for name in ("bid", "ask")}
        self._sizes = {name: np.zeros(0) for name in _SIDES}
        self._age = {name: np.zeros(0, dtype=np.int64) for name in _SIDES}
        self._count = 0

    def fold(self, batch: QuoteBatch) -> QuoteBatch:
        """Every row with both sides as far as they are known; the others have a NaN."""
        if not batch.partial or not len(batch):
            return batch
        numbers = self._known(batch.symbols)[batch.rows["symbol"]]
        groups = Groups.of(numbers)
        rows = batch.rows.copy()
        ages = {side: self._fill(rows, groups, side) for side in _SIDES}
        self._count += len(batch)
        crossed = rows["bid"] > rows["ask"]
        if crossed.any():
            gone = {"bid": crossed & (ages["bid"] < ages["ask"])}
            gone["ask"] = crossed & ~gone["bid"]
            for side in _SIDES:
                rows[side][gone[side]], rows[f"{side}_size"][gone[side]] = np.nan, 0
        return QuoteBatch(batch.symbols, rows)

    def _known(self, symbols: tuple[str, ...]) -> Positions:
        for name in symbols:
            if name not in self._numbers:
                self._numbers[name] = len(self._numbers)
        missing = len(self._numbers) - len(self._last["bid"])
        if missing:
            for side in _SIDES:
                blank = np.full(missing, np.nan)
                self._last[side] = np.concatenate([self._last[side], blank])
                self._sizes[side] = np.concatenate([self._sizes[side], np.zeros(missing)])
                ages = np.zeros(missing, dtype=np.int64)
                self._age[side] = np.concatenate([self._age[side], ages])
        return np.array([self._numbers[name] for name in symbols], dtype=np.intp)

    def _fill(self, rows: Rows, groups: Groups, side: str) -> Nanos:
        """Put the last known value where a row has none; when each row's value came."""
        order, size = groups.order, f"{side}_size"
        told = ~np.isnan(rows[side][order])
        place = np.arange(len(order))
        source = np.maximum.accumulate(np.where(told, place, -1))
        before = source < np.repeat(groups.first, groups.lengths)
        at = np.maximum(source, 0)
        values, sizes = rows[side][order][at], rows[size][order][at]
        ages = self._count + 1 + order[at]
        owner = np.repeat(groups.numbers, groups.lengths)[before]
        values[before], sizes[before] = self._last[side][owner], self._sizes[side][owner]
        ages[before] = self._age[side][owner]
        rows[side][order], rows[size][order] = values, sizes
        last = groups.first + groups.lengths - 1
        self._last[side][groups.numbers] = values[last]
        self._sizes[side][groups.numbers] = sizes[last]
        self._age[side][groups.numbers] = ages[last]
        result = np.empty_like(ages)
        result[order] = ages
        return result


class LastOfSecond:
    """Keeps the last quote of each symbol's second, once the second is over."""

    def __init__(self) -> None:
        self._open: dict[str, np.void] = {}

    def add(self, batch: QuoteBatch) -> QuoteBatch:
        """Quotes whose second is over with `batch`, the last of each; a late one is left out."""
        if not len(batch):
            return batch
        standing = [
            _alone(self._open[name], number)
            for number, name in enumerate(batch.symbols)
            if name in self._open
        ]
        rows = np.concatenate([*standing, batch.rows])
        groups = Groups.of(rows["symbol"].astype(np.intp))
        rows = rows[groups.order]
        rows = rows[_leading(rows["at"] // _SECOND, groups)]
        second, symbol = rows["at"] // _SECOND, rows["symbol"]
        newest = np.ones(len(rows), dtype=np.bool_)
        newest[:-1] = symbol[1:] != symbol[:-1]
        last = newest.copy()
        last[:-1] |= second[1:] != second[:-1]
        for row in rows[newest]:
            self._open[batch.symbols[int(row["symbol"])]] = row.copy()
        return QuoteBatch(batch.symbols, rows[last & ~newest])

    def flush(self, now: int) -> list[QuoteBatch]:
        """Quotes whose second is over at `now` (ns), a batch a symbol."""
        this = now // _SECOND
        over = [name for name, row in self._open.items() if int(row["at"]) // _SECOND < this]
        return [QuoteBatch((name,), _alone(self._open.pop(name), 0)) for name in over]


def _leading(second: Nanos, groups: Groups) -> Flags:
    """Rows whose second is not before that of an earlier row of their symbol."""
    leads = np.ones(len(second), dtype=np.bool_)
    if (np.diff(second) >= 0).all():
        return leads
    ends = np.append(groups.first[1:], len(second)).tolist()
    for first, end in zip(groups.first.tolist(), ends, strict=True):
        mine = second[first:end]
        leads[first:end] = mine >= np.maximum.accumulate(mine)
    return leads


def _alone(row: np.void, number: int) -> Rows:
    """One row as an array; the numbers of symbols belong to a batch."""
    rows = np.array([row], dtype=row.dtype)
    rows["symbol"] = number
    return rows
