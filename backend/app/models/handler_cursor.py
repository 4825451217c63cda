"""How far each handler of the event bus has been handed each stream."""

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, TimestampMixin, check


class HandlerCursor(TimestampMixin, Base):
    """Events up to `seq` either did not concern the handler or have a row in handler_deliveries."""

    __tablename__ = "handler_cursors"
    __table_args__ = (
        check("seq", "seq >= 0"),
        {"info": {"owner": "repositories/handler_deliveries.py"}},
    )

    handler: Mapped[str] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(server_default=text("0"))
