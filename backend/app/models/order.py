"""Orders: what we asked of a broker, and how far it got."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.domain.orders import OPEN, Leg, OrderStatus, OrderType, PendingChange, Side, TimeInForce
from app.models.base import (
    AccountId,
    Base,
    Id,
    InstrumentId,
    LedgerDeployment,
    Texts,
    TimestampMixin,
    check,
    known_ledger,
    one_of,
)
from app.models.execution import Execution
from app.models.instrument import Instrument

_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN))


class Order(TimestampMixin, Base):
    """One order. `signal_id` names a signal of the account; a flatten or an adopted order has none
    of ours, so it is not a foreign key: the journal must never fail on it."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("client_order_id"),
        ForeignKeyConstraint(
            ["account_id", "group_id"], ["order_groups.account_id", "order_groups.group_id"]
        ),
        known_ledger(),
        one_of("side", Side),
        one_of("leg", Leg),
        one_of("type", OrderType),
        one_of("time_in_force", TimeInForce),
        one_of("status", OrderStatus),
        one_of("pending", PendingChange),
        check("quantity", "quantity > 0 AND filled_quantity >= 0"),
        check("filled", "status <> 'filled' OR filled_quantity >= quantity"),
        check("average_price", "filled_quantity = 0 OR average_price IS NOT NULL"),
        check("limit_price", "(type IN ('limit', 'stop_limit')) = (limit_price IS NOT NULL)"),
        check(
            "stop_price",
            "type = 'trailing_stop' OR (type IN ('stop', 'stop_limit')) = (stop_price IS NOT NULL)",
        ),
        check("trail", "(type = 'trailing_stop') = (trail IS NOT NULL)"),
        check("prices", "limit_price > 0 AND stop_price > 0 AND trail > 0 AND average_price >= 0"),
        check("attempt", "attempt >= 1"),
        Index(None, "account_id", "id"),
        Index("ix_orders_open", "account_id", postgresql_where=text(f"status IN ({_OPEN})")),
        Index(None, "deployment_id", "id"),
        Index(None, "instrument_id", "at"),
        Index(None, "account_id", "signal_id"),
        Index(None, "broker_order_id", postgresql_where=text("broker_order_id IS NOT NULL")),
        {"info": {"owner": "repositories/folds/orders.py"}},
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId]
    client_order_id: Mapped[str]
    broker_order_id: Mapped[str | None]
    ledger: Mapped[str]
    deployment_id: Mapped[LedgerDeployment]
    signal_id: Mapped[str]
    instrument_id: Mapped[InstrumentId]
    group_id: Mapped[str | None]
    leg: Mapped[str]
    attempt: Mapped[int] = mapped_column(server_default=text("1"))
    side: Mapped[str]
    quantity: Mapped[Decimal]
    type: Mapped[str] = mapped_column(server_default="market")
    limit_price: Mapped[Decimal | None]
    stop_price: Mapped[Decimal | None]
    "Of a trailing stop: where it stood at first."
    trail: Mapped[Decimal | None]
    is_held: Mapped[bool] = mapped_column(server_default=text("false"))
    "Not at the broker, who cannot have it: we watch the price, and only while we run."
    time_in_force: Mapped[str] = mapped_column(server_default="day")
    expires_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(server_default="approved")
    pending: Mapped[str] = mapped_column(server_default="none")
    wanted: Mapped[dict[str, Any] | None]
    "Quantity and prices that the broker was asked to change it to, while it has not answered."
    filled_quantity: Mapped[Decimal] = mapped_column(server_default=text("0"))
    average_price: Mapped[Decimal | None]
    limited_by: Mapped[Texts]
    "Limits that cut the quantity."
    reason: Mapped[str | None]
    "Why it was rejected, canceled, expired or became unknown."
    at: Mapped[datetime]
    "When it was approved (event time)."
    submitted_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]

    instrument: Mapped[Instrument] = relationship(lazy="raise")
    executions: Mapped[list[Execution]] = relationship(lazy="raise", order_by=Execution.id)
