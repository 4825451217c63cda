"""Jobs: what is done on a schedule or on request, and each run of it."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from app.api.schemas.base import In, Instant, Out, PageQuery


class JobRunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


class JobRunOut(Out):
    """One run: when it was due or asked for, and what became of it."""

    id: int = Field(examples=[17])
    job: str = Field(examples=["retention"])
    scheduled_for: Instant
    trigger: Literal["schedule", "person"]
    status: JobRunStatus
    requested_by: str | None = Field(default=None, examples=["ann@example.com"])
    payload: dict[str, Any] = Field(default_factory=dict)
    attempt: int = Field(description="Times that it was begun.", examples=[1])
    missed: int = Field(
        default=0, description="Due times before it that no worker saw, and that do not run."
    )
    worker: str | None = Field(default=None, examples=["trader:4711"])
    started_at: Instant | None = None
    finished_at: Instant | None = None
    seconds: float | None = Field(default=None, description="From start to end, or until now.")
    progress: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share that is done; null where the job does not say.",
        examples=[0.4],
    )
    progress_note: str | None = Field(
        default=None,
        description="What it is at, in a sentence.",
        examples=["The copy is proved by a restore."],
    )
    result: dict[str, Any] = Field(default_factory=dict, examples=[{"rows": 1200}])
    error: str | None = None
    created_at: Instant


def run_text(row: dict[str, Any]) -> str:
    """A run as JSON, for the WebSocket the same as over HTTP."""
    return JobRunOut.model_validate(row).model_dump_json()


class JobOut(Out):
    """A job that this version has."""

    name: str = Field(examples=["retention"])
    title: str = Field(examples=["Forget what is older than the settings keep it"])
    schedule: str | None = Field(
        default=None,
        description="When it is due, in words; null: only when somebody asks.",
        examples=["10 min before the close of XNYS"],
    )
    missed: Literal["run_once", "skip", "run_all"] = Field(
        description="What becomes of due times that no worker saw."
    )
    attempts: int = Field(description="Tries of one run.", examples=[3])
    next_at: Instant | None = Field(default=None, description="null while paused.")
    is_paused: bool = False
    paused_at: Instant | None = None
    paused_by: str | None = None
    succeeded_at: Instant | None = Field(
        default=None, description="End of the newest run that succeeded."
    )
    last_run: JobRunOut | None = None


class JobListOut(Out):
    """All jobs, by name."""

    items: list[JobOut]


class JobRunIn(In):
    """What the run is given."""

    payload: dict[str, Any] = Field(default_factory=dict, examples=[{}])


class JobRunQuery(PageQuery):
    """The newest due time first."""

    status: list[JobRunStatus] = Field(default=[], description="Any of these.")
