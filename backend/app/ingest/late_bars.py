"""Minutes made of prints, made again where prints came after they were over."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from app.core.clock import Clock
from app.core.logging import get_logger
from app.ingest.ticks import TickIngest
from app.marketdata.batch import BarBatch, Nanos, to_datetime
from app.marketdata.tick_bars import LateBar
from app.repositories.journal import LOST_CONNECTION

WAITS: Final = (3.0, 5.0, 15.0, 60.0)
"Seconds until a bar is made again: late prints rarely come alone, and have to be stored first."
AT_ONCE: Final = 20
"Bars of one round; the others wait for the next."
REMEMBERED: Final = 10_000
"Bars whose volume is known; prints that are later than that correct nothing."
_ROUNDING: Final = 1e-9

Key = tuple[str, int]
log = get_logger("trading")


@dataclass(slots=True)
class _Made:
    """A bar that was given, and what came for it since."""

    end: int
    volume: float
    late: float = 0.0


@dataclass(slots=True)
class _Due:
    at: float
    attempts: int = 0


class LateBars:
    """The bars that one provider's prints made. What comes late is conflated by bar.

    A bar is made again from the stored prints of its provider alone, and only believed when it
    holds everything that the first one held and all that came late: where prints are missing from
    the table (another provider wrote the same keys first) the first one stays.
    """

    def __init__(self, source: str, clock: Clock) -> None:
        self.corrected = 0
        "Bars that were made again."
        self.left = 0
        "Bars that stayed as they were, because their prints are not all in the table."
        self._source = source
        self._clock = clock
        self._made: OrderedDict[Key, _Made] = OrderedDict()
        self._due: dict[Key, _Due] = {}

    def made(self, batch: BarBatch) -> None:
        """Bars that were given to others."""
        for start, end, *_, volume, _ in batch.rows.tolist():
            self._made[batch.symbol, start] = _Made(end, volume)
        while len(self._made) > REMEMBERED:
            key, _ = self._made.popitem(last=False)
            self._due.pop(key, None)

    def replaced(self, symbol: str, starts: Nanos) -> None:
        """Somebody else's bars stand there now: those are not ours to correct."""
        for start in starts.tolist():
            self._made.pop((symbol, start), None)
            self._due.pop((symbol, start), None)

    def note(self, late: Sequence[LateBar]) -> None:
        """Prints that came when their bar was over."""
        for one in late:
            key = one.symbol, one.start
            if (made := self._made.get(key)) is not None:
                made.late += one.volume
                self._due.setdefault(key, _Due(self._clock.monotonic() + WAITS[0]))

    @property
    def is_due(self) -> bool:
        now = self._clock.monotonic()
        return any(due.at <= now for due in self._due.values())

    async def remade(
        self, prints: TickIngest, stands: Callable[[str, int], bool]
    ) -> list[BarBatch]:
        """Corrected bars of what is due; `stands` says whether a bar of ours is still the one."""
        now = self._clock.monotonic()
        due = [key for key, one in self._due.items() if one.at <= now][:AT_ONCE]
        found: list[BarBatch] = []
        for symbol, start in due:
            if not stands(symbol, start):
                del self._due[symbol, start]
                continue
            try:
                batch = await self._again(prints, symbol, start)
            except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
                log.warning("late_bars_wait", source=self._source, error=str(error))
                self._due[symbol, start].at = now + WAITS[1]
                break
            if batch is not None:
                found.append(batch)
        return found

    async def _again(self, prints: TickIngest, symbol: str, start: int) -> BarBatch | None:
        key = symbol, start
        made = self._made[key]
        batch = await prints.stored_bar(symbol, start, made.end)
        volume = float(batch.rows["volume"].sum())
        if volume >= (made.volume + made.late) * (1 - _ROUNDING):
            self._due.pop(key, None)
            self.corrected += 1
            return batch
        due = self._due[key]
        due.attempts += 1
        if due.attempts < len(WAITS):
            due.at = self._clock.monotonic() + WAITS[due.attempts]
            return None
        del self._due[key]
        self.left += 1
        log.warning(
            "late_bar_left", source=self._source, symbol=symbol, start=str(to_datetime(start))
        )
        return None
