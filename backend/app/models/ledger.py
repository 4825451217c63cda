"""Cash of each ledger of an account."""

from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import (
    AccountId,
    Base,
    LedgerDeployment,
    TimestampMixin,
    known_ledger,
)


class Ledger(TimestampMixin, Base):
    """One ledger's cash flow since its start; the ledgers add up to the account."""

    __tablename__ = "ledgers"
    __table_args__ = (known_ledger(), {"info": {"owner": "repositories/folds/portfolio.py"}})

    account_id: Mapped[AccountId] = mapped_column(primary_key=True)
    ledger: Mapped[str] = mapped_column(primary_key=True)
    deployment_id: Mapped[LedgerDeployment]
    cash: Mapped[Decimal] = mapped_column(server_default=text("0"))
    realized_pnl: Mapped[Decimal] = mapped_column(server_default=text("0"))
    commission: Mapped[Decimal] = mapped_column(server_default=text("0"))
