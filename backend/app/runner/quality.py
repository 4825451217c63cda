"""Data quality beside the trading: series judged, gaps asked about, targets watched."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from app.core.clock import Clock, system
from app.core.logging import get_logger
from app.core.quality import QualityOptions
from app.core.system_config import current
from app.domain.deployments import LIVE_DATASET
from app.domain.events import DataGapDetected, Severity
from app.domain.market import Timeframe
from app.domain.ports import Entry
from app.ingest.gap_repair import GapRepair
from app.ingest.link import LinkReport, LinkState
from app.marketdata.ports import DataProvider
from app.monitoring import targets
from app.monitoring.targets import Target
from app.repositories import alerts, bar_series, data_gaps
from app.repositories.accounts import Account
from app.repositories.alerts import NewAlert
from app.repositories.journal import LOST_CONNECTION, SharedJournal
from app.repositories.paging import Row, every
from app.services import data_quality
from app.services.ingestion import Statistics

POLL_SECONDS: Final = 10.0
FIRST_SECONDS: Final = 15.0
"After the start, before series are judged and providers asked: the feed goes first."
RIPE: Final = timedelta(minutes=15)
"Gaps are asked about so long after their end: until then the feed catches up itself."
HOLES_REST: Final = timedelta(days=1)
LONG: Final = 200_000
"Bars from which a series is judged as a whole once a day; in between only its end."
_DAY: Final = timedelta(days=1)
_JOURNALED: Final = 100
"New gaps that one round journals; all are in the ledger."
_RECENT: Final = timedelta(days=7)
_PAUSE_SECONDS: Final = 0.1
"After some ten thousand bars that were judged, and after each series."
_EVERYTHING: Final = 2**31
_TROUBLE: Final = (*LOST_CONNECTION, asyncpg.PostgresError)
log = get_logger("trading")


class Backfill:
    """Asks the providers of a live account about the gaps of its symbols, the best first."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        account: Account,
        chain: Sequence[DataProvider],
        options: QualityOptions,
        clock: Clock = system,
    ) -> None:
        self._pool = pool
        self._symbols = account.settings.symbols
        self._options = options
        self._clock = clock
        pause = options.backfill_pause_seconds
        self._repair = GapRepair(pool, chain, LIVE_DATASET, pause_seconds=pause, clock=clock)

    async def run(self) -> None:
        """For ever: whatever is due, one gap after the other."""
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            try:
                await self.round()
            except _TROUBLE as error:
                log.warning("gaps_not_asked_about", error=str(error))
            except Exception as error:
                # an adapter may fail in any way; the feed beside us goes on
                log.error("backfill_failed", exc_info=error)
            await asyncio.sleep(POLL_SECONDS)

    async def round(self) -> int:
        """Ask about what is due; how many gaps that were."""
        options, now = self._options, self._clock.now()
        if not options.backfill_gaps:
            return 0
        due = await data_gaps.take(
            self._pool,
            LIVE_DATASET,
            self._symbols,
            ended=now - RIPE,
            now=now,
            again=(timedelta(minutes=options.backfill_minutes), HOLES_REST),
            limit=options.backfill_gaps,
        )
        for gap in due:
            await self._repair.repair(gap)
            await asyncio.sleep(options.backfill_pause_seconds)
        return len(due)


