"""Splits, dividends and what else happens to a stock."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Json, TimestampMixin, check, known_dataset, one_of

ACTION_KINDS = ("split", "dividend", "symbol_change", "spin_off", "merger", "delisting")


class CorporateAction(TimestampMixin, Base):
    """One action, effective before the first slice of session `ex_date`."""

    __tablename__ = "corporate_actions"
    __table_args__ = (
        UniqueConstraint("dataset", "stock_id", "kind", "ex_date", "source"),
        known_dataset(),
        one_of("kind", ACTION_KINDS),
        check("ratio", "ratio > 0 AND (kind <> 'split' OR ratio IS NOT NULL)"),
        check("amount", "amount > 0 AND (kind <> 'dividend' OR amount IS NOT NULL)"),
        check("new_symbol", "kind <> 'symbol_change' OR new_symbol IS NOT NULL"),
        Index(None, "ex_date"),
        {"info": {"owner": "repositories/corporate_actions.py"}},
    )

    id: Mapped[Id]
    dataset: Mapped[str]
    stock_id: Mapped[int] = mapped_column(ForeignKey("stocks.id"))
    kind: Mapped[str]
    ex_date: Mapped[date]
    pay_date: Mapped[date | None]
    ratio: Mapped[Decimal | None]
    "New shares for one old."
    amount: Mapped[Decimal | None]
    "Cash a share."
    currency: Mapped[str] = mapped_column(server_default="USD")
    new_symbol: Mapped[str | None]
    known_at: Mapped[datetime]
    "When the public could know it."
    source: Mapped[str]
    details: Mapped[Json]
