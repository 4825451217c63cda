"""Executions: what actually happened at the broker, one row a fill."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
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


class Execution(Base):
    """One fill, unique by (broker, execution_id). `order_id` is None only for what happened at the
    broker without an engine: by hand, or by the guardian."""

    __tablename__ = "executions"
    __table_args__ = (
        UniqueConstraint("broker", "execution_id"),
        known_ledger(),
        one_of("side", Side),
        check("quantity", "quantity > 0 AND price >= 0"),
        check("busted", "(busted_at IS NULL) = (bust_reason IS NULL)"),
        check(
            "order",
            "order_id IS NOT NULL OR ledger = 'external' OR client_order_id LIKE '%-guardian%'",
        ),
        Index(None, "account_id", "id"),
        Index(None, "order_id"),
        Index(None, "deployment_id", "id"),
        Index(None, "instrument_id", "at"),
        {"info": {"owner": "repositories/folds/orders.py"}},
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId]
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"))
    broker: Mapped[str]
    execution_id: Mapped[str]
    client_order_id: Mapped[str]
    ledger: Mapped[str]
    deployment_id: Mapped[LedgerDeployment]
    instrument_id: Mapped[InstrumentId]
    side: Mapped[str]
    quantity: Mapped[Decimal]
    "Positive; `side` is the direction."
    price: Mapped[Decimal]
    commission: Mapped[Decimal] = mapped_column(server_default=text("0"))
    at: Mapped[datetime]
    corrects: Mapped[str | None]
    "Id of the execution in whose place this one stands."
    busted_at: Mapped[datetime | None]
    "When the broker took it back or corrected it: from then on it does not count."
    bust_reason: Mapped[str | None]
    recorded_at: Mapped[Recorded]
