"""Alpaca's account: its settings, and its two REST addresses with their allowances."""

from collections.abc import AsyncGenerator, Mapping
from typing import Final, Literal, Protocol, TypeVar

import msgspec
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.adapters.clients.budget import Rate, shared_budget
from app.adapters.clients.http import READ_SECONDS, Vendor, VendorHttp, message_of
from app.core.errors import BrokerRejected, FeedRefused, NotFound
from app.core.options import Options
from app.core.retry import API_RETRY_CONFIG, RetryConfig

KEYS: Final = {"where": "https://app.alpaca.markets (Paper account, API keys)"}
MINUTE_SECONDS: Final = 60.0
TRADING_CALLS: Final = 200
"Calls a minute of the trading address, for every plan."
ORDERS_RESERVE: Final = 20
"Calls of it that reads leave to orders."
_NO_SYMBOL: Final = "invalid symbol"
_DECLINES: Final = (400, 409, 422)
_ABOUT_THE_PLAN: Final = ("subscription", "agreement", "permit")


class AlpacaOptions(Options):
    """Alpaca: paper and live orders, and market data."""

    model_config = SettingsConfigDict(env_prefix="ALPACA_")

    api_key: SecretStr | None = Field(
        default=None, description="Alpaca key id", json_schema_extra={**KEYS}
    )
    secret_key: SecretStr | None = Field(
        default=None, description="Alpaca secret", json_schema_extra={**KEYS}
    )
    base_url: str = Field(
        default="https://paper-api.alpaca.markets",
        description="Trading address: that of paper, or https://api.alpaca.markets for real money",
    )
    data_url: str = Field(default="https://data.alpaca.markets", description="Market data address")
    stream_url: str = Field(
        default="wss://stream.data.alpaca.markets", description="Market data WebSocket"
    )
    feed: Literal["iex", "sip", "delayed_sip"] = Field(
        default="iex",
        description="Stock prices: iex (free, one exchange), delayed_sip (all exchanges, 15 minutes"
        " late) or sip (all exchanges, paid plan)",
    )
    option_feed: Literal["indicative", "opra"] = Field(
        default="indicative", description="Option prices: indicative (free) or opra (paid plan)"
    )
    requests_per_minute: int = Field(
        default=200, ge=1, description="Market data calls a minute that the plan allows"
    )

    def headers(self) -> dict[str, str]:
        """What signs every request."""
        return {
            "APCA-API-KEY-ID": revealed(self.api_key),
            "APCA-API-SECRET-KEY": revealed(self.secret_key),
        }


class Page(Protocol):
    """One page of an answer that may go on."""

    next_page_token: str | None


P = TypeVar("P", bound=Page)
Query = Mapping[str, str | int | None]


class AlpacaHttp(VendorHttp):
    """Knows two of Alpaca's answers better: a 403 about the plan, a 400 about the symbol."""

    def failure(self, status: int, said: str) -> Exception:
        if status == 400 and _NO_SYMBOL in said:
            return NotFound(f"alpaca answered {status}: {said}", api_name="alpaca")
        if status == 403 and any(word in said for word in _ABOUT_THE_PLAN):
            return plan_refusal(f"alpaca answered {status}: {said}", status)
        return super().failure(status, said)


class Problem(msgspec.Struct, frozen=True):
    """The body of a refusal by the trading address; `code` is Alpaca's own number."""

    code: int | None = None
    message: str = ""


class TradingHttp(AlpacaHttp):
    """The trading address: its refusals carry a number, which is in `context["number"]`.

    400, 403, 409 and 422 with a number are BrokerRejected: Alpaca's definite no. A 403 without one
    is about the key. A 404 is NotFound, with a number only where Alpaca itself missed something:
    a wrong address answers 404 too.
    """

    def refused(self, status: int, content: bytes) -> Exception:
        try:
            number = msgspec.json.decode(content, type=Problem).code
        except msgspec.DecodeError:
            number = None
        sentence = f"Alpaca: {message_of(content)}"
        if status == 404:
            return NotFound(sentence, api_name="alpaca", number=number)
        is_declined = status in _DECLINES or (status == 403 and number is not None)
        if is_declined and _NO_SYMBOL not in sentence:
            return BrokerRejected(sentence, api_name="alpaca", status_code=status, number=number)
        return super().refused(status, content)


class AlpacaSession:
    """The two REST addresses of one account. Data and broker that use one key share its budgets."""

    def __init__(
        self,
        options: AlpacaOptions | None = None,
        *,
        retry: RetryConfig = API_RETRY_CONFIG,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self.options = options or AlpacaOptions()
        self.vendor = Vendor(
            name="alpaca", options=self.options, key_fields=("api_key", "secret_key")
        )
        account, headers = self.vendor.account(), self.options.headers()
        calls = Rate(self.options.requests_per_minute, MINUTE_SECONDS)
        self.data = AlpacaHttp(
            self.vendor,
            self.options.data_url,
            headers=headers,
            budget=shared_budget("alpaca market data", account, calls),
            retry=retry,
            read_seconds=read_seconds,
        )
        orders = Rate(TRADING_CALLS, MINUTE_SECONDS)
        self.trading = TradingHttp(
            self.vendor,
            self.options.base_url,
            headers=headers,
            budget=shared_budget("alpaca trading", account, orders, reserve=ORDERS_RESERVE),
            retry=retry,
            read_seconds=read_seconds,
        )

    async def close(self) -> None:
        """Give back the connections."""
        await self.data.close()
        await self.trading.close()

    async def pages(self, path: str, kind: type[P], query: Query) -> AsyncGenerator[P]:
        """All pages of the data address, in order. Raises as `VendorHttp.get`."""
        self.vendor.require()
        token: str | None = None
        while True:
            page = await self.data.get(path, kind, {**query, "page_token": token})
            yield page
            if not (token := page.next_page_token):
                return


def plan_refusal(said: str, status: int | None = None) -> FeedRefused:
    """The key is good, but its plan does not include what was asked for."""
    return FeedRefused(
        said,
        api_name="alpaca",
        status_code=status,
        remedy="Set ALPACA_FEED (iex is free) or ALPACA_OPTION_FEED (indicative is free) to what"
        " your plan includes, or take another plan.",
        variables=["ALPACA_FEED", "ALPACA_OPTION_FEED"],
    )


def revealed(secret: SecretStr | None) -> str:
    """The secret itself, to be sent to the vendor only; empty where there is none."""
    return secret.get_secret_value() if secret else ""
