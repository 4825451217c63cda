"""Twelve Data's account: its settings, its REST address, and what its errors mean."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.adapters.clients.budget import Rate, shared_budget
from app.adapters.clients.http import Reply, Vendor, VendorHttp
from app.core.errors import NotFound
from app.core.options import Options

KEYS: Final = {"where": "https://twelvedata.com/account/api-keys (the free plan is enough)"}
_MINUTE_SECONDS: Final = 60.0
_DAY_SECONDS: Final = 86_400.0
_UNKNOWN: Final = ("**symbol**", "symbol not found", "symbol` not found")
NOTHING: Final = "no data is available"
"What a 400 says that only means: nothing traded then."


class TwelveDataOptions(Options):
    """Twelve Data: bars by REST, prices by WebSocket; the free plan allows 8 credits a minute."""

    model_config = SettingsConfigDict(env_prefix="TWELVE_DATA_")

    api_key: SecretStr | None = Field(
        default=None, description="Twelve Data key", json_schema_extra={**KEYS}
    )
    base_url: str = Field(
        default="https://api.twelvedata.com", description="Address of the REST API"
    )
    socket_url: str = Field(
        default="wss://ws.twelvedata.com/v1/quotes/price", description="Address of the WebSocket"
    )
    live: Literal["socket", "poll"] = Field(
        default="socket",
        description="How live prices come: by WebSocket (Pro plan; some symbols on trial), or as"
        " minute bars that are asked for again and again, one credit each",
    )
    credits_per_minute: int = Field(
        default=8, ge=1, description="Credits a minute that the plan allows"
    )
    credits_per_day: int = Field(
        default=800, ge=0, description="Credits a day that the plan allows; 0 for no limit"
    )


class Failure(msgspec.Struct, frozen=True):
    """An error in an answer's body; `status` is `ok` in all others."""

    status: str = "ok"
    code: int = 0
    message: str = ""


class TwelveDataHttp(VendorHttp):
    """Knows that an answer with status 200 may be an error, and what its words mean."""

    def __init__(self, options: TwelveDataOptions) -> None:
        vendor = Vendor(name="twelve_data", options=options)
        rates = [Rate(options.credits_per_minute, _MINUTE_SECONDS)]
        if options.credits_per_day:
            rates.append(Rate(options.credits_per_day, _DAY_SECONDS))
        super().__init__(
            vendor,
            options.base_url,
            headers={"Authorization": f"apikey {revealed(options.api_key)}"},
            budget=shared_budget(vendor.name, vendor.account(), *rates),
            check=self._check,
        )

    def _check(self, reply: Reply) -> None:
        try:
            said = reply.decoded(Failure)
        except msgspec.ValidationError:
            return  # a list, or fields of other kinds: no error looks like that
        if said.status == "error":
            if said.code == 429:
                self.budget.learn(429, reply.headers)
            raise self.failure(said.code or 500, said.message)

    def failure(self, status: int, said: str) -> Exception:
        sentence = said.lower()
        if status in (400, 404) and any(word in sentence for word in _UNKNOWN):
            return NotFound(f"twelve_data knows no such symbol: {said}", api_name="twelve_data")
        if "plan" in sentence and "upgrad" in sentence:
            return self.vendor.refusal(f"twelve_data answered {status}: {said}", status)
        return super().failure(status, said)


def revealed(secret: SecretStr | None) -> str:
    """The key itself; empty for none."""
    return secret.get_secret_value() if secret else ""


def failure_in(http: TwelveDataHttp, event: Mapping[str, object]) -> Exception:
    """The error that a message of the WebSocket means."""
    code = event.get("code")
    said = str(event.get("message") or event)
    return http.failure(code if isinstance(code, int) else 500, said)


def said_nothing(error: Exception) -> bool:
    """Whether an error only means that there are no bars in the span asked for."""
    return NOTHING in str(error).lower()
