"""Where alerts are sent to: e-mail, webhooks, messengers."""

from datetime import time

from sqlalchemy import Time, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.events import Severity
from app.models.base import Base, Id, Texts, TimestampMixin, check, one_of


class NotificationChannel(TimestampMixin, Base):
    """One way to reach people. Its address holds passwords and tokens, so it is sealed."""

    __tablename__ = "notification_channels"
    __table_args__ = (
        one_of("min_severity", Severity),
        check("name", "name ~ '^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$'"),
        check(
            "categories",
            "categories <@ ARRAY['system', 'trading', 'performance', 'security']::text[]",
        ),
        check("quiet_hours", "num_nulls(quiet_from, quiet_to) IN (0, 2)"),
        check("level", "level BETWEEN 0 AND 9"),
        {"info": {"owner": "repositories/notification_channels.py"}},
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    service: Mapped[str]
    "What it is, e.g. `E-Mail`: shown to people."
    hint: Mapped[str]
    "The address with every secret left out: shown to people."
    key_id: Mapped[str]
    ciphertext: Mapped[bytes]
    "The whole address, sealed by `core.vault`."
    min_severity: Mapped[str] = mapped_column(server_default=text("'warning'"))
    categories: Mapped[Texts]
    "Empty: all of them."
    quiet_from: Mapped[time | None] = mapped_column(Time())
    quiet_to: Mapped[time | None] = mapped_column(Time())
    "Between the two, which may span midnight, only what is critical passes."
    time_zone: Mapped[str] = mapped_column(server_default=text("'UTC'"))
    "Of the quiet hours, e.g. `Europe/Berlin`."
    level: Mapped[int] = mapped_column(server_default=text("0"))
    "0 hears at once, 1 when a critical alert stays unacknowledged, 2 when it still does, …"
    tells_resolved: Mapped[bool] = mapped_column(server_default=text("true"))
    wants_digest: Mapped[bool] = mapped_column(server_default=text("true"))
    is_enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    created_by: Mapped[str]
