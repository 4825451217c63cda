"""Jobs: how far each one's schedule was looked at, and whether it is paused."""

from datetime import datetime

from sqlalchemy import false
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, TimestampMixin, check


class JobState(TimestampMixin, Base):
    """One job that some worker has known; due times after `seen_until` are still to come."""

    __tablename__ = "job_states"
    __table_args__ = (
        check("paused", "is_paused = (paused_at IS NOT NULL)"),
        {"info": {"owner": "repositories/job_runs.py"}},
    )

    job: Mapped[str] = mapped_column(primary_key=True)
    seen_until: Mapped[datetime]
    is_paused: Mapped[bool] = mapped_column(server_default=false())
    paused_at: Mapped[datetime | None]
    paused_by: Mapped[str | None]
