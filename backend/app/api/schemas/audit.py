"""What people did, and whether the hash chains hold."""

from typing import Any

from pydantic import Field

from app.api.schemas.base import Instant, Out, PeriodQuery


class AuditEntryOut(Out):
    """One act."""

    seq: int = Field(examples=[42])
    at: Instant
    actor: str = Field(examples=["ada@example.com"])
    user_id: int | None = Field(default=None, examples=[1])
    action: str = Field(examples=["changed"])
    resource: str = Field(examples=["config"])
    resource_id: str | None = Field(default=None, examples=["max_position_size"])
    address: str | None = Field(default=None, examples=["127.0.0.1"])
    correlation_id: str | None = None
    before: Any = Field(default=None, description="Never a secret.")
    after: Any = Field(default=None, description="Never a secret.")
    reason: str | None = None


class AuditQuery(PeriodQuery):
    """Newest first."""

    actor: str | None = Field(default=None, max_length=320, examples=["ada@example.com"])
    action: str | None = Field(default=None, max_length=100, examples=["changed"])
    resource: str | None = Field(default=None, max_length=100, examples=["config"])
    resource_id: str | None = Field(default=None, max_length=200, examples=["max_position_size"])
    correlation_id: str | None = Field(default=None, max_length=200)


class BadRowOut(Out):
    """Where a chain breaks first."""

    stream: str = Field(examples=["account:1"])
    seq: int = Field(examples=[120])
    detail: str = Field(examples=["Stream account:1: event 120 does not match its hash."])


class AuditVerdictOut(Out):
    """Whether every chain holds."""

    ok: bool = Field(examples=[True])
    streams: int = Field(examples=[4])
    rows: int = Field(description="Rows looked at.", examples=[1200])
    first_bad: BadRowOut | None
    bad: list[BadRowOut]
    anchors: int = Field(description="Streams whose head is noted outside the database.")
    anchored_at: Instant | None
