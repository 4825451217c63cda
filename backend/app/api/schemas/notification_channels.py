"""Where alerts are sent to."""

from datetime import time
from typing import Annotated

from pydantic import Field

from app.alerting.rules import Category
from app.api.schemas.base import In, Instant, Out
from app.domain.events import Severity

Url = Annotated[
    str,
    Field(
        min_length=4,
        max_length=2000,
        description="As apprise writes addresses. Sealed at once and never shown again.",
        examples=["mailtos://user:password@example.com?to=ada@example.com"],
    ),
]


class ChannelSettings(In):
    """What a channel hears of, and when."""

    min_severity: Severity = Severity.WARNING
    categories: list[Category] = Field(
        default=[], max_length=4, description="Empty: all.", examples=[["trading", "security"]]
    )
    quiet_from: time | None = Field(
        default=None,
        description="From here to `quiet_to` only what is critical passes; the rest comes later.",
        examples=["22:00"],
    )
    quiet_to: time | None = Field(default=None, examples=["07:00"])
    time_zone: str = Field(
        default="UTC", max_length=64, description="Of the quiet hours.", examples=["Europe/Berlin"]
    )
    level: int = Field(
        default=0,
        ge=0,
        le=9,
        description="0 hears at once, 1 when a critical alert stays unacknowledged, and so on.",
    )
    tells_resolved: bool = Field(default=True, description="Whether it hears that it is over.")
    wants_digest: bool = Field(default=True, description="Whether it gets the daily digest.")
    is_enabled: bool = True


class NotificationChannelIn(ChannelSettings):
    """A new channel."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$", examples=["mail to Ada"])
    url: Url


class NotificationChannelChangeIn(ChannelSettings):
    """Everything but the name; what is left out becomes its default, except the address."""

    url: Url | None = Field(default=None, description="None: the address stays.")


class NotificationChannelOut(Out):
    """A channel without its address."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["mail"])
    service: str = Field(examples=["E-Mail"])
    hint: str = Field(
        description="Scheme and host of the address.", examples=["mailtos://example.com"]
    )
    min_severity: Severity
    categories: list[str] = Field(examples=[["trading"]])
    quiet_from: time | None = None
    quiet_to: time | None = None
    time_zone: str = Field(examples=["UTC"])
    level: int = Field(examples=[0])
    tells_resolved: bool
    wants_digest: bool
    is_enabled: bool
    created_by: str = Field(examples=["ada@example.com"])
    created_at: Instant
    updated_at: Instant
    last_delivered_at: Instant | None = None


class NotificationTestOut(Out):
    """What the test found."""

    is_delivered: bool
    detail: str = Field(examples=["The service took it."])
    milliseconds: float = Field(examples=[412.5])
