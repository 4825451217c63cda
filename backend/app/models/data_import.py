"""Files of market data that somebody uploaded, and what became of them."""

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from app.models.base import Base, Id, Json, TimestampMixin, check, known_dataset, one_of

STATES = ("queued", "running", "done", "failed")


class DataImport(TimestampMixin, Base):
    """One uploaded file: whose, into which data set, how far it is, and its report."""

    __tablename__ = "data_imports"
    __table_args__ = (
        known_dataset(),
        one_of("state", STATES),
        check("bytes", "bytes > 0"),
        check("rows", "rows_done >= 0 AND rows_total >= 0"),
        Index(None, "created_at"),
        {"info": {"owner": "repositories/data_imports.py"}},
    )

    id: Mapped[Id]
    file: Mapped[str]
    bytes: Mapped[int]
    dataset: Mapped[str]
    hints: Mapped[Json]
    "What the person said of the file: kind, symbol, timeframe, time zone, exchange."
    actor: Mapped[str]
    state: Mapped[str]
    rows_done: Mapped[int]
    rows_total: Mapped[int]
    "About how many rows the file has; 0 while nobody knows."
    report: Mapped[Json]
    detail: Mapped[str | None]
    "Why it failed, with what to do about it."
    seen_at: Mapped[datetime]
    "When the process that works on it last said so: an old one means that it is gone."
    finished_at: Mapped[datetime | None]
