"""People who may sign in."""

from datetime import datetime

from sqlalchemy import LargeBinary, func, text
from sqlalchemy.dialects.postgresql import ARRAY
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
        check("totp_key_id", "(totp_secret IS NULL) = (totp_key_id IS NULL)"),
        check("totp_confirmed_at", "totp_confirmed_at IS NULL OR totp_secret IS NOT NULL"),
        {"info": {"owner": "repositories/users.py"}},
    )

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(server_default="")
    role: Mapped[str] = mapped_column(server_default="viewer")
    password_hash: Mapped[str]
    password_changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    totp_secret: Mapped[bytes | None]
    "Sealed by the vault; None: no second factor, not even one that waits to be confirmed."
    totp_key_id: Mapped[str | None]
    "The vault's key that sealed it."
    totp_confirmed_at: Mapped[datetime | None]
    "From then on a sign-in needs a code; None: the secret was made, but no code was seen yet."
    totp_last_step: Mapped[int | None]
    "The 30 s step of the last code that was accepted: none is accepted twice."
    recovery_hashes: Mapped[list[bytes]] = mapped_column(ARRAY(LargeBinary), server_default="{}")
    "SHA-256 of codes that stand in for a lost second factor; a code has 120 bits of its own."
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    failed_sign_ins: Mapped[int] = mapped_column(server_default=text("0"))
    locked_until: Mapped[datetime | None]
    last_sign_in_at: Mapped[datetime | None]
