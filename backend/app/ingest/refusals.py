"""Refused rows on their way to the quarantine: so many a minute are kept, the others counted."""

import asyncio
from collections import Counter
from typing import Final

import asyncpg
import numpy as np

from app.core.clock import Clock
from app.core.logging import get_logger
from app.ingest.tick_statistics import TickStatistics
from app.marketdata.batch import QuoteBatch, TickBatch, to_datetime
from app.marketdata.tick_validation import StreamVerdict
from app.marketdata.validation import Codes, named
from app.repositories import quarantine
from app.repositories.quarantine import NOT_KEPT, Refused

_MINUTES_KEPT: Final = 10
"While the database is away, rows of so many minutes are kept; those after are counted."
_OLDEST: Final = -2_208_988_800 * 10**9
_NEWEST: Final = 7_258_118_400 * 10**9

Flood = tuple[str, str, str]
"Kind, symbol and reasons of rows that are counted only."
log = get_logger("trading")


class Refusals:
    """The quarantine of one stream. `add` never waits, whatever comes."""

    def __init__(
        self, pool: asyncpg.Pool, dataset: str, source: str, a_minute: int, clock: Clock,
        statistics: TickStatistics,
    ) -> None:  # fmt: skip
        self._pool = pool
        self._dataset = dataset
        self._source = source
        self._most = a_minute
        self._clock = clock
        self._statistics = statistics
        self._minute = -1
        self._kept_now = 0
        self._waiting: list[Refused] = []
        self._flood: Counter[Flood] = Counter()
        self._told: Counter[str] = Counter()
        self.has_some = asyncio.Event()

    def add(self, verdict: StreamVerdict[TickBatch] | StreamVerdict[QuoteBatch]) -> None:
        """Take the bad rows of a verdict."""
        bad, statistics = verdict.bad, self._statistics
        statistics.repeated += verdict.repeated
        if not len(bad):
            return
        counts = verdict.counts()
        statistics.refused += len(bad)
        statistics.quarantined.update({str(reason): n for reason, n in counts.items()})
        kind = "tick" if isinstance(bad, TickBatch) else "quote"
        room = self._room()
        for i in range(min(room, len(bad))):
            reason = ",".join(named(int(verdict.codes[i])))
            self._waiting.append(_refused(kind, _symbol(bad, i), reason, bad, i))
        self._kept_now += min(room, len(bad))
        if len(bad) > room:
            self._count(kind, bad, verdict.codes, room)
        self._told.update({f"{kind}_{reason}": n for reason, n in counts.items()})
        self.has_some.set()

    def _count(self, kind: str, bad: TickBatch | QuoteBatch, codes: Codes, first: int) -> None:
        alike = np.stack([bad.rows["symbol"][first:], codes[first:].astype(np.int64)])
        _, where, counts = np.unique(alike, axis=1, return_index=True, return_counts=True)
        for i, count in zip((where + first).tolist(), counts.tolist(), strict=True):
            self._flood[kind, _symbol(bad, i), ",".join(named(int(codes[i])))] += count
        self._statistics.refused_not_kept += len(bad) - first

    def _room(self) -> int:
        minute = int(self._clock.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._kept_now = minute, 0
        waiting = self._most * _MINUTES_KEPT - len(self._waiting)
        return max(min(self._most - self._kept_now, waiting), 0)

    async def flush(self) -> None:
        """Write what waits; what cannot be written waits on. Raises what the database raises."""
        self.has_some.clear()
        waiting, flood = self._waiting, self._flood
        self._waiting, self._flood = [], Counter()
        counted = [
            Refused(symbol=symbol, kind=kind, reason=reason, record={NOT_KEPT: count})
            for (kind, symbol, reason), count in flood.items()
        ]
        try:
            if waiting or counted:
                rows = [*waiting, *counted]
                await quarantine.append(self._pool, self._dataset, self._source, rows)
                log.warning("prints_quarantined", source=self._source, rows=dict(self._told))
                self._told.clear()
        except BaseException:
            self._waiting = waiting + self._waiting
            self._flood.update(flood)
            self.has_some.set()
            raise


def _symbol(batch: TickBatch | QuoteBatch, position: int) -> str:
    number = int(batch.rows["symbol"][position])
    return batch.symbols[number] if 0 <= number < len(batch.symbols) else f"#{number}"


def _refused(
    kind: str, symbol: str, reason: str, batch: TickBatch | QuoteBatch, position: int
) -> Refused:
    row = batch.rows[position]
    names = batch.rows.dtype.names or ()
    record = {
        name: str(value)
        for name, value in zip(names, row.tolist(), strict=True)
        if name not in ("symbol", "label")
    }
    if isinstance(batch, TickBatch) and 0 <= row["label"] < len(batch.labels):
        label = batch.labels[row["label"]]
        record |= {"exchange": label.exchange or "", "conditions": label.conditions or ""}
    at = int(row["at"])
    return Refused(
        symbol=symbol,
        kind=kind,
        at=to_datetime(at) if _OLDEST < at < _NEWEST else None,
        reason=reason,
        record=record,
    )
