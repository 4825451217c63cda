"""Rules of alerts, and the numbers they measure by."""

from pydantic import Field

from app.alerting.rules import Source
from app.api.schemas.base import In, Instant, Out
from app.domain.events import Severity


class AlertRuleOut(Out):
    """One reason to tell a person."""

    name: str = Field(examples=["no_backup"])
    title: str = Field(examples=["A backup failed, or is missing"])
    source: Source
    category: str = Field(examples=["system"])
    severity: Severity = Field(description="Some findings are graver; this is the usual.")
    clears: str = Field(description="How the alert ends.", examples=["When trading is resumed."])
    events: list[str] = Field(
        description="Types of events that raise it.", examples=[["trading_halted"]]
    )
    thresholds: list[str] = Field(description="Whose numbers it uses.", examples=[["backup_hours"]])


class ThresholdOut(Out):
    """A number that rules measure by."""

    key: str = Field(examples=["alerts.backup_hours"])
    value: float = Field(examples=[26])
    default: float = Field(examples=[26])
    description: str = Field(examples=["No finished backup for this long is critical"])
    minimum: float = Field(examples=[1])
    maximum: float = Field(examples=[8760])
    is_whole: bool = Field(description="Whether only whole numbers will do.")
    updated_at: Instant | None = None
    updated_by: str | None = Field(default=None, examples=["ada@example.com"])


class AlertRuleListOut(Out):
    """Every rule and every threshold; short enough for one page."""

    items: list[AlertRuleOut]
    thresholds: list[ThresholdOut]
    next_cursor: None = None


class ThresholdIn(In):
    """A new value, checked before it is stored; the next look uses it."""

    value: float = Field(examples=[30])
    reason: str | None = Field(default=None, max_length=500, examples=["nightly backups are slow"])
