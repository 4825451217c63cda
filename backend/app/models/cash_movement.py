"""Cash that moves other than by a fill."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import (
    AccountId,
    Base,
    Id,
    LedgerDeployment,
    Recorded,
    check,
    known_ledger,
    one_of,
)

CASH_KINDS = ("deposit", "withdrawal", "dividend", "interest", "fee", "tax", "adjustment", "broker")


class CashMovement(Base):
    """One movement; `amount` is signed from the account's point of view."""

    __tablename__ = "cash_movements"
    __table_args__ = (
        UniqueConstraint("account_id", "seq"),
        known_ledger(),
        one_of("kind", CASH_KINDS),
        check("amount", "amount <> 0"),
        Index(None, "account_id", "at"),
        {"info": {"owner": "repositories/cash_movements.py"}},
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId]
    seq: Mapped[int | None]
    "Journaled event that it is the fold of."
    ledger: Mapped[str]
    deployment_id: Mapped[LedgerDeployment]
    kind: Mapped[str]
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(server_default="USD")
    reason: Mapped[str] = mapped_column(server_default="")
    at: Mapped[datetime]
    recorded_at: Mapped[Recorded]
