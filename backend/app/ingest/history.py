"""Bars of a vendor's history: checked, quarantined with reasons, stored."""

import asyncpg
import msgspec

from app.core.clock import Clock, system, to_ns
from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch, Floats, to_datetime
from app.marketdata.calendar import TradingCalendar
from app.marketdata.validation import Verdict, validate
from app.repositories import quarantine
from app.repositories.quarantine import Refused
from app.repositories.stock_data import StockData, Stored


class Kept(msgspec.Struct, frozen=True):
    """What became of bars that a vendor gave."""

    good: BarBatch
    "Those that are believed; they are stored now."
    stored: Stored
    refused: int
    reasons: dict[str, int]
    "Quarantined bars by reason; one with two reasons counts twice."


class HistoryStore:
    """Checks and stores what vendors' histories give, into one data set."""

    def __init__(
        self, pool: asyncpg.Pool, dataset: str, calendar: TradingCalendar, clock: Clock = system
    ) -> None:
        self.bars = StockData(pool, dataset)
        self.calendar = calendar
        self._pool = pool
        self._clock = clock

    async def keep(self, batch: BarBatch, source: str, around: Floats | None = None) -> Kept:
        """Store the believable bars of `batch`; those that are stored already stay as they are.

        Bars that are not over yet are left out. `around`: closes of bars beside them, which prices
        are compared with where the batch is small.
        """
        now = to_ns(self._clock.now())
        over = batch.sorted()
        over = over[over.end <= now]
        verdict = validate(over, self.calendar, now=now, before=around)
        if len(verdict.bad):
            await self._refuse(verdict, source)
        stored = Stored()
        if len(verdict.good):
            stored = await self.bars.store([verdict.good], source)
        reasons = {str(reason): count for reason, count in verdict.counts().items()}
        return Kept(verdict.good, stored, len(verdict.bad), reasons)

    async def _refuse(self, verdict: Verdict, source: str) -> None:
        rows = zip(verdict.bad.rows.tolist(), verdict.reasons(), strict=True)
        names = verdict.bad.rows.dtype.names or ()
        refused = [
            Refused(
                symbol=verdict.bad.symbol,
                timeframe=Timeframe(verdict.bad.timeframe),
                at=to_datetime(row[0]),
                reason=",".join(reasons),
                record={name: str(value) for name, value in zip(names, row, strict=True)},
            )
            for row, reasons in rows
        ]
        await quarantine.add(self._pool, self.bars.dataset, source, refused)
