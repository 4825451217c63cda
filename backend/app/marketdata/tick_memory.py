"""What a stream of prints or quotes is remembered by from batch to batch: a row a symbol."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.marketdata.batch import Floats, Nanos, Rows

Positions = NDArray[np.intp]

NEVER: Final = np.iinfo(np.int64).min
"Before every instant."
MOST_RECENT: Final = 1 << 17
"Rows kept to find repetitions among; what comes again later than that only the table's key sees."

_OPTION: Final = re.compile(r"[A-Z0-9.]{1,16}\d{6}[CP]\d{8}")
_SMALL: Final = 1 << 15
RECENT: Final = np.dtype(
    [("number", "<i4"), ("at", "<i8"), ("sequence", "<i8"), ("price", "<f8"), ("size", "<f8")]
)
Key = tuple[int, int, int, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Rows by symbol, in the order in which they came."""

    order: Positions
    "Positions of the rows, one symbol after the other."
    first: Positions
    "Where in `order` each symbol begins."
    numbers: Positions
    "Whose they are."

    @classmethod
    def of(cls, numbers: Positions, chosen: Positions | None = None) -> "Groups":
        """Rows of `numbers` (the chosen positions of them) by number."""
        mine = numbers if chosen is None else numbers[chosen]
        if len(mine) and not (mine == mine[0]).all():
            # sixteen bits sort in linear time
            keys = mine.astype(np.uint16) if int(mine.max()) < _SMALL else mine
            order = np.argsort(keys, kind="stable")
        else:
            order = np.arange(len(mine))
        ordered = mine[order]
        first = np.flatnonzero(np.diff(ordered, prepend=-1))
        return cls(order if chosen is None else chosen[order], first, ordered[first])

    def spread(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """One value a symbol, as one a row of `order`."""
        return np.repeat(values, self.lengths)

    @property
    def lengths(self) -> Positions:
        return np.diff(self.first, append=len(self.order))


class Memory:
    """The newest instants, the last prices and the newest rows of every symbol of a stream."""

    def __init__(self, window: int = 20, sides: int = 1) -> None:
        """`window` prices a symbol are remembered, of each of `sides` (a quote has two)."""
        self.window = window
        self.names: list[str] = []
        self.newest: Nanos = np.empty(0, dtype=np.int64)
        self.newest_sequence: Nanos = np.empty(0, dtype=np.int64)
        self.replayed: Nanos = np.empty(0, dtype=np.int64)
        "Up to this instant a symbol's rows may come a second time."
        self.prices: Floats = np.empty((sides, 0, window))
        "The newest last; NaN where there are fewer."
        self.jumps_count: NDArray[np.bool_] = np.empty(0, dtype=np.bool_)
        "Not for options: a few ticks are a multiple of their price."
        self._numbers: dict[str, int] = {}
        self._recent: Rows = np.empty(0, dtype=RECENT)
        self._written = 0
        self._again: Counter[Key] = Counter()

    def numbers(self, symbols: Sequence[str]) -> Positions:
        """The number of each symbol; new ones get the next."""
        missing = [name for name in symbols if name not in self._numbers]
        if missing:
            self._grow(list(dict.fromkeys(missing)))
        return np.array([self._numbers[name] for name in symbols], dtype=np.intp)

    def _grow(self, names: Sequence[str]) -> None:
        for name in names:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        never = np.full(len(names), NEVER)
        self.newest = np.concatenate([self.newest, never])
        self.newest_sequence = np.concatenate([self.newest_sequence, never])
        self.replayed = np.concatenate([self.replayed, never])
        sides = len(self.prices)
        blank = np.full((sides, len(names), self.window), np.nan)
        self.prices = np.concatenate([self.prices, blank], axis=1)
        is_stock = np.array([not _OPTION.fullmatch(name) for name in names])
        self.jumps_count = np.concatenate([self.jumps_count, is_stock])

    def prime(self, symbol: str, rows: Rows) -> None:
        """What is known of a symbol's prints from before, oldest first; they may come again."""
        if not len(rows):
            return
        (number,) = self.numbers([symbol]).tolist()
        self.newest[number] = self.replayed[number] = rows["at"].max()
        known = rows["price"][-self.window :]
        self.prices[:, number, -len(known) :] = known
        for at, sequence, price, size in rows[["at", "sequence", "price", "size"]].tolist():
            # whether the sequence is the vendor's or one of ours, the table does not say
            for told in {0, sequence}:
                self._again[key_of((number, at, told, price, size))] += 1

    # ------------------------------------------------------------------ prices that were

    def remember_prices(self, side: int, groups: Groups, values: Floats) -> None:
        """The last prices of each group; `values` are in the order of the groups."""
        back = np.arange(self.window - 1, -1, -1)
        lengths = groups.lengths[:, None]
        mine = groups.first[:, None] + lengths - 1 - back
        old = np.minimum(np.arange(self.window) + lengths, self.window - 1)
        kept = np.take_along_axis(self.prices[side][groups.numbers], old, axis=1)
        fresh = values[np.maximum(mine, 0)]
        self.prices[side, groups.numbers] = np.where(back < lengths, fresh, kept)

    # ------------------------------------------------------------------ rows that came

    def remember_rows(self, rows: Rows) -> None:
        """Rows of the type RECENT, to find repetitions among; the oldest make room."""
        rows = rows[-MOST_RECENT:]
        free = len(self._recent) - self._written
        if len(rows) > free and len(self._recent) < MOST_RECENT:
            size = min(max(2 * len(self._recent), self._written + len(rows), 1024), MOST_RECENT)
            larger = np.empty(size, dtype=RECENT)
            larger["at"] = NEVER
            larger[: len(self._recent)] = self._recent
            self._recent = larger
        place = (self._written + np.arange(len(rows))) % max(len(self._recent), 1)
        self._recent[place] = rows
        self._written += len(rows)

    def since(self, instant: int) -> Rows:
        """The rows remembered that are not older than `instant`."""
        return self._recent[self._recent["at"] >= instant]

    def resumed(self) -> None:
        """A new connection: what came before may come again."""
        self.replayed = self.newest.copy()
        self._again = Counter(key_of(row) for row in self.since(NEVER + 1).tolist())

    def came_before(self, row: Key) -> bool:
        """Whether such a row came before the connection was made anew; each is found once."""
        key = key_of(row)
        if not self._again[key]:
            return False
        if not key[2]:
            self._again[key] -= 1
        return True


def key_of(row: Key) -> Key:
    """What makes a row the same: its sequence, or where it has none its values.

    Instants count in microseconds, as they are stored.
    """
    number, at, sequence, price, size = row
    if sequence:
        price = size = 0.0
    return (number, at // 1_000, sequence, price, size)
