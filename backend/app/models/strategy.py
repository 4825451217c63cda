"""Strategies of the catalogue, as the database knows them."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Json, TimestampMixin, check


class Strategy(TimestampMixin, Base):
    """One strategy of the catalogue; filled at start. `parameters` are the defaults."""

    __tablename__ = "strategies"
    __table_args__ = (
        check("name", "name ~ '^[a-z][a-z0-9_]*$'"),
        {"info": {"owner": "repositories/strategies.py"}},
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(server_default="")
    parameters: Mapped[Json]
    parameters_schema: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    source: Mapped[str | None]
    "Module that the strategy comes from."
    active: Mapped[bool] = mapped_column(server_default=text("true"))
