"""Runs what is taken out of the queue: under the job's lock, watched, and its end written down."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

import asyncpg
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job as Queued

from app.core.clock import Clock
from app.core.config import Settings
from app.core.errors import TradewrightError
from app.core.logging import get_logger
from app.core.redaction import redact_text
from app.core.tasks import end
from app.jobs.registry import Job, JobContext, Result, get
from app.repositories import alerts, job_runs, locks
from app.repositories.alerts import NewAlert
from app.repositories.journal import LOST_CONNECTION, SharedJournal
from app.repositories.paging import Row

BUSY_SECONDS: Final = 5.0
"When another run of the same job is at work, look again after this."
FIRST_WAIT_SECONDS: Final = 10.0
LONGEST_WAIT_SECONDS: Final = 600.0
_JITTER: Final = random.SystemRandom()
log = get_logger("jobs")


class Interrupted(Exception):
    """The worker stops before the run is over; another attempt begins it anew."""


class LockLost(Exception):
    """The connection that kept other workers away is gone; one of them may be at work by now."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the runner needs of its process, and hands on to the jobs."""

    settings: Settings
    url: str
    pool: asyncpg.Pool
    journal: SharedJournal
    clock: Clock
    worker: str
    connect: Callable[[], Awaitable[asyncpg.Connection]]


class Runner:
    """One worker's. `handle` is what the queue calls."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._cut = asyncio.Event()

    def cut(self) -> None:
        """End what runs now; it waits in the queue for whoever comes next."""
        self._cut.set()

    async def handle(self, queued: Queued) -> None:
        """One attempt. Raises RetryRequested for another one later, and nothing else."""
        job, run_id = get(str(queued.entrypoint)), int(queued.payload or b"0")
        try:
            connection = await self._around.connect()
        except LOST_CONNECTION as error:
            raise _later(BUSY_SECONDS, error) from None
        try:
            await self._locked(connection, job, run_id)
        except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
            log.warning("job_lost_its_connection", job=job.name, run=run_id, error=str(error))
            raise _later(BUSY_SECONDS, error) from None
        finally:
            connection.terminate()  # the lock goes with it

    async def _locked(self, connection: asyncpg.Connection, job: Job, run_id: int) -> None:
        if not await job_runs.lock(connection, job.name):
            raise _later(BUSY_SECONDS, "another run of the job is at work")
        row = await job_runs.begin(connection, run_id, self._around.worker)
        if row is None:
            return  # it is over: whoever ran it could not say so to the queue
        if row["attempt"] > job.attempts:
            await self._failed(connection, job, row, "Its worker ended while it ran.")
            return
        log.info("job_begun", job=job.name, run=run_id, attempt=row["attempt"])
        await self._attempt(connection, job, row)

    async def _attempt(self, connection: asyncpg.Connection, job: Job, row: Row) -> None:
        try:
            result = await self._watched(connection, job, row)
        except Interrupted as error:
            await job_runs.put_back(connection, row, None, is_counted=False)
            log.info("job_interrupted", job=job.name, run=row["id"])
            raise _later(0.0, error) from None
        except LockLost as error:
            log.warning("job_lost_its_lock", job=job.name, run=row["id"])
            raise _later(BUSY_SECONDS, error) from None
        except Exception as error:  # noqa: BLE001 - whatever a job raises is its failure
            await self._troubled(connection, job, row, error)
        else:
            await self._succeeded(connection, job, row, result)

    async def _watched(self, connection: asyncpg.Connection, job: Job, row: Row) -> Result:
        """The job's answer. Raises what it raises, TimeoutError, Interrupted or LockLost."""
        work = asyncio.create_task(self._limited(job, row), name=f"job {job.name}")
        lost = asyncio.create_task(locks.until_lost(connection))
        cut = asyncio.create_task(self._cut.wait())
        try:
            await asyncio.wait([work, lost, cut], return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return _answer(work)
            if lost.done():
                raise LockLost("the connection that held the job's lock is gone")
            raise Interrupted("the worker stops")
        finally:
            await end([work, lost, cut])

    async def _limited(self, job: Job, row: Row) -> Result:
        around = self._around
        context = JobContext(
            run_id=row["id"],
            scheduled_for=row["scheduled_for"],
            attempt=row["attempt"],
            settings=around.settings,
            url=around.url,
            pool=around.pool,
            journal=around.journal,
            clock=around.clock,
            worker=around.worker,
        )
        write = partial(job_runs.progress, around.pool, row["id"], row["attempt"])
        keeping = asyncio.create_task(context.progress.keep(write), name=f"progress {job.name}")
        try:
            async with asyncio.timeout(job.limit_seconds) as limit:
                return await job.run(context, row["payload"])
        except TimeoutError:
            if not limit.expired():
                raise
            sentence = f"It took longer than the {job.limit_seconds:g} s that it may."
            raise TimeoutError(sentence) from None
        finally:
            await end([keeping])
            with suppress(*LOST_CONNECTION, asyncpg.PostgresError):
                await context.progress.flush(write)

    async def _succeeded(
        self, connection: asyncpg.Connection, job: Job, row: Row, result: Result
    ) -> None:
        around = self._around
        async with connection.transaction():
            if await job_runs.succeed(connection, row, result):
                await alerts.clear(connection, around.journal, _key(job), around.clock.now())
        log.info("job_succeeded", job=job.name, run=row["id"], result=dict(result))

    async def _troubled(
        self, connection: asyncpg.Connection, job: Job, row: Row, error: Exception
    ) -> None:
        sentence = told(error)
        log.warning(
            "job_attempt_failed", job=job.name, run=row["id"], error=sentence, exc_info=error
        )
        if row["attempt"] >= job.attempts:
            await self._failed(connection, job, row, sentence)
            return
        await job_runs.put_back(connection, row, sentence)
        raise _later(_wait(row["attempt"]), sentence)

    async def _failed(
        self, connection: asyncpg.Connection, job: Job, row: Row, sentence: str
    ) -> None:
        around = self._around
        alert = NewAlert(
            key=_key(job),
            category="system",
            severity=job.severity,
            title=f"Job failed: {job.title}",
            detail=sentence,
            context={"job": job.name, "run": row["id"], "attempts": row["attempt"]},
        )
        async with connection.transaction():
            if await job_runs.fail(connection, row, sentence):
                await alerts.raise_alert(connection, around.journal, alert, around.clock.now())
        log.error("job_failed", job=job.name, run=row["id"], error=sentence)


def told(error: Exception) -> str:
    """A sentence for the history and the alert, without secrets."""
    if isinstance(error, TradewrightError | TimeoutError):
        return redact_text(str(error))
    return redact_text(f"{type(error).__name__}: {error}")


def _answer(work: "asyncio.Task[Result]") -> Result:
    if work.cancelled():
        raise RuntimeError("The job cancelled itself.")
    return work.result()


def _wait(attempt: int) -> float:
    longest = min(FIRST_WAIT_SECONDS * 2.0 ** (attempt - 1), LONGEST_WAIT_SECONDS)
    return longest * _JITTER.uniform(0.8, 1.2)


def _later(seconds: float, reason: Any) -> RetryRequested:  # noqa: ANN401 - an error or words
    return RetryRequested(timedelta(seconds=seconds), str(reason))


def _key(job: Job) -> str:
    return f"job:{job.name}"
