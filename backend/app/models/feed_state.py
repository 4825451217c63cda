"""What live feeds are doing: written by the process that reads them, for all others to see."""

from datetime import datetime

from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Json, TimestampMixin, check, one_of

STATES = ("standby", "connecting", "up", "down", "refused", "closed")


class FeedState(TimestampMixin, Base):
    """One provider in the chain of one live account; `place` 0 is the best."""

    __tablename__ = "feed_states"
    __table_args__ = (
        one_of("state", STATES),
        check("place", "place >= 0"),
        {"info": {"owner": "repositories/feed_states.py"}},
    )

    account_id: Mapped[int] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    provider: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int]
    state: Mapped[str]
    report: Mapped[Json]
    "What it serves, its last item, lag, queues, reconnections, and what is wrong."
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    "When it was written: an old row means that nobody reads this feed."
