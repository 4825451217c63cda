"""Runs of jobs and the states of their schedules: due, begun, over; each change a statement."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec
import orjson

from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister, plain

RESULT_BYTES: Final = 65_536
_SOURCE: Final = "job_runs r"
_LISTING: Final = Listing(
    select="""r.id, r.job, r.scheduled_for, r.trigger, r.status, r.requested_by, r.payload,
       r.attempt, r.missed, r.worker, r.started_at, r.finished_at, r.progress, r.progress_note,
       r.result, r.error, r.created_at,
       extract(epoch FROM coalesce(r.finished_at, clock_timestamp()) - r.started_at)::float8
         AS seconds""",
    source=_SOURCE,
    keys=(("r.scheduled_for", "timestamptz"), ("r.id", "bigint")),
    documents=("payload", "result"),
)
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended($1, 7236504))"

_ADD: Final = """
  INSERT INTO job_runs (job, scheduled_for, trigger, missed, requested_by, payload)
  VALUES ($1, $2, $3, $4, $5, $6::jsonb)
  ON CONFLICT (job, scheduled_for) DO NOTHING RETURNING id"""
_SKIP: Final = """
  INSERT INTO job_runs (job, scheduled_for, trigger, status, missed, error, finished_at)
  VALUES ($1, $2, 'schedule', 'skipped', $3, $4, clock_timestamp())
  ON CONFLICT (job, scheduled_for) DO NOTHING"""
_BEGIN: Final = """
  UPDATE job_runs SET status = 'running', attempt = attempt + 1, worker = $2,
    started_at = clock_timestamp(), progress = NULL, progress_note = NULL
  WHERE id = $1 AND finished_at IS NULL
  RETURNING id, job, scheduled_for, attempt, payload"""
_PUT_BACK: Final = """
  UPDATE job_runs SET status = 'queued', worker = NULL, error = coalesce($3, error),
    progress = NULL, progress_note = NULL,
    attempt = attempt - CASE WHEN $4 THEN 0 ELSE 1 END
  WHERE id = $1 AND attempt = $2 AND status = 'running' RETURNING true"""
_FINISH: Final = """
  UPDATE job_runs SET status = $3, finished_at = clock_timestamp(), result = $4::jsonb,
    error = $5, queue_id = NULL,
    progress = CASE WHEN $3 = 'succeeded' THEN 1 ELSE progress END,
    progress_note = CASE WHEN $3 = 'succeeded' THEN NULL ELSE progress_note END
  WHERE id = $1 AND attempt = $2 AND status = 'running' RETURNING true"""
_PROGRESS: Final = """
  UPDATE job_runs SET progress = $3, progress_note = $4
  WHERE id = $1 AND attempt = $2 AND status = 'running'"""
_UNFINISHED: Final = "SELECT id FROM job_runs WHERE finished_at IS NULL ORDER BY id"
_OF_ORPHANS: Final = """FROM job_runs r
  WHERE r.finished_at IS NULL AND r.job = ANY($1::text[])
    AND NOT EXISTS (SELECT FROM pgqueuer.pgqueuer q WHERE q.id = r.queue_id)"""
_ORPHANS: Final = f"""
  SELECT r.id, r.job {_OF_ORPHANS} ORDER BY r.scheduled_for FOR UPDATE OF r SKIP LOCKED"""
_ARE_ORPHANS: Final = f"SELECT EXISTS (SELECT {_OF_ORPHANS})"

_KNOW: Final = """
  INSERT INTO job_states (job, seen_until) SELECT unnest($1::text[]), $2
  ON CONFLICT (job) DO NOTHING"""
_LOOK: Final = """
  SELECT job, seen_until FROM job_states WHERE job = $1 AND NOT is_paused FOR UPDATE SKIP LOCKED"""
_LOOKED: Final = "SELECT job, seen_until FROM job_states WHERE NOT is_paused"
_SEEN: Final = "UPDATE job_states SET seen_until = $2 WHERE job = $1 AND seen_until < $2"
_PAUSE: Final = """
  UPDATE job_states SET is_paused = true, paused_at = clock_timestamp(), paused_by = $2
  WHERE job = $1 AND NOT is_paused RETURNING true"""
_RESUME: Final = """
  UPDATE job_states SET is_paused = false, paused_at = NULL, paused_by = NULL
  WHERE job = $1 AND is_paused RETURNING true"""
_STATES: Final = """
  SELECT s.job, s.seen_until, s.is_paused, s.paused_at, s.paused_by,
    (SELECT max(r.finished_at) FROM job_runs r WHERE r.job = s.job AND r.status = 'succeeded')
      AS succeeded_at
  FROM job_states s ORDER BY s.job"""
_NEWEST: Final = """
  SELECT DISTINCT ON (job) id, job FROM job_runs WHERE status <> 'skipped'
  ORDER BY job, scheduled_for DESC"""

# Nobody asks for the queue's own diary: the runs are ours.
_FORGET: Final = (
    "DELETE FROM pgqueuer.pgqueuer_log WHERE created < $1",
    "DELETE FROM pgqueuer.pgqueuer_statistics WHERE created < $1",
)


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is due, or that somebody (`requested_by`) asks for."""

    job: str
    scheduled_for: datetime
    missed: int = 0
    requested_by: str | None = None
    payload: Mapping[str, Any] = {}


def listing(db: Db, job: str | None = None, status: Sequence[str] = ()) -> Fetch:
    """The newest due time first."""
    where = Where().add("r.job = {}", job).add("r.status = ANY({})", list(status))
    return lister(db, _LISTING, where)


