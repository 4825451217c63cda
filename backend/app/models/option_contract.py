"""Listed options."""

from datetime import date
from decimal import Decimal

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, TimestampMixin, check, one_of
from app.models.instrument import Instrument
from app.models.stock import Stock


class OptionContract(TimestampMixin, Base):
    """Extends `instruments` under the same id."""

    __tablename__ = "option_contracts"
    __table_args__ = (
        UniqueConstraint("underlying_id", "expiry", "strike", "option_type"),
        one_of("option_type", ("call", "put")),
        one_of("style", ("american", "european")),
        check("strike", "strike > 0"),
        {"info": {"owner": "repositories/option_contracts.py"}},
    )

    id: Mapped[int] = mapped_column(
        ForeignKey("instruments.id"), primary_key=True, autoincrement=False
    )
    underlying_id: Mapped[int] = mapped_column(ForeignKey("stocks.id"))
    expiry: Mapped[date]
    strike: Mapped[Decimal]
    option_type: Mapped[str]
    style: Mapped[str] = mapped_column(server_default="american")

    instrument: Mapped[Instrument] = relationship(lazy="raise")
    underlying: Mapped[Stock] = relationship(lazy="raise")
