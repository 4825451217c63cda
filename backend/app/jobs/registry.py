"""The jobs there are: one file each, found by existing; what they are given when they run."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final

import asyncpg

from app.core.clock import Clock
from app.core.config import Settings
from app.core.errors import NotFound
from app.core.registry import suggestion
from app.domain.events import Severity
from app.jobs.progress import Progress
from app.jobs.schedules import Schedule
from app.repositories import alerts
from app.repositories.alerts import NewAlert
from app.repositories.journal import SharedJournal

Result = Mapping[str, Any]
"What a run found, for its history: small, and no secrets."


class Missed(StrEnum):
    """What happens to times that passed while no worker was there, or while the job was paused."""

    RUN_ONCE = "run_once"
    "The newest of them runs, late."
    SKIP = "skip"
    "None runs; the next one on time does."
    RUN_ALL = "run_all"
    "Each of them runs, the oldest first."


@dataclass(frozen=True, kw_only=True)
class JobContext:
    """What a run may use, and which run it is. `scheduled_for` is the key of its effect."""

    run_id: int
    scheduled_for: datetime
    attempt: int
    settings: Settings
    url: str
    pool: asyncpg.Pool
    journal: SharedJournal
    clock: Clock
    worker: str
    progress: Progress = field(default_factory=Progress)

    async def alarm(self, alert: NewAlert) -> None:
        """Raise an alert, journaled in the system stream."""
        async with self.pool.acquire() as db, db.transaction():
            await alerts.raise_alert(db, self.journal, alert, self.clock.now())

    async def all_clear(self, key: str) -> None:
        """What the alert `key` told of is over by itself."""
        async with self.pool.acquire() as db, db.transaction():
            await alerts.clear(db, self.journal, key, self.clock.now())


Run = Callable[[JobContext, Mapping[str, Any]], Awaitable[Result]]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job: its function, when it is due and what becomes of times that were missed."""

    name: str
    title: str
    run: Run
    schedule: Schedule | None
    missed: Missed
    attempts: int
    "Tries of one run, the first included, when it fails or its worker dies."
    limit_seconds: float
    "A run that takes longer is ended, and has failed."
    severity: Severity
    "Of the alert when the last attempt failed; a run that succeeds ends it."


_JOBS: Final[dict[str, Job]] = {}
_NOT_JOBS: Final = frozenset(
    {
        "desk",
        "hours",
        "in_process",
        "progress",
        "queue",
        "registry",
        "runner",
        "scheduler",
        "schedules",
    }
)


def job(
    name: str,
    *,
    title: str,
    schedule: Schedule | None = None,
    missed: Missed = Missed.RUN_ONCE,
    attempts: int = 3,
    limit_seconds: float = 3_600.0,
    severity: Severity = Severity.WARNING,
) -> Callable[[Run], Run]:
    """Declare an async function as a job; without a schedule it runs only when somebody asks.

    It must bear to be run again for the same `scheduled_for`: a worker may die after the work is
    done and before that is written down. Import what is heavy inside the function.
    """

    def declare(run: Run) -> Run:
        if name in _JOBS:
            raise RuntimeError(f"Two jobs are named {name!r}.")
        _JOBS[name] = Job(
            name=name,
            title=title,
            run=run,
            schedule=schedule,
            missed=missed,
            attempts=attempts,
            limit_seconds=limit_seconds,
            severity=severity,
        )
        return run

    return declare


@cache
def _load() -> None:
    package = import_module("app.jobs")
    for module in iter_modules(package.__path__):
        if module.name not in _NOT_JOBS:
            import_module(f"app.jobs.{module.name}")


def jobs() -> Mapping[str, Job]:
    """Every job by its name, in the order of the names."""
    _load()
    return dict(sorted(_JOBS.items()))


def get(name: str) -> Job:
    """One job. Raises NotFound with the nearest name."""
    known = jobs()
    if name not in known:
        raise NotFound(f"There is no job {name!r}.", remedy=suggestion(name, known))
    return known[name]
