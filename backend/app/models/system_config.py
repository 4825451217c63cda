"""Settings that people change while the system runs: limits above all."""

from typing import Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, TimestampMixin, check


class SystemConfig(TimestampMixin, Base):
    """One value of one scope; of those that apply the tightest holds. Decimals are JSON strings."""

    __tablename__ = "system_config"
    __table_args__ = (
        check(
            "scope",
            "scope ~ '^(all|(account|deployment):[1-9][0-9]*|symbol:[A-Z0-9][A-Z0-9 ./^=_-]*)$'",
        ),
        check("key", "key ~ '^[a-z][a-z0-9_.]*$'"),
        {"info": {"owner": "repositories/config.py"}},
    )

    scope: Mapped[str] = mapped_column(primary_key=True, server_default="all")
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(JSONB(), nullable=False)
    "JSON null switches a limit off."
    description: Mapped[str] = mapped_column(server_default="")
    updated_by: Mapped[str] = mapped_column(server_default="system")