async def by_ids(db: Db, ids: Sequence[int]) -> list[Row]:
    """These runs, in no order."""
    sql = f"SELECT {_LISTING.select} FROM {_SOURCE} WHERE r.id = ANY($1::bigint[])"
    return [plain(row, _LISTING.documents) for row in await db.fetch(sql, list(ids))]


class JobRunReads:
    """What those need who follow runs."""

    def __init__(self, db: Db) -> None:
        self._db = db

    async def by_ids(self, ids: Sequence[int]) -> list[Row]:
        """These runs, in no order."""
        return await by_ids(self._db, ids)

    async def unfinished(self) -> list[int]:
        """Runs that wait or are under way."""
        found = await self._db.fetch(_UNFINISHED)
        return [row["id"] for row in found]


async def newest(db: Db) -> dict[str, Row]:
    """The newest run of each job that was not skipped."""
    ids = [row["id"] for row in await db.fetch(_NEWEST)]
    return {row["job"]: row for row in await by_ids(db, ids)}


# ------------------------------------------------------------------------------- one run


async def add(db: Db, new: NewRun) -> int | None:
    """Enter a run; its id, or None where that time of that job has one."""
    found: int | None = await db.fetchval(
        _ADD,
        new.job,
        new.scheduled_for,
        "schedule" if new.requested_by is None else "person",
        new.missed,
        new.requested_by,
        orjson.dumps(dict(new.payload), default=str).decode(),
    )
    return found


async def skip(db: Db, job: str, scheduled_for: datetime, missed: int, reason: str) -> None:
    """Say in the history why a time did not run."""
    await db.execute(_SKIP, job, scheduled_for, missed, reason)


async def queued(db: Db, run_id: int, queue_id: int) -> None:
    """Note where the run waits."""
    await db.execute("UPDATE job_runs SET queue_id = $2 WHERE id = $1", run_id, queue_id)


async def is_waiting(db: Db, job: str) -> bool:
    """Whether a run of the job has not begun yet."""
    sql = "SELECT EXISTS (SELECT FROM job_runs WHERE job = $1 AND status = 'queued')"
    return bool(await db.fetchval(sql, job))


async def are_orphans(db: Db, jobs: Sequence[str]) -> bool:
    """Whether there may be any: nothing is held for that."""
    return bool(await db.fetchval(_ARE_ORPHANS, list(jobs)))


async def orphans(db: Db, jobs: Sequence[str]) -> list[Row]:
    """Runs that are not over and stand in no queue; theirs until the transaction's end."""
    return [dict(row) for row in await db.fetch(_ORPHANS, list(jobs))]


async def lock(db: asyncpg.Connection, job: str) -> bool:
    """Keep every other worker from this job until the connection ends; False: another has it."""
    return bool(await db.fetchval(_LOCK, f"job:{job}"))


async def begin(db: Db, run_id: int, worker: str) -> Row | None:
    """Begin an attempt, under the job's lock; None when the run is over already."""
    row = await db.fetchrow(_BEGIN, run_id, worker)
    return None if row is None else plain(row, ("payload",))


async def put_back(db: Db, row: Row, error: str | None, *, is_counted: bool = True) -> bool:
    """Let the run wait for another attempt; this one counts, unless it is not its fault."""
    return bool(await db.fetchval(_PUT_BACK, row["id"], row["attempt"], error, is_counted))


async def progress(db: Db, run_id: int, attempt: int, share: float, note: str) -> None:
    """How far an attempt is; nothing once the run is another's or over."""
    await db.execute(_PROGRESS, run_id, attempt, share, note)


async def succeed(db: Db, row: Row, result: Mapping[str, Any]) -> bool:
    """The run is over; False when it was not this attempt's to say so."""
    said = orjson.dumps(dict(result), default=str, option=orjson.OPT_NON_STR_KEYS)
    if len(said) > RESULT_BYTES:
        said = orjson.dumps({"left_out": f"{len(said)} bytes, at most {RESULT_BYTES} are kept"})
    finished = (row["id"], row["attempt"], "succeeded", said.decode(), None)
    return bool(await db.fetchval(_FINISH, *finished))


async def fail(db: Db, row: Row, error: str) -> bool:
    """The run is over, for the worse; False when it was not this attempt's to say so."""
    return bool(await db.fetchval(_FINISH, row["id"], row["attempt"], "failed", "{}", error))


async def forget_diary(db: Db, before: datetime) -> None:
    """Drop what the queue wrote down for itself before an instant."""
    for statement in _FORGET:
        await db.execute(statement, before)


# ----------------------------------------------------------------------------- schedules


async def know(db: Db, jobs: Sequence[str], now: datetime) -> None:
    """Times of jobs that are new count from `now` on."""
    await db.execute(_KNOW, list(jobs), now)


async def look(db: Db, job: str) -> datetime | None:
    """Until when its due times were looked at, held against other workers until the commit.

    None while it is paused, or while another worker looks.
    """
    row = await db.fetchrow(_LOOK, job)
    return None if row is None else row["seen_until"]


async def looked(db: Db) -> dict[str, datetime]:
    """Until when due times were looked at, by job that is not paused; held against nobody."""
    return {row["job"]: row["seen_until"] for row in await db.fetch(_LOOKED)}


async def seen(db: Db, job: str, until: datetime) -> None:
    """Its due times up to here were dealt with."""
    await db.execute(_SEEN, job, until)


async def pause(db: Db, job: str, actor: str) -> bool:
    """Nothing is due any more; False when it was so before."""
    return bool(await db.fetchval(_PAUSE, job, actor))


async def resume(db: Db, job: str) -> bool:
    """It is due again; False when it was not paused."""
    return bool(await db.fetchval(_RESUME, job))


async def states(db: Db) -> dict[str, Row]:
    """Of every job that a worker has known."""
    return {row["job"]: dict(row) for row in await db.fetch(_STATES)}
