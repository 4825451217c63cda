"""Finds what is due and queues it, each time once, however many workers look."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from app.core.clock import Clock
from app.core.errors import TradewrightError
from app.core.logging import get_logger
from app.jobs import queue
from app.jobs.registry import Job, Missed
from app.jobs.schedules import Schedule
from app.repositories import job_runs
from app.repositories.job_runs import NewRun

LOOK_SECONDS: Final = 5.0
"At the latest: somebody may have resumed a job."
ON_TIME: Final = timedelta(minutes=2)
"What is found within this was not missed."
REACH: Final = timedelta(days=31)
"Times that were missed longer ago than this are forgotten."
_WAITING: Final = "The run before it had not begun yet."
_MISSED: Final = "No worker was there in time."
log = get_logger("jobs")


class Scheduler:
    """Looks at every schedule; several may do so at once."""

    def __init__(self, pool: asyncpg.Pool, jobs: Mapping[str, Job], clock: Clock) -> None:
        self._pool = pool
        self._jobs = jobs
        self._clock = clock

    async def run(self) -> None:
        """For ever. Raises what the database raises."""
        await self.begin()
        while True:
            await self.tick()
            await asyncio.sleep(await asyncio.to_thread(self._pause))

    async def begin(self) -> None:
        """Jobs that are new are due from now on."""
        await job_runs.know(self._pool, list(self._jobs), self._clock.now())

    async def tick(self) -> list[int]:
        """Queue what is due, and what stands in no queue any more; the runs' ids."""
        now, found = self._clock.now(), await self._lost()
        looked = await job_runs.looked(self._pool)
        # A market's hours may take a child and a minute: in a thread, and before any row is held.
        for name, due in (await asyncio.to_thread(self._due, looked, now)).items():
            async with self._pool.acquire() as db, db.transaction():
                found += await self._look(db, self._jobs[name], due, now)
        return found

    def _due(self, looked: Mapping[str, datetime], now: datetime) -> dict[str, list[datetime]]:
        """Times since each job was looked at, where there are any."""
        found = {}
        for job in self._jobs.values():
            if job.schedule is None or job.name not in looked:
                continue
            try:
                due = times_between(job.schedule, max(looked[job.name], now - REACH), now)
            except TradewrightError as error:  # one market's hours must not hold up the other jobs
                log.error("schedule_not_read", job=job.name, error=str(error))
                continue
            if due:
                found[job.name] = due
        return found

    async def _look(
        self, db: asyncpg.Connection, job: Job, due: list[datetime], now: datetime
    ) -> list[int]:
        seen = await job_runs.look(db, job.name)
        due = [at for at in due if seen is not None and at > seen]  # another worker may have been
        if not due:
            return []
        chosen = choose(job.missed, due, now)
        if chosen and job.missed is not Missed.RUN_ALL and await job_runs.is_waiting(db, job.name):
            await job_runs.skip(db, job.name, due[-1], len(due) - 1, _WAITING)
            chosen = []
        elif not chosen:
            await job_runs.skip(db, job.name, due[-1], len(due) - 1, _MISSED)
        await job_runs.seen(db, job.name, due[-1])
        return await self._queue(db, job, chosen, missed=len(due) - len(chosen))

    async def _queue(
        self, db: asyncpg.Connection, job: Job, times: list[datetime], missed: int
    ) -> list[int]:
        found = []
        for at in times:
            run_id = await job_runs.add(db, NewRun(job=job.name, scheduled_for=at, missed=missed))
            if run_id is not None:
                await queue.put(db, job.name, run_id)
                log.info("job_due", job=job.name, run=run_id, scheduled_for=str(at), missed=missed)
                found.append(run_id)
        return found

    async def _lost(self) -> list[int]:
        """Queue again what fell out of the queue: the library drops what was cancelled there."""
        if not await job_runs.are_orphans(self._pool, list(self._jobs)):
            return []
        async with self._pool.acquire() as db, db.transaction():
            rows = await job_runs.orphans(db, list(self._jobs))
            for row in rows:
                await queue.put(db, row["job"], row["id"])
                log.warning("job_queued_again", job=row["job"], run=row["id"])
        return [row["id"] for row in rows]

    def _pause(self) -> float:
        now = self._clock.now()
        coming = [next_time(job, now) for job in self._jobs.values()]
        waits = [(at - now).total_seconds() for at in coming if at is not None]
        return min([LOOK_SECONDS, *waits]) + 0.01


def next_time(job: Job, now: datetime) -> datetime | None:
    """When it is due next; None without a schedule, or where nobody can say."""
    if job.schedule is None:
        return None
    with suppress(TradewrightError):
        return job.schedule.after(now)
    return None


def times_between(schedule: Schedule, after: datetime, until: datetime) -> list[datetime]:
    """Due times in (after, until]."""
    found: list[datetime] = []
    at = schedule.after(after)
    while at <= until:
        found.append(at)
        at = schedule.after(at)
    return found


def choose(missed: Missed, due: list[datetime], now: datetime) -> list[datetime]:
    """Which of these due times (at least one, the oldest first) run."""
    if missed is Missed.RUN_ALL:
        return due
    if missed is Missed.RUN_ONCE or now - due[-1] <= ON_TIME:
        return due[-1:]
    return []
