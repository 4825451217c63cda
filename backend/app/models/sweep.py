"""Sweeps: many parameter sets of one strategy, compared."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.market import Timeframe
from app.models.backtest import RUN_STATES
from app.models.base import Base, Id, Json, Texts, TimestampMixin, check, known_dataset, one_of


class Sweep(TimestampMixin, Base):
    """One sweep or walk-forward; its best rows are backtests of their own."""

    __tablename__ = "sweeps"
    __table_args__ = (
        one_of("status", RUN_STATES),
        one_of("timeframe", Timeframe),
        one_of("kind", ("grid", "random", "optuna", "walk_forward")),
        known_dataset(),
        check("progress", "progress BETWEEN 0 AND 1"),
        check("combinations", "combinations >= 0"),
        {"info": {"owner": "repositories/sweeps.py"}},
    )

    id: Mapped[Id]
    strategy: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default="grid")
    space: Mapped[Json]
    "Parameter name -> values or range."
    symbols: Mapped[Texts]
    timeframe: Mapped[str]
    dataset: Mapped[str]
    start: Mapped[datetime | None]
    end: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(server_default="queued")
    progress: Mapped[float] = mapped_column(server_default=text("0"))
    error: Mapped[str | None]
    combinations: Mapped[int] = mapped_column(server_default=text("0"))
    seconds: Mapped[float | None]
    best: Mapped[list[Any]] = mapped_column(server_default="[]")
    overfitting: Mapped[Json]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
