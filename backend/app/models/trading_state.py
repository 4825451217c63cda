"""The latch: what each account, and all of them together, may send."""

from datetime import datetime

from sqlalchemy import func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.deployments import TradingState as State
from app.models.base import Base, TimestampMixin, check, one_of


class TradingState(TimestampMixin, Base):
    """State of one scope, `all` or `account:<id>`. Every change moves `epoch`; the account's wire
    gate answers with `heard_epoch` when it obeys, and with `confirmed_epoch` when nothing that
    passed it before can still be on its way."""

    __tablename__ = "trading_state"
    __table_args__ = (
        check("scope", "scope ~ '^(all|account:[1-9][0-9]*)$'"),
        one_of("state", State),
        check("epoch", "epoch >= 0 AND confirmed_epoch >= 0"),
        {"info": {"owner": "repositories/trading_state.py"}},
    )

    scope: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(server_default="active")
    epoch: Mapped[int] = mapped_column(server_default=text("0"))
    confirmed_epoch: Mapped[int] = mapped_column(server_default=text("0"))
    heard_epoch: Mapped[int] = mapped_column(server_default=text("0"))
    reason: Mapped[str] = mapped_column(server_default="")
    actor: Mapped[str] = mapped_column(server_default="system")
    latched_at: Mapped[datetime] = mapped_column(server_default=func.now())
