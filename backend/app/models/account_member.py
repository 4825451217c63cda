"""Who may see or trade an account."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, TimestampMixin, one_of
from app.models.user import ROLES


class AccountMember(TimestampMixin, Base):
    """A user's role on one account."""

    __tablename__ = "account_members"
    __table_args__ = (
        one_of("role", ROLES),
        Index(None, "user_id"),
        {"info": {"owner": "repositories/accounts.py"}},
    )

    account_id: Mapped[int] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    role: Mapped[str] = mapped_column(server_default="viewer")
