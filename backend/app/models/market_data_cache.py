"""The newest of everything, for when Redis is away."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, InstrumentId, Json, TimestampMixin, known_dataset, one_of


class MarketDataCache(TimestampMixin, Base):
    """The last quote, bar or option chain of one instrument."""

    __tablename__ = "market_data_cache"
    __table_args__ = (
        known_dataset(),
        one_of("kind", ("quote", "bar", "option_chain")),
        {"info": {"owner": "repositories/market_data_cache.py"}},
    )

    dataset: Mapped[str] = mapped_column(primary_key=True)
    instrument_id: Mapped[InstrumentId] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    payload: Mapped[Json]
    at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
