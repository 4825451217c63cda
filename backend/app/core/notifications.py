"""Settings of notifications: what addresses may be called, and how long one may take."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.options import Options


class NotificationOptions(Options):
    """Notifications to e-mail, webhooks and messengers."""

    model_config = SettingsConfigDict(env_prefix="NOTIFICATIONS_")

    allow_private: bool = Field(
        default=False,
        description="Let channels reach this machine and private networks (a mail relay of your"
        " own); cloud metadata stays refused",
    )
    timeout_seconds: float = Field(
        default=30.0, gt=0, le=60, description="One attempt to send; then it is ended and retried"
    )
