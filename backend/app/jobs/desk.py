"""What people do with jobs: see them, run one now, pause and resume; each act is audited."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
import orjson

from app.core.clock import Clock
from app.core.errors import InvalidInput
from app.domain.users import Caller
from app.jobs import queue
from app.jobs.registry import Job, get, jobs
from app.jobs.scheduler import next_time
from app.repositories import audit, job_runs
from app.repositories.audit import Act
from app.repositories.job_runs import NewRun
from app.repositories.paging import Fetch, Row

PAYLOAD_BYTES: Final = 16_384
_TICK: Final = timedelta(microseconds=1)


class JobDesk:
    """Needs no worker: what is asked for here is done by whichever comes."""

    def __init__(self, pool: asyncpg.Pool, audit_key: bytes, clock: Clock) -> None:
        self._pool = pool
        self._audit_key = audit_key
        self._clock = clock

    async def listed(self) -> list[Row]:
        """Every job by name: its schedule, its next time, whether it is paused, its last run."""
        known, newest = await job_runs.states(self._pool), await job_runs.newest(self._pool)
        now = self._clock.now()

        def rows() -> list[Row]:
            return [
                _row(job, known.get(job.name, {}), newest.get(job.name), now)
                for job in jobs().values()
            ]

        return await asyncio.to_thread(rows)  # market hours take a second the first time

    async def one(self, name: str) -> Row:
        """One job. Raises NotFound with the nearest name."""
        job = get(name)
        return next(row for row in await self.listed() if row["name"] == job.name)

    def runs(self, name: str, status: list[str]) -> Fetch:
        """The runs of a job, the newest due time first. Raises NotFound."""
        return job_runs.listing(self._pool, get(name).name, status)

    async def run(self, caller: Caller, name: str, payload: Mapping[str, Any]) -> Row:
        """Queue a run for now, paused or not. Raises NotFound, InvalidInput."""
        job, at = get(name), self._clock.now()
        if len(orjson.dumps(dict(payload), default=str)) > PAYLOAD_BYTES:
            raise InvalidInput(
                f"More than {PAYLOAD_BYTES} bytes.", field="payload", remedy="Send less."
            )
        async with self._pool.acquire() as db, db.transaction():
            run_id = await self._added(db, caller, job, at, payload)
            await queue.put(db, job.name, run_id)
            await self._note(db, caller, name, "run", {"run": run_id})
            (row,) = await job_runs.by_ids(db, [run_id])
        return row

    async def pause(self, caller: Caller, name: str) -> Row:
        """Let nothing of it be due until somebody resumes it; asked for, it still runs."""
        job = get(name)
        async with self._pool.acquire() as db, db.transaction():
            await job_runs.know(db, [job.name], self._clock.now())
            if await job_runs.pause(db, job.name, caller.actor):
                await self._note(db, caller, name, "paused", {})
        return await self.one(name)

    async def resume(self, caller: Caller, name: str) -> Row:
        """Let it be due again; times that passed meanwhile were missed, and its policy counts."""
        job = get(name)
        async with self._pool.acquire() as db, db.transaction():
            if await job_runs.resume(db, job.name):
                await self._note(db, caller, name, "resumed", {})
        return await self.one(name)

    async def _added(
        self,
        db: asyncpg.Connection,
        caller: Caller,
        job: Job,
        at: datetime,
        payload: Mapping[str, Any],
    ) -> int:
        while True:
            new = NewRun(job=job.name, scheduled_for=at, requested_by=caller.actor, payload=payload)
            run_id = await job_runs.add(db, new)
            if run_id is not None:
                return run_id
            at += _TICK  # somebody else asked within the same microsecond

    async def _note(
        self,
        db: asyncpg.Connection,
        caller: Caller,
        name: str,
        action: str,
        context: dict[str, Any],
    ) -> None:
        act = Act(
            actor=caller.actor,
            user_id=caller.user_id,
            action=action,
            resource="job",
            resource_id=name,
            after=context,
        )
        await audit.append(db, self._audit_key, act, self._clock.now())


def _row(job: Job, state: Mapping[str, Any], last: Row | None, now: datetime) -> Row:
    is_paused = bool(state.get("is_paused"))
    return {
        "name": job.name,
        "title": job.title,
        "schedule": None if job.schedule is None else job.schedule.words,
        "missed": job.missed.value,
        "attempts": job.attempts,
        "next_at": None if is_paused else next_time(job, now),
        "is_paused": is_paused,
        "paused_at": state.get("paused_at"),
        "paused_by": state.get("paused_by"),
        "succeeded_at": state.get("succeeded_at"),
        "last_run": last,
    }
