"""Options of vendors whose adapters are still to come; each moves into its adapter's file."""

from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from app.core.config import NINE_SYMBOLS, split_list
from app.core.options import Options

DATABENTO_KEYS = {"where": "https://databento.com/portal/keys"}
QUIVER_KEYS = {"where": "https://api.quiverquant.com"}
IBKR_ACCOUNT = {"where": "https://www.interactivebrokers.com (see the README's IBKR set-up steps)"}


class DatabentoOptions(Options):
    """Databento: US equities and options, history and real time."""

    model_config = SettingsConfigDict(env_prefix="DATABENTO_")

    api_key: SecretStr | None = Field(
        default=None, description="Databento key", json_schema_extra={**DATABENTO_KEYS}
    )
    dataset: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("XNAS.ITCH", "OPRA.PILLAR"), description="Comma-separated Databento data sets"
    )
    symbols: Annotated[tuple[str, ...], NoDecode] = Field(
        default=NINE_SYMBOLS, description="Comma-separated symbols to follow"
    )
    base_url: str | None = Field(
        default=None, description="Another address of the history API, for tests"
    )
    gateway: str | None = Field(
        default=None, description="Another host[:port] of the live API, for tests"
    )

    _split = field_validator("dataset", "symbols", mode="before")(split_list)


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


class YfinanceOptions(Options):
    """Yahoo Finance: daily and intraday bars without a key."""

    model_config = SettingsConfigDict(env_prefix="YFINANCE_")

    base_url: str = Field(
        default="https://query2.finance.yahoo.com", description="Address of the API"
    )


VENDORS: Final[tuple[type[Options], ...]] = (
    DatabentoOptions,
    IbkrOptions,
    QuiverOptions,
    YfinanceOptions,
)
"Every vendor with options here; `tradewright config check` reports on each."
