"""Alerts: what a person should see."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from app.api.schemas.base import In, Instant, Out, PageQuery
from app.domain.events import Severity


class AlertState(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class AlertOut(Out):
    """Something that needs, or needed, a person."""

    id: int = Field(examples=[5])
    category: str = Field(
        description="system, trading, performance or security.", examples=["trading"]
    )
    severity: Severity
    title: str = Field(examples=["Account 1 did not confirm the emergency stop"])
    detail: str = Field(examples=["No wire gate answered within 200 ms."])
    state: AlertState
    occurrences: int = Field(default=1, examples=[1])
    context: dict[str, Any] = Field(default_factory=dict)
    account_id: int | None = None
    deployment_id: int | None = None
    raised_at: Instant
    last_seen_at: Instant
    acknowledged_at: Instant | None = None
    acknowledged_by: str | None = None
    resolved_at: Instant | None = None
    resolved_by: str | None = None


class AlertNoteIn(In):
    """What was done about it."""

    note: str | None = Field(default=None, max_length=500, examples=["restarted the feed"])


class AlertQuery(PageQuery):
    """Newest first."""

    state: list[AlertState] = Field(default=[], description="Any of these.", examples=[["open"]])
    severity: list[Severity] = Field(default=[], description="Any of these.")
    category: str | None = Field(default=None, max_length=32, examples=["trading"])
