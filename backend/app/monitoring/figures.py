"""Every figure that the database knows, gathered for one answer and remembered for a moment."""

import asyncio
from datetime import timedelta
from typing import Final

from app.core.clock import Clock
from app.core.quality import QualityOptions
from app.monitoring import brokers, clocks, feeds, guardian, targets
from app.monitoring.readings import Reading, Remembered
from app.repositories import availability, broker_states, feed_states, heartbeats, metrics
from app.repositories.heartbeats import EXTERNAL
from app.repositories.paging import Db

FRESH: Final = timedelta(seconds=30)
"What a process noted of itself before that is no longer so."
NOTED_PREFIXES: Final = ("process_", "publisher_", "invariant_", "bus_", "clock_")
"Figures that processes note themselves: they are in `metrics` already."
MONTH: Final = timedelta(days=30)
_QUICK_SECONDS: Final = 1.0
_COUNTED_SECONDS: Final = 15.0
_COUNTED_SHARE: Final = 0.01
"Of the time that counting rows may take: with millions of them it is done less often."
_AWAY_SECONDS: Final = 180.0
"An answer about a vendor that is older says nothing about now."
_SUMS: Final = {
    "process_retries_total": "retries_total",
    "process_operation_failures_total": "operation_failures_total",
    "process_pool_connections": "database_connections",
    "process_pool_busy": "database_connections_busy",
}
Figures = tuple[dict[str, float], list[Reading]]


class SharedFigures:
    """What is true of the platform, whichever process is asked.

    Cheap figures are at most a second old. Those for which rows are counted are fetched every 15 s
    at most, and so seldom that counting takes a hundredth of the time; nobody waits for them but
    the first who asks.
    """

    def __init__(self, pool: Db, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._quick = Remembered(self._ask_quick, _QUICK_SECONDS)
        self._counted = Remembered(
            self._ask_counted, _COUNTED_SECONDS, stale=True, share=_COUNTED_SHARE
        )

    async def get(self) -> Figures:
        """Figures by name, and those with labels; names as in `monitoring.titles`."""
        (quick, readings), (counted, more) = await asyncio.gather(
            self._quick.get(), self._counted.get()
        )
        return {**counted, **quick}, [*more, *readings]

    async def _ask_quick(self) -> Figures:
        now = self._clock.now()
        facts, noted, states, links, watch, vendors = await asyncio.gather(
            metrics.facts(self._pool),
            self._noted(),
            feed_states.listed(self._pool),
            broker_states.listed(self._pool),
            heartbeats.find(self._pool, heartbeats.GUARDIAN),
            heartbeats.listed(self._pool, f"{EXTERNAL}:%"),
        )
        figures, readings = noted
        current = await availability.current(self._pool, now)
        return {
            **facts,
            **figures,
            **feeds.figures(states),
            **brokers.figures(links),
            **guardian.figures(watch),
            **({} if current is None else {"available": float(current)}),
        }, [*readings, *_vendors(vendors)]

    async def _noted(self) -> Figures:
        """What processes wrote of themselves."""
        since = self._clock.now() - FRESH
        figures = {
            **await metrics.noted(self._pool, "publisher_", since),
            **await metrics.noted(self._pool, "invariant_", since),
            **await metrics.noted(self._pool, "bus_", since),
        }
        clock = await metrics.each_noted(self._pool, "clock_drift_ms", since - clocks.NOTED)
        if (drift := clocks.worst(clock)) is not None:
            figures["clock_drift_ms"] = drift
        readings = [
            Reading(name, value, labels)
            for name, labels, value in await metrics.labelled_noted(self._pool, "process_", since)
        ]
        for reading in readings:
            if sum_of := _SUMS.get(reading.name):
                figures[sum_of] = figures.get(sum_of, 0.0) + reading.value
        return figures, readings

    async def _ask_counted(self) -> Figures:
        now = self._clock.now()
        totals, labelled = await metrics.totals(self._pool)
        measured = await targets.measured(self._pool, now)
        share = (await availability.summary(self._pool, now - MONTH, now)).share
        if share is not None:
            totals["availability_30d"] = share
        held = targets.figures(targets.held(measured, QualityOptions()))
        return {**totals, **held}, [Reading(name, value, of) for name, of, value in labelled]


def _vendors(rows: list[dict[str, object]]) -> list[Reading]:
    found: list[Reading] = []
    for row in rows:
        age, state = row["age_seconds"], row["state"]
        if not isinstance(age, float) or age > _AWAY_SECONDS or not isinstance(state, dict):
            continue
        labels = {"vendor": str(row["name"]).partition(":")[2]}
        found.append(Reading("external_up", float(state["is_up"]), labels))
        found.append(Reading("external_ms", float(state["ms"]), labels))
    return found
