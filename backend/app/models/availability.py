"""Was it there when somebody wanted it: periods without a gap."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, check, one_of

STATES = ("up", "degraded", "down", "stopped")


class Availability(Base):
    """A time in which the state did not change; the newest row grows."""

    __tablename__ = "availability"
    __table_args__ = (
        one_of("state", STATES),
        check("until", "until >= since"),
        Index(None, "until"),
        {"info": {"owner": "repositories/availability.py"}},
    )

    id: Mapped[Id]
    state: Mapped[str]
    "`degraded` is there, with something wrong; `stopped` is down on purpose."
    reason: Mapped[str] = mapped_column(server_default=text("''"))
    since: Mapped[datetime]
    until: Mapped[datetime]
