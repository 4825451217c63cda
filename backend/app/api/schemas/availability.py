"""Was it there: shares, days and outages."""

from datetime import date
from enum import StrEnum

from pydantic import Field

from app.api.schemas.base import In, Instant, Out


class PresenceState(StrEnum):
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    STOPPED = "stopped"


_SHARE = Field(
    default=None,
    description="Of the time without planned stops; null where nothing else is known.",
    examples=[0.9987],
)
_SECONDS = Field(
    description="How long it was up, degraded (there, with something wrong), down or stopped.",
    examples=[{"up": 86000.0, "down": 40.0}],
)


class AvailabilityDayOut(Out):
    """One day of UTC."""

    day: date = Field(examples=["2026-11-20"])
    share: float | None = _SHARE
    seconds: dict[PresenceState, float] = _SECONDS


class PeriodOut(Out):
    """A time in which it was not there."""

    state: PresenceState
    reason: str = Field(examples=["The API does not answer: ConnectError."])
    since: Instant
    until: Instant


class AvailabilityOut(Out):
    """The API and its database answered, and an engine held some account; asked every 15 s."""

    share: float | None = _SHARE
    target: float = Field(examples=[0.99])
    is_met: bool | None = Field(default=None, examples=[True])
    state: PresenceState | None = Field(
        default=None, description="Now; null where no worker has looked for a minute."
    )
    seconds: dict[PresenceState, float] = _SECONDS
    days: list[AvailabilityDayOut]
    outages: list[PeriodOut] = Field(description="The newest first, at most 100.")
    start: Instant
    end: Instant


class AvailabilityQuery(In):
    """How far back."""

    days: int = Field(default=30, ge=1, le=366, description="Days until now.", examples=[30])
