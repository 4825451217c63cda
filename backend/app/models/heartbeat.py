"""Heartbeats: what processes say of themselves, and when they last said it."""

from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Json, TimestampMixin


class Heartbeat(TimestampMixin, Base):
    """One process, or one account's engine in a process; a row that grows old means silence."""

    __tablename__ = "heartbeats"
    __table_args__ = ({"info": {"owner": "repositories/heartbeats.py"}},)

    name: Mapped[str] = mapped_column(primary_key=True)
    "E.g. `account:1`, `guardian`."
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    state: Mapped[Json]
    "Of an account its pulse; of the guardian what it watches."
