"""Errors that were logged, one row a kind."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, TimestampMixin, check


class Error(TimestampMixin, Base):
    """All errors of one kind raised at one place: how often, when, and the newest trace."""

    __tablename__ = "errors"
    __table_args__ = (
        check("occurrences", "occurrences >= 1"),
        Index(None, "last_at"),
        {"info": {"owner": "repositories/errors.py"}},
    )

    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    "A hash of the exception's type and of our functions that it passed, without line numbers."
    kind: Mapped[str]
    "The exception's type; of a line without an exception the event that it names."
    message: Mapped[str]
    "The newest, without secrets."
    component: Mapped[str]
    "The logger: api, trading, jobs, …"
    process: Mapped[str]
    "Who said it last."
    traceback: Mapped[str] = mapped_column(server_default=text("''"))
    correlation_id: Mapped[str | None]
    "Of the newest: finds its lines in the logs."
    occurrences: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
