"""One-time tokens that allow a sign-up: the first run's, and invitations."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, TimestampMixin, check, one_of
from app.models.user import ROLES


class SignUpToken(TimestampMixin, Base):
    """Good for one sign-up with `role`; kept as a SHA-256 hash."""

    __tablename__ = "sign_up_tokens"
    __table_args__ = (
        one_of("role", ROLES),
        check("token_hash", "octet_length(token_hash) = 32"),
        check("used", "(used_at IS NULL) = (used_by IS NULL)"),
        {"info": {"owner": "repositories/users.py"}},
    )

    id: Mapped[Id]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    role: Mapped[str] = mapped_column(server_default="admin")
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    used_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
