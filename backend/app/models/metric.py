"""Measurements over time."""

from datetime import datetime

from sqlalchemy import Index, desc
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Json


class Metric(Base):
    """One value of one named metric under one set of labels."""

    __tablename__ = "metrics"
    __table_args__ = (
        Index(None, desc("at")),
        {"info": {"owner": "repositories/metrics.py", "hypertable": "at"}},
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    labels: Mapped[Json] = mapped_column(JSONB(), primary_key=True, server_default="{}")
    at: Mapped[datetime] = mapped_column(primary_key=True)
    value: Mapped[float]
