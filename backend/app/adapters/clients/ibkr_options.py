"""Settings of Interactive Brokers: where the Gateway is, and what the account may have."""

from datetime import time
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.core.options import Options

Library = Literal["ib_async", "ib_insync"]


class IbkrOptions(Options):
    """Interactive Brokers through its Gateway or TWS."""

    model_config = SettingsConfigDict(env_prefix="IBKR_")

    username: str | None = Field(
        default=None,
        description="Login for a Gateway in a container; who starts the Gateway signs in there",
    )
    password: SecretStr | None = Field(default=None, description="Password of that login")
    client: Library = Field(
        default="ib_async", description="Client library: ib_async, or ib_insync (extra `ib_insync`)"
    )
    host: str = Field(default="127.0.0.1", description="Where the Gateway runs")
    port: int = Field(
        default=4002,
        ge=1,
        le=65535,
        description="Gateway 4002 paper, 4001 live; TWS 7497 paper, 7496 live",
    )
    client_id: int = Field(
        default=1,
        ge=0,
        description="API client id that orders go by; who only reads takes one of the next 16",
    )
    market_data: Literal["live", "delayed"] = Field(
        default="live",
        description="live (needs subscriptions) or delayed (15 to 20 minutes late, free)",
    )
    tick_streams: int = Field(
        default=3,
        ge=0,
        description="Symbols followed tick by tick: 3 with 100 market data lines; the others are"
        " followed by snapshots every 250 ms",
    )
    restart_at: time = Field(
        default=time(23, 45),
        description="The Gateway's daily auto restart (Lock and Exit), in New York time",
    )
