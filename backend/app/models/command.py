"""Commands: the one way in to the engine."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import AccountId, Base, Id, Json, TimestampMixin, check, one_of


class Command(TimestampMixin, Base):
    """Something asked of the engine that holds the account, and what came of it."""

    __tablename__ = "commands"
    __table_args__ = (
        UniqueConstraint("account_id", "idempotency_key"),
        check("kind", "kind ~ '^[a-z_]+$'"),
        one_of("status", ("pending", "completed", "failed")),
        check("completed_at", "(status = 'pending') = (completed_at IS NULL)"),
        Index("ix_commands_pending", "account_id", "id", postgresql_where="status = 'pending'"),
        {"info": {"owner": "repositories/commands.py"}},
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId]
    kind: Mapped[str]
    payload: Mapped[Json]
    actor: Mapped[str]
    idempotency_key: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default=text("'pending'"))
    result: Mapped[dict[str, Any] | None]
    completed_at: Mapped[datetime | None]
