"""Standing targets: what each ledger is to hold of each instrument until told otherwise."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import (
    AccountId,
    Base,
    InstrumentId,
    LedgerDeployment,
    TimestampMixin,
    check,
    known_ledger,
)


class StandingTarget(TimestampMixin, Base):
    """The wish for one (ledger, instrument), with how often it was tried."""

    __tablename__ = "standing_targets"
    __table_args__ = (
        known_ledger(),
        check("attempt", "attempt >= 0"),
        {"info": {"owner": "repositories/folds/signals.py"}},
    )

    account_id: Mapped[AccountId] = mapped_column(primary_key=True)
    ledger: Mapped[str] = mapped_column(primary_key=True)
    instrument_id: Mapped[InstrumentId] = mapped_column(primary_key=True)
    deployment_id: Mapped[LedgerDeployment]
    signal_id: Mapped[str]
    exposure: Mapped[float]
    quantity: Mapped[Decimal]
    "Signed."
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    valid_until: Mapped[datetime | None]
    stop_loss: Mapped[Decimal | None]
    stop_trail: Mapped[Decimal | None]
    take_profit: Mapped[Decimal | None]
    terms: Mapped[dict[str, Any] | None]
    is_met: Mapped[bool] = mapped_column(server_default=text("false"))
