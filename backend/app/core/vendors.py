"""Options of vendors whose adapters are still to come; each moves into its adapter's file."""

from typing import Final, Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.core.options import Options

QUIVER_KEYS = {"where": "https://api.quiverquant.com"}
IBKR_ACCOUNT = {"where": "https://www.interactivebrokers.com (see the README's IBKR set-up steps)"}


class IbkrOptions(Options):
    """Interactive Brokers through its Gateway or TWS."""

    model_config = SettingsConfigDict(env_prefix="IBKR_")

    username: str | None = Field(
        default=None, description="Login of the Gateway", json_schema_extra={**IBKR_ACCOUNT}
    )
    password: SecretStr | None = Field(
        default=None, description="Password of the Gateway", json_schema_extra={**IBKR_ACCOUNT}
    )
    client: Literal["ib_async", "ib_insync"] = Field(
        default="ib_async", description="Client library: ib_async, or ib_insync (extra `ib_insync`)"
    )
    host: str = Field(default="127.0.0.1", description="Where the Gateway runs")
    port: int = Field(
        default=4002, ge=1, le=65535, description="4002 Gateway paper, 4001 live; TWS 7497"
    )
    client_id: int = Field(default=1, ge=0, description="API client id; one a connection")


class QuiverOptions(Options):
    """Quiver Quantitative: trades that members of Congress disclosed."""

    model_config = SettingsConfigDict(env_prefix="QUIVER_")

    api_key: SecretStr | None = Field(
        default=None, description="Quiver token", json_schema_extra={**QUIVER_KEYS}
    )
    base_url: str = Field(default="https://api.quiverquant.com", description="Address of the API")


VENDORS: Final[tuple[type[Options], ...]] = (
    IbkrOptions,
    QuiverOptions,
)
"Every vendor with options here; `tradewright config check` reports on each."
