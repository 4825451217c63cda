"""Jobs of tests, beside the real ones, and the worker's parts on a database of the test."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from app.core import clock
from app.core.config import get_settings
from app.jobs import registry, runner
from app.jobs.registry import Job, JobContext, Run
from app.repositories.journal import SharedJournal
from app.worker import jobs as worker_jobs
from app.worker.context import WorkerContext

KEY = b"k" * 32


class Hands:
    """A clock that stands where it was put."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


@pytest.fixture
def context(pool: asyncpg.Pool, database_url: str) -> WorkerContext:
    return WorkerContext(
        settings=get_settings(),
        url=database_url,
        pool=pool,
        journal_key=KEY,
        system=SharedJournal(pool, KEY),
    )


Declare = Callable[..., Job]


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Declare a job that is the only one while the test lasts."""
    registry.jobs()
    monkeypatch.setattr(registry, "_JOBS", {})
    monkeypatch.setattr(runner, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(runner, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(worker_jobs, "POLL_SECONDS", 0.1)

    def declare_job(run: Run, name: str = "probe", **more: Any) -> Job:
        registry.job(name, title="A job of a test", **more)(run)
        return registry.get(name)

    return declare_job


@pytest.fixture
def job_context(context: WorkerContext) -> JobContext:
    """What a run is given, without a queue."""
    return JobContext(
        run_id=1,
        scheduled_for=clock.now(),
        attempt=1,
        settings=context.settings,
        url=context.url,
        pool=context.pool,
        journal=context.system,
        clock=context.clock,
        worker=context.name,
    )
