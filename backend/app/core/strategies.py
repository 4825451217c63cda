"""Settings of the strategy host: where users' strategies run, and what they may use."""

from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.options import Options


class StrategyOptions(Options):
    """The strategy host, which runs your strategy files apart from the keys and the orders."""

    model_config = SettingsConfigDict(env_prefix="STRATEGY_")

    host: Literal["process", "in_process"] = Field(
        default="process",
        description="process: strategy files run in processes of their own, one a deployment;"
        " in_process: inside the trading process, which they can then stop and read",
    )
    silence_seconds: float = Field(
        default=5.0,
        ge=0.1,
        le=600,
        description="A strategy that takes longer to answer is killed, and its deployment paused",
    )
    start_seconds: float = Field(
        default=30.0, ge=1, le=600, description="How long a strategy file may take to be loaded"
    )
    memory_mb: int = Field(
        default=1024,
        ge=64,
        description="Memory that one deployment's strategy may take, in MiB; beyond that its"
        " request for more fails",
    )
