"""Trades that members of Congress disclosed."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Json, TimestampMixin, check, one_of

TRANSACTIONS = ("purchase", "sale", "partial_sale", "full_sale", "exchange")


class Disclosure(TimestampMixin, Base):
    """One version of one disclosed trade; an amendment is a new version, a deletion the last."""

    __tablename__ = "disclosures"
    __table_args__ = (
        UniqueConstraint("source", "external_id", "version"),
        one_of("transaction", TRANSACTIONS),
        one_of("chamber", ("house", "senate")),
        check("version", "version >= 1"),
        check("amounts", "amount_low >= 0 AND amount_high >= amount_low"),
        check("dates", "transaction_date <= report_date"),
        Index(None, "known_at"),
        Index(None, "stock_id", "known_at"),
        {"info": {"owner": "repositories/disclosures.py"}},
    )

    id: Mapped[Id]
    source: Mapped[str]
    external_id: Mapped[str]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    is_deleted: Mapped[bool] = mapped_column(server_default=text("false"))
    representative: Mapped[str]
    bioguide_id: Mapped[str | None]
    party: Mapped[str | None]
    chamber: Mapped[str | None]
    symbol: Mapped[str]
    stock_id: Mapped[int | None] = mapped_column(ForeignKey("stocks.id"))
    "None: a symbol that we do not know."
    transaction: Mapped[str]
    transaction_date: Mapped[date]
    report_date: Mapped[date]
    amount_low: Mapped[Decimal | None]
    amount_high: Mapped[Decimal | None]
    known_at: Mapped[datetime]
    "When the public could know it: what may be acted on."
    raw: Mapped[Json]
