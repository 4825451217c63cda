"""Keys of brokers and data providers, encrypted."""

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, TimestampMixin


class Credential(TimestampMixin, Base):
    """One secret under MultiFernet; `key_id` names the master key that encrypted it."""

    __tablename__ = "credentials"
    __table_args__ = (
        UniqueConstraint("provider", "name", "account_id", postgresql_nulls_not_distinct=True),
        {"info": {"owner": "repositories/credentials.py"}},
    )

    id: Mapped[Id]
    provider: Mapped[str]
    name: Mapped[str]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    key_id: Mapped[str]
    ciphertext: Mapped[bytes]
