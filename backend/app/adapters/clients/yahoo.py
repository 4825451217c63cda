"""Yahoo by the yfinance library: loaded when it is asked for, polite, and with our errors."""

import asyncio
import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from json import JSONDecodeError
from types import ModuleType
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.adapters.clients.budget import Rate, shared_budget
from app.core.environment import home
from app.core.errors import (
    ConfigurationError,
    NotFound,
    TradewrightError,
    TransientError,
)
from app.core.options import Options
from app.core.retry import API_RETRY_CONFIG, RetryConfig, retried

T = TypeVar("T")
Work = Callable[[Any], T]
"What is done with a `yfinance.Ticker`, in a thread."

NAME: Final = "yahoo"
HOME_URL: Final = "https://query2.finance.yahoo.com"
INSTALL: Final = ".venv/bin/python -m pip install -e '.[yfinance]'"
PAUSE_SECONDS: Final = 60.0
"After a 429: Yahoo does not say how long, and grows stricter with those who insist."


class YfinanceOptions(Options):
    """Yahoo Finance: daily and intraday bars without a key (extra `yfinance`)."""

    model_config = SettingsConfigDict(env_prefix="YFINANCE_")

    base_url: str = Field(
        default=HOME_URL, description="Address of the API; another one gets every request"
    )
    requests_per_minute: int = Field(
        default=60, ge=2, description="Calls a minute; Yahoo blocks addresses that ask too often"
    )
    timeout_seconds: float = Field(default=10.0, gt=0, description="Longest wait for an answer")


class Yahoo:
    """The library, a call at a time in a thread, within the allowance.

    It keeps cookie, crumb and session once a process, so all of ours share them.
    """

    def __init__(
        self, options: YfinanceOptions | None = None, *, retry: RetryConfig = API_RETRY_CONFIG
    ) -> None:
        """Raises ConfigurationError with the command when yfinance is not installed."""
        self.options = options or YfinanceOptions()
        self._retry = retry
        self._yfinance = library()
        self._session = _session(self.options)
        rate = Rate(self.options.requests_per_minute, 60.0)
        self.budget = shared_budget(NAME, self.options.base_url, rate)

    def close(self) -> None:
        """Give back the connections."""
        self._session.close()

    def ticker(self, symbol: str) -> Any:  # noqa: ANN401 - the library has no types
        """One of the library's own, by our symbol: classes of shares have a dash at Yahoo's."""
        return self._yfinance.Ticker(symbol.replace(".", "-"), session=self._session)

    async def ask(self, symbol: str, work: Work[T], *, cost: float = 2.0) -> T:
        """What `work` makes of the symbol's ticker, tried again while that may help.

        Raises NotFound for what Yahoo does not know, TransientError for the rest.
        """

        async def attempt() -> T:
            await self.budget.take(cost)
            try:
                return await asyncio.to_thread(self._work, symbol, work)
            except Exception as error:
                raise self._ours(symbol, error) from error

        return await retried(attempt, self._retry)

    def _work(self, symbol: str, work: Work[T]) -> T:
        ticker = self.ticker(symbol)
        # The library remembers answers by their address, failures among them.
        ticker._data.cache_get.cache_clear()
        return work(ticker)

    def _ours(self, symbol: str, error: Exception) -> Exception:
        wrong = self._yfinance.exceptions
        if isinstance(error, wrong.YFRateLimitError):
            self.budget.learn(429, {"retry-after": str(PAUSE_SECONDS), **self._session.refusal})
            return TransientError(
                "Yahoo answered 429: too many requests.",
                remedy="Ask for less, or less often (YFINANCE_REQUESTS_PER_MINUTE).",
                api_name=NAME,
                status_code=429,
            )
        if isinstance(error, TradewrightError):
            return error
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(error, wrong.YFTzMissingError) or status == 404:
            return NotFound(f"Yahoo knows no {symbol!r}.", symbol=symbol)
        known = (OSError, JSONDecodeError, wrong.YFException)
        if not isinstance(error, (*known, KeyError, TypeError, AttributeError, ValueError)):
            return error
        # Its parsers stumble in many ways over an answer that is no answer.
        said = f"{type(error).__name__}: {error}"[:300]
        return TransientError(f"Yahoo gave no usable answer ({said}).", api_name=NAME)


@cache
def library() -> ModuleType:
    """yfinance, set up once a process: it raises what goes wrong, and writes into our home.

    Raises ConfigurationError with the command that installs it.
    """
    if find_spec("yfinance") is None:
        raise ConfigurationError(
            "Prices from Yahoo need the library yfinance, which is not installed.",
            remedy=f"Install it: {INSTALL}",
        )
    # It asks Python to show its own deprecations to everybody: not to our users.
    with warnings.catch_warnings():
        # 55 MB and pandas, for those only who fetch from Yahoo
        import yfinance  # noqa: PLC0415

    yfinance.config.debug.hide_exceptions = False
    yfinance.set_tz_cache_location(str(home() / "cache" / "yfinance"))
    module: ModuleType = yfinance
    return module


def _session(options: YfinanceOptions) -> Any:  # noqa: ANN401 - a class made when the library is there
    from curl_cffi.requests import Session  # noqa: PLC0415 - comes with yfinance
    from curl_cffi.requests.exceptions import HTTPError  # noqa: PLC0415

    too_many = library().exceptions.YFRateLimitError

    class PoliteSession(Session):  # type: ignore[type-arg]  # generic only where it is checked
        """Sends every request to the address of the settings, and stops at the first 429."""

        refusal: dict[str, str] = {}  # noqa: RUF012 - replaced, never changed

        def request(self, method: Any, url: str, *args: Any, **more: Any) -> Any:  # noqa: ANN401
            answer = super().request(method, rehosted(url, options.base_url), *args, **more)
            if answer.status_code == 429:
                self.refusal = {name.lower(): str(value) for name, value in answer.headers.items()}
                raise too_many
            if answer.status_code >= 500:
                raise HTTPError(f"Yahoo answered {answer.status_code}")
            return answer

    return PoliteSession(impersonate="chrome")


def rehosted(url: str, base: str) -> str:
    """The same path at another address, where the settings name one; Yahoo has several hosts."""
    if base == HOME_URL:
        return url
    there, asked = urlsplit(base), urlsplit(url)
    return urlunsplit((there.scheme, there.netloc, asked.path or "/", asked.query, ""))
