"""How the event bus and its handlers stand."""

from typing import Literal

from pydantic import Field

from app.api.schemas.base import Instant, Out


class TimesOut(Out):
    """How long something took; percentile and maximum are of the last thousand."""

    count: int = Field(examples=[120])
    mean_ms: float = Field(examples=[1.2])
    p99_ms: float = Field(examples=[4.8])
    max_ms: float = Field(examples=[6.1])


class HandlerOut(Out):
    """One handler. Counts and times are those of the process that runs it, since it began."""

    name: str = Field(examples=["alerts"])
    state: Literal["running", "waiting_for_database", "nobody"] = Field(
        description="nobody: no worker runs it now; what happens meanwhile is caught up with."
    )
    worker: str | None = Field(default=None, examples=["trader-1:4711"])
    lag: int = Field(description="Committed events that it was not handed yet.", examples=[0])
    waiting: int = Field(description="Events that wait to be handled or retried.", examples=[2])
    waiting_since: Instant | None = None
    keys_held: int = Field(default=0, description="Keys that wait for a retry.", examples=[1])
    dead_letters: int = Field(examples=[0])
    published: int = Field(default=0, description="Events handed to it.", examples=[120])
    handled: int = Field(default=0, examples=[118])
    failed: int = Field(default=0, description="Attempts that failed.", examples=[3])
    timed_out: int = Field(default=0, examples=[0])
    retried: int = Field(default=0, examples=[2])
    dead: int = Field(default=0, examples=[0])
    abandoned: int = Field(default=0, description="Attempts that could not be ended.", examples=[0])
    handling: TimesOut | None = Field(default=None, description="An attempt that came through.")
    delay: TimesOut | None = Field(
        default=None, description="From the event's commit to the handler's."
    )
    queueing: TimesOut | None = Field(
        default=None, description="One turn of reading new events and storing them as waiting."
    )
    by_type: dict[str, TimesOut] = Field(default={}, description="Handling, by type of event.")
    by_lane: dict[str, TimesOut] = Field(default={}, description="Handling, by priority.")


class FanOutOut(Out):
    """Events copied to Redis streams for other processes; PostgreSQL has them all."""

    is_connected: bool = Field(examples=[True])
    published: int = Field(examples=[120])
    lag: int = Field(description="Committed events that are not in Redis yet.", examples=[0])


class EventBusOut(Out):
    """Sums, and every handler."""

    status: Literal["healthy", "degraded", "unhealthy"]
    detail: str = Field(examples=["3 handlers run; nothing waits."])
    published: int = Field(examples=[240])
    handled: int = Field(examples=[238])
    failed: int = Field(examples=[3])
    retried: int = Field(examples=[2])
    lag: int = Field(examples=[0])
    waiting: int = Field(examples=[2])
    dead_letters: int = Field(examples=[0])
    handlers: list[HandlerOut]
    fan_out: FanOutOut | None = Field(
        default=None, description="null: no worker copies events to Redis."
    )
    at: Instant
