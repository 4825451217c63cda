"""Orders that belong together: brackets and one-cancels-other pairs."""

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import AccountId, Base, Id, TimestampMixin, one_of


class OrderGroup(TimestampMixin, Base):
    """One group, named by the engine; its orders carry (account_id, group_id)."""

    __tablename__ = "order_groups"
    __table_args__ = (
        UniqueConstraint("account_id", "group_id"),
        one_of("kind", ("oco", "bracket")),
        {"info": {"owner": "repositories/folds/orders.py"}},
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId]
    group_id: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default="oco")
