"""Backups: what was saved, and when it was last proved."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from app.api.schemas.base import Instant, Out, PageQuery


class BackupStatus(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    DELETED = "deleted"


class BackupOut(Out):
    """One backup. Proved means: restored into a scratch database with an equal state hash."""

    id: int = Field(examples=[12])
    path: str = Field(examples=["backups/tradewright-20261120T063000Z-1f1b31f5.backup"])
    status: BackupStatus
    size_bytes: int | None = Field(default=None, examples=[48120331])
    sha256: str | None = Field(default=None, description="Of the file, in hex.")
    is_encrypted: bool = False
    started_at: Instant
    finished_at: Instant | None = None
    error: str | None = Field(default=None, examples=["The disk of backups is full."])
    requested_by: str | None = Field(default=None, examples=["schedule"])
    revision: str | None = Field(default=None, description="Schema revision.", examples=["0026"])
    state_hash: str | None = Field(default=None, description="Over all rows of all tables, in hex.")
    rows: int | None = Field(default=None, examples=[10010669])
    details: dict[str, Any] = Field(
        default_factory=dict, description="Versions, rows by table, heads of the journal."
    )
    verified_at: Instant | None = Field(default=None, description="Last time that it was proved.")
    checked_at: Instant | None = Field(default=None, description="Last time that this was tried.")
    check_error: str | None = None
    restore_seconds: float | None = Field(default=None, examples=[48.8])
    copied_to: str | None = Field(default=None, examples=["s3://kept/tradewright/…"])
    copied_at: Instant | None = None


class BackupQuery(PageQuery):
    """Newest first."""

    status: BackupStatus | None = None
