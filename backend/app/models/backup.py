"""Backups: what was saved, where, and whether it was ever restored."""

from datetime import datetime

from sqlalchemy import Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, TimestampMixin, check, one_of


class Backup(TimestampMixin, Base):
    """One backup file."""

    __tablename__ = "backups"
    __table_args__ = (
        one_of("status", ("running", "finished", "failed", "deleted")),
        check("finished", "status <> 'finished' OR num_nulls(finished_at, size_bytes) = 0"),
        check("size_bytes", "size_bytes > 0"),
        check("sha256", "octet_length(sha256) = 32"),
        Index(None, "started_at"),
        {"info": {"owner": "repositories/backups.py"}},
    )

    id: Mapped[Id]
    path: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="running")
    size_bytes: Mapped[int | None]
    sha256: Mapped[bytes | None]
    is_encrypted: Mapped[bool] = mapped_column(server_default=text("false"))
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    "Last time that a restore of it was checked."
    error: Mapped[str | None]
