"""Measurements of a longer time in one row."""

from datetime import datetime

from sqlalchemy import Computed, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Json, check

SPANS = (300, 3600)
"Seconds that a row sums up."


class MetricRollup(Base):
    """What one series of `metrics` was over five minutes or an hour."""

    __tablename__ = "metric_rollups"
    __table_args__ = (
        check("span", f"span IN ({', '.join(map(str, SPANS))})"),
        check("samples", "samples >= 1"),
        Index(None, "span", "at"),
        {"info": {"owner": "repositories/metrics.py"}},
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    series: Mapped[str] = mapped_column(Computed("labels::text", persisted=True), primary_key=True)
    "The labels as text: part of the key, made by the database."
    span: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    "Seconds."
    at: Mapped[datetime] = mapped_column(primary_key=True)
    "Where it begins."
    labels: Mapped[Json]
    samples: Mapped[int]
    total: Mapped[float]
    minimum: Mapped[float]
    maximum: Mapped[float]
    last: Mapped[float]
