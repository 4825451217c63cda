"""Errors by kind, with the newest trace."""

from pydantic import Field

from app.api.schemas.base import Instant, Out, PeriodQuery


class ErrorOut(Out):
    """All errors of one kind at one place; two with other messages or line numbers are one kind."""

    fingerprint: str = Field(examples=["9f1c22ab0d3e4f56"])
    kind: str = Field(description="The exception's type.", examples=["TimeoutError"])
    message: str = Field(description="The newest, without secrets.", examples=["no answer"])
    component: str = Field(description="Which logger.", examples=["trading"])
    process: str = Field(description="Who logged it last.", examples=["core"])
    traceback: str = Field(examples=["Traceback (most recent call last): …"])
    correlation_id: str | None = Field(
        default=None, description="Finds the newest one's lines in the logs."
    )
    occurrences: int = Field(examples=[3])
    first_at: Instant
    last_at: Instant


class ErrorQuery(PeriodQuery):
    """Narrowed by the time of the newest error."""

    component: str | None = Field(default=None, max_length=100, examples=["trading"])
