"""Settings of the worker: how much it does at once, and when a silent one is taken over."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.options import Options


class WorkerOptions(Options):
    """The worker, the process of jobs, schedules and handlers of events; any number may run."""

    model_config = SettingsConfigDict(env_prefix="WORKER_")

    enabled: bool = Field(default=True, description="Whether `tradewright up` runs one")
    jobs_at_once: int = Field(
        default=2, ge=2, le=64, description="Jobs that one worker runs side by side"
    )
    silence_seconds: float = Field(
        default=20.0,
        ge=0.5,
        le=3_600,
        description="A job whose worker says nothing for so long is begun anew by another",
    )
