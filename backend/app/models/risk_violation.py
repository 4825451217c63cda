"""Denials: orders that our own risk engine refused."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.orders import Side
from app.models.base import (
    AccountId,
    Base,
    Id,
    InstrumentId,
    LedgerDeployment,
    Recorded,
    check,
    known_ledger,
    one_of,
)


class RiskViolation(Base):
    """One denial: `code` says which limit, `value` against `limit_value` by how much."""

    __tablename__ = "risk_violations"
    __table_args__ = (
        UniqueConstraint("account_id", "seq"),
        known_ledger(),
        one_of("side", Side),
        check("quantity", "quantity >= 0"),
        Index(None, "account_id", "at"),
        Index(None, "deployment_id", "at"),
        Index(None, "account_id", "signal_id"),
        {"info": {"owner": "repositories/folds/orders.py"}},
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId]
    seq: Mapped[int | None]
    "Journaled denial that it is the fold of."
    ledger: Mapped[str]
    deployment_id: Mapped[LedgerDeployment]
    instrument_id: Mapped[InstrumentId]
    signal_id: Mapped[str]
    attempt: Mapped[int] = mapped_column(server_default=text("1"))
    side: Mapped[str]
    quantity: Mapped[Decimal]
    code: Mapped[str]
    detail: Mapped[str] = mapped_column(server_default="")
    value: Mapped[Decimal | None]
    limit_value: Mapped[Decimal | None]
    scope: Mapped[str | None]
    "As in `risk_checks`."
    at: Mapped[datetime]
    recorded_at: Mapped[Recorded]
