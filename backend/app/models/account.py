"""Accounts: where money is, at which broker, on which data."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.domain.deployments import AccountMode
from app.models.account_member import AccountMember
from app.models.base import Base, Id, Json, TimestampMixin, check, known_dataset, one_of


class Account(TimestampMixin, Base):
    """One account with one data set and one clock. A live account trades on live data only."""

    __tablename__ = "accounts"
    __table_args__ = (
        one_of("mode", AccountMode),
        known_dataset(),
        check("live_data", "mode = 'paper' OR dataset = 'live'"),
        check("currency", "currency ~ '^[A-Z]{3}$'"),
        check("starting_cash", "starting_cash >= 0"),
        {"info": {"owner": "repositories/accounts.py"}},
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    broker: Mapped[str] = mapped_column(server_default="paper")
    mode: Mapped[str] = mapped_column(server_default="paper")
    currency: Mapped[str] = mapped_column(server_default="USD")
    dataset: Mapped[str]
    starting_cash: Mapped[Decimal] = mapped_column(server_default=text("0"))
    cash: Mapped[Decimal] = mapped_column(server_default=text("0"))
    "Cash now: a fold of the account's stream."
    clock_at: Mapped[datetime | None]
    "Event time that the account has reached."
    reconciled_at: Mapped[datetime | None]
    settings: Mapped[Json]
    "Fill model and other options of the broker's adapter."
    active: Mapped[bool] = mapped_column(server_default=text("true"))

    members: Mapped[list[AccountMember]] = relationship(lazy="raise")