class QualityKeeper:
    """Judges series that have changed, journals new gaps of live ones, watches the targets."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        journal: SharedJournal,
        options: QualityOptions | None,
        clock: Clock = system,
    ) -> None:
        self._pool = pool
        self._journal = journal
        self._given = options
        self._clock = clock
        self._missed_since: dict[str, float] = {}

    @property
    def _options(self) -> QualityOptions:
        """Where none were given, what they are now: people may change them meanwhile."""
        return self._given or current(QualityOptions)

    async def run(self) -> None:
        """For ever; whatever breaks is tried again."""
        await asyncio.sleep(FIRST_SECONDS)
        judged: float | None = None
        every_seconds = self._options.check_minutes * 60
        while True:
            try:
                await self.watch()
                now = self._clock.monotonic()
                if judged is None or now - judged > every_seconds:
                    judged = now
                    await self.judge()
            except _TROUBLE as error:
                log.warning("quality_not_judged", error=str(error))
            except Exception as error:
                # what is stored may be broken in any way; trading goes on beside us
                log.error("quality_failed", exc_info=error)
            await asyncio.sleep(POLL_SECONDS)

    # ------------------------------------------------------------------------------- series

    async def judge(self) -> int:
        """Every series with bars that no check has seen; how many there were."""
        now = self._clock.now()
        fetch = bar_series.listing(self._pool, changed=True)
        rows = [row async for row in every(fetch, _EVERYTHING)]
        for row in rows:
            await self._tell(row, await self._look(row, now), now)
            await asyncio.sleep(_PAUSE_SECONDS)
        return len(rows)

    async def _look(self, row: Row, now: datetime) -> Sequence[tuple[datetime, datetime, int]]:
        checked = row["checked_at"]
        if row["bars"] > LONG and checked is not None and now - checked < _DAY:
            return await data_quality.look_at_the_end(self._pool, row)
        found = await data_quality.judge(
            self._pool, row, pause_seconds=_PAUSE_SECONDS, clock=self._clock
        )
        return found.new_gaps

    async def _tell(
        self, row: Row, gaps: Sequence[tuple[datetime, datetime, int]], now: datetime
    ) -> None:
        """Journal gaps of these days; older ones were no news when they were found."""
        if row["dataset"] != LIVE_DATASET:
            return
        found = [
            DataGapDetected(
                dataset=row["dataset"],
                symbol=row["symbol"],
                timeframe=Timeframe(row["timeframe"]),
                start=start,
                end=end,
                at=now,
            )
            for start, end, _ in gaps
            if end > now - _RECENT
        ]
        if found:
            log.warning("gaps_found", symbol=row["symbol"], gaps=len(found))
            with suppress(*LOST_CONNECTION):
                await self._journal.append([Entry(event) for event in found[-_JOURNALED:]])

    # ------------------------------------------------------------------------------ targets

    async def watch(self) -> list[Target]:
        """Hold what was measured against the targets; alerts are raised and cleared."""
        measured = await targets.measured(self._pool, self._clock.now())
        found = targets.held(measured, self._options)
        for target in found:
            if target.state == "missed":
                await self._missed(target)
            else:
                self._missed_since.pop(target.name, None)
                await self._over(target)
        return found

    async def _missed(self, target: Target) -> None:
        now = self._clock.monotonic()
        since = self._missed_since.setdefault(target.name, now)
        if now - since < self._options.alert_after_seconds:
            return
        alert = NewAlert(
            key=_key(target),
            category="performance",
            severity=Severity.WARNING,
            title=f"Target missed: {target.title}",
            detail=target.detail,
            context={"value": target.value, "limit": target.limit, "unit": target.unit},
        )
        async with self._pool.acquire() as db, db.transaction():
            await alerts.raise_alert(db, self._journal, alert, self._clock.now())

    async def _over(self, target: Target) -> None:
        async with self._pool.acquire() as db, db.transaction():
            await alerts.clear(db, self._journal, _key(target), self._clock.now())


def _key(target: Target) -> str:
    return f"target:{target.name}"


def live_figures(reports: Sequence[LinkReport], statistics: Statistics | None) -> dict[str, float]:
    """What an account's feed has done, by the names that `monitoring.targets` reads."""
    bars = statistics or Statistics()
    refused = sum(report.refused for report in reports)
    believed = sum(report.rows for report in reports)
    found = {
        "live_rows_total": float(believed + refused + bars.bars),
        "live_rows_refused_total": float(refused + bars.quarantined),
    }
    up = [report for report in reports if report.state is LinkState.UP]
    lags = [report.lag_seconds for report in up if report.lag_seconds is not None]
    if lags:
        found["live_lag_seconds"] = max(lags)
    slow = [report.write_ms_p95 for report in reports if report.write_ms_p95 is not None]
    ordered = sorted(bars.write_ms)
    slow += ordered[min(int(0.95 * len(ordered)), len(ordered) - 1) :][:1]
    if slow:
        found["live_write_ms_p95"] = max(slow)
    return found
