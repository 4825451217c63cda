"""Settings of notifications: what addresses may be called, and how long one may take."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.options import TIME_OF_DAY, Options


class NotificationOptions(Options):
    """Notifications to e-mail, webhooks and messengers."""

    model_config = SettingsConfigDict(env_prefix="NOTIFICATIONS_")

    allow_private: bool = Field(
        default=False,
        description="Let channels reach this machine and private networks (a mail relay of your"
        " own); cloud metadata stays refused",
    )
    digest_time: str = Field(
        default="22:30",
        pattern=TIME_OF_DAY,
        description="When the daily digest is sent: hours and minutes in UTC",
    )
    timeout_seconds: float = Field(
        default=30.0, gt=0, le=60, description="One attempt to send; then it is ended and retried"
    )
