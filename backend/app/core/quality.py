"""Settings of data quality: targets that are watched, and how often gaps are asked about."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.options import Options


class QualityOptions(Options):
    """Data quality of live series: what is missed raises an alert."""

    model_config = SettingsConfigDict(env_prefix="QUALITY_")

    completeness: float = Field(
        default=0.999, ge=0, le=1, description="Least share of expected bars that are there"
    )
    freshness_seconds: float = Field(
        default=5.0,
        gt=0,
        le=3_600,
        description="Longest time from the end of a live bar to its arrival",
    )
    bad_rows: float = Field(
        default=0.001, ge=0, le=1, description="Largest share of received rows that are refused"
    )
    write_ms: float = Field(
        default=50.0,
        gt=0,
        le=60_000,
        description="Largest 95th percentile of the time to store live rows",
    )
    alert_after_seconds: float = Field(
        default=60.0,
        ge=0,
        le=86_400,
        description="A target that is missed for so long raises an alert",
    )
    check_minutes: float = Field(
        default=60.0, gt=0, description="How often series that changed are judged"
    )
    backfill_minutes: float = Field(
        default=60.0, gt=0, description="How often providers are asked about unexplained gaps"
    )
    backfill_gaps: int = Field(
        default=200, ge=0, description="Gaps asked about a round; 0 switches the repair off"
    )
    backfill_pause_seconds: float = Field(
        default=2.0, ge=0, description="Pause between two questions, for the feed's sake"
    )
