"""What a person reads about one deployment."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.events import Severity
from app.models.base import AccountId, Base, Id, Json, Recorded, one_of


class StrategyEvent(Base):
    """One line: started, warmed up, skipped a stale signal, failed with its traceback."""

    __tablename__ = "strategy_events"
    __table_args__ = (
        UniqueConstraint("account_id", "seq"),
        one_of("severity", Severity),
        Index(None, "deployment_id", "at"),
        Index(None, "event_type", "at"),
        {"info": {"owner": "repositories/folds/deployments.py"}},
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId]
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"))
    seq: Mapped[int | None]
    "Journaled event that it is the fold of."
    event_type: Mapped[str]
    severity: Mapped[str] = mapped_column(server_default="info")
    message: Mapped[str] = mapped_column(server_default="")
    metadata_: Mapped[Json] = mapped_column("metadata", JSONB(), server_default="{}")
    at: Mapped[datetime]
    recorded_at: Mapped[Recorded]
