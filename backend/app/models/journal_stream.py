"""Heads of the journal's streams."""

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, TimestampMixin, check


class JournalStream(TimestampMixin, Base):
    """Head of one stream: last seq, last hash, and the epoch of the engine that may append."""

    __tablename__ = "journal_streams"
    __table_args__ = (
        check("stream", "stream ~ '^(account:[1-9][0-9]*|system|audit)$'"),
        check("head", "seq >= 0 AND epoch >= 0 AND octet_length(hash) = 32"),
        check("unfolded", "unfolded BETWEEN 0 AND seq"),
        {"info": {"owner": "repositories/journal.py"}},
    )

    stream: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(server_default=text("0"))
    hash: Mapped[bytes] = mapped_column(server_default=text(r"'\x" + "00" * 32 + "'::bytea"))
    "Hash of the last event; 32 zero bytes before the first."
    epoch: Mapped[int] = mapped_column(server_default=text("0"))
    unfolded: Mapped[int] = mapped_column(server_default=text("0"))
    "How many of the newest events the state tables do not show yet: an intent is committed first."
