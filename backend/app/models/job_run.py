"""Runs of jobs: one row each time that a job was due or asked for, and what became of it."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Json, TimestampMixin, check, one_of

STATUSES = ("queued", "running", "succeeded", "failed", "skipped")
TRIGGERS = ("schedule", "person")


class JobRun(TimestampMixin, Base):
    """One run. (job, scheduled_for) is its key, so that no time runs twice."""

    __tablename__ = "job_runs"
    __table_args__ = (
        UniqueConstraint("job", "scheduled_for"),
        one_of("status", STATUSES),
        one_of("trigger", TRIGGERS),
        check("counts", "attempt >= 0 AND missed >= 0"),
        check("progress", "progress BETWEEN 0 AND 1"),
        check("finished", "(finished_at IS NULL) = (status IN ('queued', 'running'))"),
        Index("ix_job_runs_open", "job", postgresql_where="finished_at IS NULL"),
        Index(None, "finished_at"),
        {"info": {"owner": "repositories/job_runs.py"}},
    )

    id: Mapped[Id]
    job: Mapped[str]
    scheduled_for: Mapped[datetime]
    trigger: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=text("'queued'"))
    requested_by: Mapped[str | None]
    "Who asked; None of what was due by itself."
    payload: Mapped[Json]
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    "Times that it was begun."
    missed: Mapped[int] = mapped_column(server_default=text("0"))
    "Due times before it that no worker saw, and that do not run."
    worker: Mapped[str | None]
    queue_id: Mapped[int | None]
    "Its row in the queue, while it waits or runs."
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    progress: Mapped[float | None]
    "Share that is done; NULL where the job does not say."
    progress_note: Mapped[str | None]
    "What it is at, in a sentence."
    result: Mapped[Json]
    error: Mapped[str | None]
    "Of the last attempt that failed."
