"""Strategies put to work on accounts."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.domain.deployments import DeploymentState
from app.domain.market import Timeframe
from app.models.account import Account
from app.models.base import AccountId, Base, Id, Json, Texts, TimestampMixin, check, one_of
from app.models.strategy import Strategy


class Deployment(TimestampMixin, Base):
    """Strategy, parameters, symbols, timeframe and capital on an account; its ledger is `d<id>`."""

    __tablename__ = "deployments"
    __table_args__ = (
        UniqueConstraint("account_id", "name"),
        one_of("state", DeploymentState),
        one_of("timeframe", Timeframe),
        one_of("kind", ("strategy", "agent")),
        check("symbols", "cardinality(symbols) > 0 OR kind = 'agent'"),
        check("capital", "capital > 0"),
        Index(None, "strategy_id"),
        {"info": {"owner": "repositories/deployments.py"}},
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId]
    strategy_id: Mapped[int] = mapped_column(ForeignKey("strategies.id"))
    name: Mapped[str | None]
    "What a person calls it; unique within the account."
    kind: Mapped[str] = mapped_column(server_default="strategy")
    parameters: Mapped[Json]
    symbols: Mapped[Texts]
    timeframe: Mapped[str]
    capital: Mapped[Decimal | None]
    "None: what the account's limits allow."
    state: Mapped[str] = mapped_column(server_default="created")
    reason: Mapped[str | None]
    "Why it was paused, stopped or failed."
    started_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    account: Mapped[Account] = relationship(lazy="raise")
    strategy: Mapped[Strategy] = relationship(lazy="raise")
