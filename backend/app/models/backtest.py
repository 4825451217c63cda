"""Backtests: what was asked, what came out, and one compressed artefact."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.domain.market import Timeframe
from app.models.backtest_trade import BacktestTrade
from app.models.base import Base, Id, Json, Texts, TimestampMixin, check, known_dataset, one_of

RUN_STATES = ("queued", "running", "finished", "failed", "canceled")


class Backtest(TimestampMixin, Base):
    """One run. `figures` holds what has no column of its own."""

    __tablename__ = "backtests"
    __table_args__ = (
        one_of("status", RUN_STATES),
        one_of("timeframe", Timeframe),
        one_of("limits", ("account", "none")),
        one_of("causality", ("unchecked", "causal", "looks_ahead")),
        known_dataset(),
        check("symbols", "cardinality(symbols) > 0"),
        check("range", '"end" > start'),
        check("starting_cash", "starting_cash > 0"),
        check("progress", "progress BETWEEN 0 AND 1"),
        Index(None, "strategy", "id"),
        Index(None, "sweep_id"),
        {"info": {"owner": "repositories/backtests.py"}},
    )

    id: Mapped[Id]
    strategy: Mapped[str]
    parameters: Mapped[Json]
    symbols: Mapped[Texts]
    timeframe: Mapped[str]
    dataset: Mapped[str]
    start: Mapped[datetime | None]
    end: Mapped[datetime | None]
    starting_cash: Mapped[Decimal]
    limits: Mapped[str] = mapped_column(server_default="account")
    status: Mapped[str] = mapped_column(server_default="queued")
    progress: Mapped[float] = mapped_column(server_default=text("0"))
    error: Mapped[str | None]
    bars: Mapped[int | None]
    seconds: Mapped[float | None]
    final_equity: Mapped[Decimal | None]
    total_return: Mapped[float | None]
    sharpe: Mapped[float | None]
    max_drawdown: Mapped[float | None]
    figures: Mapped[Json]
    causality: Mapped[str] = mapped_column(server_default="unchecked")
    data_fingerprint: Mapped[str | None]
    journal_hash: Mapped[str | None]
    artefact: Mapped[bytes | None] = mapped_column(deferred=True)
    "Equity curve and events, compressed."
    sweep_id: Mapped[int | None] = mapped_column(ForeignKey("sweeps.id", ondelete="CASCADE"))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    trades: Mapped[list[BacktestTrade]] = relationship(
        lazy="raise", order_by=BacktestTrade.number, passive_deletes=True
    )
