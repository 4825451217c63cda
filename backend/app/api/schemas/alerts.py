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
    key: str = Field(default="", description="Names the condition.", examples=["backup"])
    rule: str | None = Field(
        default=None, description="See GET /api/alert-rules.", examples=["no_backup"]
    )
    escalations: int = Field(
        default=0, description="How often it was announced again.", examples=[0]
    )
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


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    SKIPPED = "skipped"


class AlertDeliveryOut(Out):
    """One alert on its way to one channel."""

    id: int = Field(examples=[7])
    alert_id: int = Field(examples=[5])
    channel: str = Field(examples=["mail"])
    kind: str = Field(description="raised, or resolved.", examples=["raised"])
    round: int = Field(description="2 and more: an escalation.", examples=[1])
    status: DeliveryStatus = Field(
        description="dead: it was given up. skipped: it no longer mattered."
    )
    attempts: int = Field(examples=[1])
    error: str | None = Field(default=None, examples=["No answer within 30 s."])
    next_attempt_at: Instant | None = None
    delivered_at: Instant | None = None
    created_at: Instant
