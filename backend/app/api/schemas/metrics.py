"""Figures over time."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from app.api.schemas.base import AwareInstant, In, Instant, Out


class Resolution(StrEnum):
    RAW = "raw"
    FIVE_MINUTES = "5m"
    HOUR = "1h"


class MetricNamesOut(Out):
    """Every name that has measurements."""

    items: list[str] = Field(examples=[["orders_open", "feed_lag_seconds"]])
    next_cursor: None = None


class MetricPointOut(Out):
    """One measurement, or what several were over five minutes or an hour."""

    at: Instant
    labels: dict[str, str] = Field(examples=[{"process": "core"}])
    mean: float = Field(examples=[3.5])
    minimum: float = Field(examples=[1.0])
    maximum: float = Field(examples=[6.0])
    samples: int = Field(examples=[5])


class MetricHistoryOut(Out):
    """Points in order; several series where there are several labels."""

    name: str = Field(examples=["orders_open"])
    title: str = Field(examples=["Open orders"])
    unit: str = Field(examples=["orders"])
    resolution: Resolution
    items: list[MetricPointOut]
    is_cut: bool = Field(description="There were more points than `limit`: ask for a shorter time.")


class MetricHistoryQuery(In):
    """One figure within [start, end)."""

    name: str = Field(
        min_length=1, max_length=100, pattern=r"^[a-z0-9_]+$", examples=["orders_open"]
    )
    start: AwareInstant | None = Field(default=None, description="Left out: six hours before end.")
    end: AwareInstant | None = Field(default=None, description="Left out: now.")
    resolution: Literal["auto", "raw", "5m", "1h"] = Field(
        default="auto",
        description="auto: as measured up to six hours, 5m up to a week, then 1h.",
    )
    limit: int = Field(default=2000, ge=1, le=20_000, description="Points at most.")
