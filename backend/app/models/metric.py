"""Measurements over time."""

from datetime import datetime

from sqlalchemy import Computed, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Json


class Metric(Base):
    """One value of one named metric under one set of labels."""

    __tablename__ = "metrics"
    __table_args__ = (
        Index("ix_metrics_at", "at", postgresql_using="brin"),
        {"info": {"owner": "repositories/metrics.py", "hypertable": "at"}},
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    series: Mapped[str] = mapped_column(Computed("labels::text", persisted=True), primary_key=True)
    "The labels as text: part of the key, made by the database."
    at: Mapped[datetime] = mapped_column(primary_key=True)
    labels: Mapped[Json]
    value: Mapped[float]
