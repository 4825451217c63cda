"""Options of vendors whose adapters are still to come; each moves into its adapter's file."""

from typing import Final

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.core.options import Options

QUIVER_KEYS = {"where": "https://api.quiverquant.com"}


class QuiverOptions(Options):
    """Quiver Quantitative: trades that members of Congress disclosed."""

    model_config = SettingsConfigDict(env_prefix="QUIVER_")

    api_key: SecretStr | None = Field(
        default=None, description="Quiver token", json_schema_extra={**QUIVER_KEYS}
    )
    base_url: str = Field(default="https://api.quiverquant.com", description="Address of the API")


VENDORS: Final[tuple[type[Options], ...]] = (QuiverOptions,)
"Every vendor with options here; `tradewright config check` reports on each."
