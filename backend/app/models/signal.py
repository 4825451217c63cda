"""Signals: what a strategy or a person wanted to hold, and what became of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.domain.signals import SignalType
from app.models.base import (
    AccountId,
    Base,
    Id,
    InstrumentId,
    Json,
    LedgerDeployment,
    Texts,
    TimestampMixin,
    check,
    known_ledger,
    one_of,
)
from app.models.instrument import Instrument


class Signal(TimestampMixin, Base):
    """A target, with its reasons. `outcome` is its first one and is never changed again."""

    __tablename__ = "signals"
    __table_args__ = (
        UniqueConstraint("account_id", "signal_id"),
        known_ledger(),
        one_of("signal_type", SignalType),
        one_of("outcome", ("order", "satisfied", "denied", "expired")),
        check("exposure", "exposure BETWEEN -1 AND 1"),
        Index(None, "account_id", "at"),
        Index(None, "deployment_id", "at"),
        Index(None, "instrument_id", "at"),
        {"info": {"owner": "repositories/folds/signals.py"}},
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId]
    signal_id: Mapped[str]
    ledger: Mapped[str]
    deployment_id: Mapped[LedgerDeployment]
    instrument_id: Mapped[InstrumentId]
    signal_type: Mapped[str]
    exposure: Mapped[float]
    quantity: Mapped[Decimal | None]
    "Signed; only when a person asked for an exact quantity."
    price: Mapped[float]
    at: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    stop_loss: Mapped[Decimal | None]
    stop_trail: Mapped[Decimal | None]
    take_profit: Mapped[Decimal | None]
    terms: Mapped[dict[str, Any] | None]
    reasons: Mapped[Texts]
    indicator_values: Mapped[Json]
    executed: Mapped[bool] = mapped_column(server_default=text("false"))
    "True once any of its orders was filled, even in part."
    outcome: Mapped[str | None]

    instrument: Mapped[Instrument] = relationship(lazy="raise")
