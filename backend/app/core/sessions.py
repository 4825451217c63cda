"""Settings of being signed in: how long it lasts."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.options import Options


class SessionOptions(Options):
    """How long people stay signed in."""

    model_config = SettingsConfigDict(env_prefix="SESSION_")

    idle_minutes: int = Field(
        default=30,
        ge=5,
        le=480,
        description="A browser's session that was not used for so long is over",
    )
    hours: int = Field(
        default=12,
        ge=1,
        le=24,
        description="A browser's session is over after so long in any case; those that are open"
        " keep the end they were given",
    )
    refresh_days: int = Field(
        default=30,
        ge=1,
        le=90,
        description="How long a program may go on with its refresh token before its person signs"
        " in again",
    )
