"""Settings of retention: how long what grows by itself is kept."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.options import Options


class RetentionOptions(Options):
    """Days that what grows by itself is kept: market data of live and simulated feeds, and what
    operating leaves behind; 0 keeps it for ever.

    Imported and replayed data sets, bars, and everything that belongs to accounts are never
    forgotten.
    """

    model_config = SettingsConfigDict(env_prefix="RETENTION_")

    ticks_days: int = Field(default=90, ge=0, le=36_500, description="Prints")
    quotes_days: int = Field(default=30, ge=0, le=36_500, description="Best bids and asks")
    options_days: int = Field(
        default=365, ge=0, le=36_500, description="Option quotes with their greeks"
    )
    indicators_days: int = Field(
        default=365, ge=0, le=36_500, description="Indicator values of deployments"
    )
    metrics_days: int = Field(
        default=3, ge=0, le=36_500, description="Measurements as they were taken"
    )
    metrics_5m_days: int = Field(
        default=60, ge=0, le=36_500, description="Measurements summed up over five minutes"
    )
    metrics_1h_days: int = Field(
        default=1100, ge=0, le=36_500, description="Measurements summed up over an hour"
    )
    errors_days: int = Field(
        default=90, ge=0, le=36_500, description="Kinds of errors since the newest one"
    )
    quarantine_days: int = Field(default=90, ge=0, le=36_500, description="Refused records")
    alerts_days: int = Field(
        default=365,
        ge=0,
        le=36_500,
        description="Alerts since their end, with what was sent of them",
    )
    availability_days: int = Field(
        default=1100, ge=0, le=36_500, description="When the platform was up, down or stopped"
    )
    job_runs_days: int = Field(
        default=90, ge=0, le=36_500, description="Runs of jobs since their end"
    )
