"""Events of the journal, as committed."""

from typing import Any, Literal

from pydantic import Field

from app.api.schemas.base import Instant, Out, PeriodQuery


class EventOut(Out):
    """One fact: gapless in its stream."""

    stream: str = Field(examples=["account:1"])
    seq: int = Field(examples=[120])
    type: str = Field(examples=["order_filled"])
    priority: Literal["low", "normal", "high", "critical"]
    occurred_at: Instant = Field(description="Event time: the input's own.")
    recorded_at: Instant = Field(description="Wall time of the commit.")
    caused_by: int | None = Field(
        default=None, description="seq of its cause in the stream.", examples=[118]
    )
    correlation_id: str | None = None
    actor: str | None = Field(default=None, examples=["engine"])
    data: dict[str, Any]


class CausationOut(Out):
    """An event between what led to it and what it led to."""

    event: EventOut
    ancestors: list[EventOut] = Field(description="From the first cause on.")
    descendants: list[EventOut] = Field(description="In the order of the stream.")
    is_complete: bool = Field(description="False where more followed than is shown.")


class EventQuery(PeriodQuery):
    """Newest first, or in the stream's order with `order=asc`."""

    stream: str | None = Field(default=None, max_length=64, examples=["account:1"])
    type: list[str] = Field(default=[], description="Any of these.", examples=[["order_filled"]])
    priority: list[Literal["low", "normal", "high", "critical"]] = Field(
        default=[], description="Any of these."
    )
    account_id: int | None = Field(default=None, examples=[1])
    deployment_id: int | None = Field(default=None, examples=[3])
    correlation_id: str | None = Field(default=None, max_length=200)
    caused_by: int | None = Field(
        default=None,
        ge=1,
        le=2**53,
        description="seq of the cause; needs `stream`.",
        examples=[118],
    )
    after_seq: int | None = Field(default=None, ge=0, le=2**53, description="Needs `stream`.")
    before_seq: int | None = Field(default=None, ge=0, le=2**53, description="Needs `stream`.")
    order: Literal["asc", "desc"] = "desc"

    def narrowed(self) -> dict[str, Any]:
        """What the list is narrowed to; the direction is part of it."""
        found = super().narrowed()
        ascending = found.pop("order") == "asc"
        return {**found, "ascending": ascending}
