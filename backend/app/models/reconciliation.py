"""Comparisons of our books with the broker's."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import AccountId, Base, Id, Recorded, Texts, check


class Reconciliation(Base):
    """One comparison; `differences` is what could not be explained."""

    __tablename__ = "reconciliations"
    __table_args__ = (
        UniqueConstraint("account_id", "seq"),
        check("counts", "open_orders >= 0 AND positions >= 0"),
        Index(None, "account_id", "at"),
        {"info": {"owner": "repositories/folds/deployments.py"}},
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId]
    seq: Mapped[int | None]
    open_orders: Mapped[int] = mapped_column(server_default=text("0"))
    positions: Mapped[int] = mapped_column(server_default=text("0"))
    differences: Mapped[Texts]
    at: Mapped[datetime]
    recorded_at: Mapped[Recorded]
