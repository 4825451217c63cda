"""Gaps explained: the providers of a chain are asked, what they have is stored."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import numpy as np

from app.core.clock import Clock, from_ns, system, to_ns
from app.core.errors import FeedRefused, NotFound, TradewrightError
from app.core.logging import get_logger
from app.ingest.history import HistoryStore
from app.marketdata.batch import BarBatch, Flags, Nanos
from app.marketdata.calendar import trading_calendar
from app.marketdata.gap_ledger import CLOSED, NO_TRADE, PROVIDER_HOLE, REPAIRED, UNEXPLAINED
from app.marketdata.ports import DataProvider
from app.marketdata.quality import expected_bars, stretches
from app.repositories import data_gaps, stocks
from app.repositories.data_gaps import Evidence, OpenGap, Part

AROUND: Final = 20
"Bars before and after a gap that are asked for too: whether the provider has any at all there."
AGREE: Final = 2
"Providers that must say the same before we believe that nobody traded."
_FEW_PEERS: Final = 3
_REACH: Final = timedelta(days=12)
"Weekends and holidays beside a gap are never longer."
log = get_logger("trading")

_UNSURE: Final = frozenset({"failed"})
_SAW_NOTHING: Final = frozenset({"nothing", "bars"})


class GapRepair:
    """Asks the providers of a chain, the best first, about gaps of one data set."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        chain: Sequence[DataProvider],
        dataset: str,
        *,
        pause_seconds: float = 0.0,
        clock: Clock = system,
    ) -> None:
        """`pause_seconds` between two requests leaves the vendors' budgets to the live feed."""
        self._pool = pool
        self._chain = chain
        self._dataset = dataset
        self._pause = pause_seconds
        self._clock = clock

    async def repair(self, gap: OpenGap) -> list[Part]:
        """Fetch what somebody has, and note in the ledger what became of every bar of the gap.

        Raises what the database raises; a provider's failure is evidence.
        """
        work = await _Work.begin(self._pool, gap, self._clock)
        if len(work.starts):
            await self._ask_all(work)
        parts = await work.parts()
        series = gap.dataset, gap.stock_id, gap.timeframe
        await data_gaps.record(self._pool, series, parts, work.evidence, self._clock.now())
        said = {part.state: part.bars for part in parts}
        log.info("gap_asked_about", symbol=gap.symbol, start=str(gap.start), found=said)
        return parts

    async def _ask_all(self, work: "_Work") -> None:
        for place, provider in enumerate(self._chain):
            if not work.missing.any():
                return
            if place and self._pause:
                await asyncio.sleep(self._pause)
            await self._ask(provider, work)

    async def _ask(self, provider: DataProvider, work: "_Work") -> None:
        gap = work.gap
        try:
            batch = await provider.history(gap.symbol, gap.timeframe, work.first, work.end)
        except NotFound as error:
            work.note(provider, "unknown", detail=str(error))
        except FeedRefused as error:
            work.note(provider, "refused", detail=str(error))
        except TradewrightError as error:
            work.note(provider, "failed", detail=str(error))
        else:
            await work.take(provider, batch)


