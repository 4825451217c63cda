"""Dead letters of the event bus."""

from typing import Any, Literal

from pydantic import Field

from app.api.schemas.base import In, Instant, Out, PageQuery


class DeadLetterOut(Out):
    """An event that a handler gave up on."""

    handler: str = Field(examples=["alerts"])
    stream: str = Field(examples=["account:1"])
    seq: int = Field(examples=[120])
    type: str = Field(examples=["order_unknown"])
    priority: Literal["low", "normal", "high", "critical"]
    occurred_at: Instant
    died_at: Instant
    attempts: int = Field(examples=[6])
    error: str | None = Field(
        description="Of the last attempt.", examples=["ValueError: no such order"]
    )
    data: dict[str, Any]


class DeadLetterQuery(PageQuery):
    """Newest first."""

    handler: str | None = Field(default=None, max_length=100, examples=["alerts"])
    stream: str | None = Field(default=None, max_length=64, examples=["account:1"])


class RedriveIn(In):
    """Which ones are to be tried again; without anything: all."""

    handler: str | None = Field(default=None, max_length=100, examples=["alerts"])
    stream: str | None = Field(default=None, max_length=64, examples=["account:1"])
    seq: int | None = Field(default=None, ge=1, le=2**53, description="Needs `stream`.")


class RedriveOut(Out):
    """What waits again."""

    redriven: int = Field(examples=[3])
    handlers: dict[str, int] = Field(description="How many by handler.", examples=[{"alerts": 3}])
