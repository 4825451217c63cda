"""Each risk rule's answer about each order that was asked for."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped

from app.models.base import AccountId, Base, Id, Recorded


class RiskCheck(Base):
    """One rule's value held against its limit: the order timeline shows it."""

    __tablename__ = "risk_checks"
    __table_args__ = (
        UniqueConstraint("account_id", "seq", "number"),
        Index(None, "account_id", "signal_id"),
        {"info": {"owner": "repositories/folds/orders.py"}},
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId]
    seq: Mapped[int]
    "Journaled approval or denial that it belongs to."
    number: Mapped[int]
    "Place in that event's list of checks, from 0."
    signal_id: Mapped[str]
    client_order_id: Mapped[str | None]
    "None: the order was denied."
    rule: Mapped[str]
    passed: Mapped[bool]
    value: Mapped[Decimal | None]
    limit_value: Mapped[Decimal | None]
    scope: Mapped[str | None]
    "Whose limit it is, where it is not the account's: `deployment:3`, `symbol:AAPL`."
    at: Mapped[datetime]
    recorded_at: Mapped[Recorded]