class _Work:
    """One gap: its bars, which of them are there by now, and what was said."""

    def __init__(self, pool: asyncpg.Pool, gap: OpenGap, clock: Clock) -> None:
        self.gap = gap
        self.evidence: list[Evidence] = []
        self._pool = pool
        self._clock = clock
        self._calendar = trading_calendar(gap.exchange)
        self._store = HistoryStore(pool, gap.dataset, self._calendar, clock)
        first, end = to_ns(gap.start), to_ns(gap.end)
        self.starts, self._ends = expected_bars(self._calendar, gap.timeframe, first, end)
        self.missing: Flags = np.ones(len(self.starts), dtype=np.bool_)
        self._source: dict[int, str] = {}
        self.first, self.end = self._reach(first, end)

    @classmethod
    async def begin(cls, pool: asyncpg.Pool, gap: OpenGap, clock: Clock) -> "_Work":
        """Bars that have come since the gap was found are not asked for."""
        work = await asyncio.to_thread(cls, pool, gap, clock)
        stored = await work._store.bars.stored(gap.symbol, gap.timeframe, gap.start, gap.end)
        work._found(stored.start, "the feed")
        return work

    def _reach(self, first: int, end: int) -> tuple[datetime, datetime]:
        """The gap with some bars around it, as far as there are any by now."""
        reach = int(_REACH.total_seconds()) * 10**9
        timeframe = self.gap.timeframe
        before, _ = expected_bars(self._calendar, timeframe, first - reach, first)
        _, after = expected_bars(self._calendar, timeframe, end, end + reach)
        now = to_ns(self._clock.now())
        after = after[after <= now]
        start = int(before[-AROUND:][0]) if len(before) else first
        until = int(after[:AROUND][-1]) if len(after) else end
        return from_ns(start), from_ns(until)

    def note(
        self, provider: DataProvider, answer: str, bars: int = 0, around: int = 0, detail: str = ""
    ) -> None:
        """What a provider answered."""
        self.evidence.append(
            Evidence(
                provider=provider.name,
                answer=answer,
                bars=bars,
                around=around,
                at=self._clock.now(),
                detail=detail,
            )
        )

    async def take(self, provider: DataProvider, batch: BarBatch) -> None:
        """Store the bars of the gap that an answer holds."""
        inside = np.isin(batch.start, self.starts[self.missing])
        beside = (batch.start < to_ns(self.gap.start)) | (batch.start >= to_ns(self.gap.end))
        around = int(np.count_nonzero(beside))
        if not inside.any():
            self.note(provider, "nothing" if around else "nothing_around", around=around)
            return
        closes = batch.rows["close"][beside][-AROUND:]
        kept = await self._store.keep(batch[inside], provider.name, closes)
        self._found(kept.good.start, provider.name)
        refused = f"{kept.refused} were refused." if kept.refused else ""
        self.note(provider, "bars", len(kept.good), around, refused)

    def _found(self, starts: Nanos, source: str) -> None:
        came = np.isin(self.starts, starts) & self.missing
        self.missing &= ~came
        self._source.update(dict.fromkeys(self.starts[came].tolist(), source))

    async def parts(self) -> list[Part]:
        """Every stretch of the gap with its state, in order."""
        if not len(self.starts):
            detail = f"{self.gap.exchange} has no session then."
            return [self._part(self.gap.start, self.gap.end, self.gap.bars, CLOSED, detail)]
        found: list[Part] = []
        for source in sorted(set(self._source.values())):
            mine = np.array([self._source.get(start) == source for start in self.starts.tolist()])
            found += self._stretch(mine, REPAIRED, f"Fetched from {source}.")
        if self.missing.any():
            found += self._stretch(self.missing, *await self._why())
        return sorted(found, key=lambda part: part.start)

    def _stretch(self, which: Flags, state: str, detail: str) -> list[Part]:
        return [
            self._part(from_ns(hole.start), from_ns(hole.end), hole.bars, state, detail)
            for hole in stretches(self.starts[which], self._ends[which])
        ]

    @staticmethod
    def _part(start: datetime, end: datetime, bars: int, state: str, detail: str) -> Part:
        return Part(start=start, end=end, bars=bars, state=state, detail=detail)

    async def _why(self) -> tuple[str, str]:
        """State and sentence of the bars that nobody has given."""
        answers = [one for one in self.evidence if one.answer not in ("refused", "peers")]
        saw = [one.provider for one in answers if one.answer in _SAW_NOTHING and one.around]
        if len(saw) >= AGREE:
            return await self._nobody_traded(saw)
        if not answers:
            return UNEXPLAINED, "No provider could be asked."
        if any(one.answer in _UNSURE for one in answers):
            return UNEXPLAINED, "Some provider failed; it is asked again."
        names = ", ".join(one.provider for one in answers)
        return PROVIDER_HOLE, f"Not to be had from {names}."

    async def _nobody_traded(self, saw: Sequence[str]) -> tuple[str, str]:
        """Where all other series are silent as well, the whole market was: a halt."""
        alike = [
            name
            for name in await stocks.exchanges(self._pool)
            if trading_calendar(name) is self._calendar
        ]
        around, inside = await data_gaps.peers(self._pool, self.gap, self.first, self.end, alike)
        self.evidence.append(
            Evidence(
                provider="stored series",
                answer="peers",
                bars=inside,
                around=around,
                at=self._clock.now(),
                detail=f"{inside} of {around} other series have bars there.",
            )
        )
        names = " and ".join(saw)
        if around >= _FEW_PEERS and not inside:
            return CLOSED, f"{names} have nothing, nor has any of {around} other series: a halt."
        return NO_TRADE, f"{names} have bars around it and none in it."
