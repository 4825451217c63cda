"""Backups: what was saved, where, and whether it was ever restored."""

from datetime import datetime

from sqlalchemy import Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Json, TimestampMixin, check, one_of


class Backup(TimestampMixin, Base):
    """One backup file."""

    __tablename__ = "backups"
    __table_args__ = (
        one_of("status", ("running", "finished", "failed", "deleted")),
        check("finished", "status <> 'finished' OR num_nulls(finished_at, size_bytes) = 0"),
        check("size_bytes", "size_bytes > 0"),
        check("sha256", "octet_length(sha256) = 32"),
        check("state_hash", "octet_length(state_hash) = 32"),
        check("rows", "rows >= 0"),
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
    "Last time that a restore of it was proved."
    error: Mapped[str | None]
    requested_by: Mapped[str | None]
    revision: Mapped[str | None]
    "Schema revision of what is saved."
    state_hash: Mapped[bytes | None]
    "SHA-256 over all rows of all tables."
    rows: Mapped[int | None]
    details: Mapped[Json]
    "Versions, rows by table, heads of the journal."
    checked_at: Mapped[datetime | None]
    "Last time that a proof was tried."
    check_error: Mapped[str | None]
    "Why the last proof did not hold; null: it did, or there was none."
    restore_seconds: Mapped[float | None]
    "What the restore of the last proof took."
    copied_to: Mapped[str | None]
    copied_at: Mapped[datetime | None]
