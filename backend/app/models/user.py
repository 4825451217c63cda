"""People who may sign in."""

from datetime import datetime

from sqlalchemy import func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, TimestampMixin, check, one_of

ROLES = ("viewer", "trader", "admin")


class User(TimestampMixin, Base):
    """One person. The password is kept as an argon2id hash only."""

    __tablename__ = "users"
    __table_args__ = (
        one_of("role", ROLES),
        check("email", "email <> '' AND email = lower(email)"),
        check("password_hash", "starts_with(password_hash, '$argon2id$')"),
        {"info": {"owner": "repositories/users.py"}},
    )

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(server_default="")
    role: Mapped[str] = mapped_column(server_default="viewer")
    password_hash: Mapped[str]
    password_changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    totp_secret: Mapped[bytes | None]
    "Encrypted; None: no second factor."
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    failed_sign_ins: Mapped[int] = mapped_column(server_default=text("0"))
    locked_until: Mapped[datetime | None]
    last_sign_in_at: Mapped[datetime | None]
