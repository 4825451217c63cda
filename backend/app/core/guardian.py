"""Settings of the guardian: when it acts, and how far it goes."""

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from app.core.options import Options


class GuardianOptions(Options):
    """The guardian, a second process that halts an account whose engine is not well."""

    model_config = SettingsConfigDict(env_prefix="GUARDIAN_")

    enabled: bool = Field(default=True, description="Whether `tradewright up` runs it")
    heartbeat_seconds: float = Field(
        default=30.0,
        ge=1,
        le=3_600,
        description="An engine with positions or open orders that says nothing for so long is"
        " halted; the guardian counts its own waking seconds, so a machine that slept is no alarm",
    )
    hang_seconds: float = Field(
        default=120.0,
        ge=1,
        le=86_400,
        description="Halted, too, when it is alive but one step, or its recovery, takes so long;"
        " not less than GUARDIAN_HEARTBEAT_SECONDS",
    )
    data_seconds: float = Field(
        default=600.0,
        ge=0,
        description="Halted when, market open, no bar was handled for so long beyond the length"
        " of one (live data only); 0: never",
    )
    max_loss: float = Field(
        default=0.10,
        ge=0,
        le=1,
        description="Halted when the session has lost this fraction of the equity that it began"
        " with; 0: never",
    )
    confirm_seconds: float = Field(
        default=2.0,
        ge=0.2,
        description="An engine that does not confirm a halt for so long has its orders cancelled"
        " by the guardian",
    )
    flatten: bool = Field(
        default=False,
        description="After the cancels also close, at the market, what this platform holds",
    )

    @model_validator(mode="after")
    def _patience_grows(self) -> "GuardianOptions":
        if self.hang_seconds < self.heartbeat_seconds:
            raise ValueError("hang_seconds must not be less than heartbeat_seconds")
        return self
