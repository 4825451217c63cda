"""Everything that can be traded, and the grid its prices and quantities live on."""

from decimal import Decimal

from sqlalchemy import UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.instruments import InstrumentKind
from app.models.base import Base, Id, TimestampMixin, check, one_of


class Instrument(TimestampMixin, Base):
    """One tradable thing; `stocks` and `option_contracts` extend it under the same id."""

    __tablename__ = "instruments"
    __table_args__ = (
        UniqueConstraint("id", "symbol"),
        one_of("kind", InstrumentKind),
        check("symbol", "symbol = upper(btrim(symbol)) AND length(symbol) BETWEEN 1 AND 32"),
        check("grid", "tick > 0 AND lot > 0 AND multiplier > 0"),
        check("currency", "currency ~ '^[A-Z]{3}$'"),
        {"info": {"owner": "repositories/instruments.py"}},
    )

    id: Mapped[Id]
    symbol: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str] = mapped_column(server_default="stock")
    tick: Mapped[Decimal] = mapped_column(server_default=text("0.01"))
    lot: Mapped[Decimal] = mapped_column(server_default=text("1"))
    multiplier: Mapped[Decimal] = mapped_column(server_default=text("1"))
    currency: Mapped[str] = mapped_column(server_default="USD")
    fractionable: Mapped[bool] = mapped_column(server_default=text("false"))
    shortable: Mapped[bool] = mapped_column(server_default=text("true"))
