"""Every change of a setting."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id


class ConfigChange(Base):
    """One change of one key: from what, to what, by whom."""

    __tablename__ = "config_history"
    __table_args__ = (
        Index(None, "scope", "key", "id"),
        {"info": {"owner": "repositories/config.py"}},
    )

    id: Mapped[Id]
    scope: Mapped[str] = mapped_column(server_default="all")
    key: Mapped[str]
    before: Mapped[Any | None] = mapped_column(JSONB())
    after: Mapped[Any] = mapped_column(JSONB(), nullable=False)
    actor: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    at: Mapped[datetime] = mapped_column(server_default=func.now())
