"""Databento's settings and its history API: asked by the library, priced first, in our errors."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, TypeVar

import numpy as np
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from app.adapters.clients.budget import Budget, Rate, shared_budget
from app.adapters.clients.http import Vendor
from app.core.clock import Clock
from app.core.config import NINE_SYMBOLS, split_list
from app.core.errors import APIError, FeedRefused, InvalidInput, NotFound, TransientError
from app.core.options import Options
from app.core.retry import API_RETRY_CONFIG, RetryConfig, retried
from app.marketdata.batch import Rows
from app.marketdata.dbn import our_symbol
from app.marketdata.dbn_files import DbnData, damage

T = TypeVar("T")

KEYS: Final = {"where": "https://databento.com/portal/keys"}
HISTORY_URL: Final = "https://hist.databento.com"
NAME: Final = "databento"
OPTIONS_PREFIX: Final = "OPRA."
"Data sets of options; every other is of stocks here."

PAGE_RECORDS: Final = 500_000
"Records a request: 24 to 40 MB, well within the library's limit of 100 s an answer."
_RANGE_SECONDS: Final = 60.0
"How long the span of a data set is believed."
_TIMEOUT_SECONDS: Final = 30
_REFUSALS: Final = (401, 402, 403)
_TRANSIENT: Final = (408, 425, 429)


class DatabentoOptions(Options):
    """Databento: US equities and options, history and real time."""

    model_config = SettingsConfigDict(env_prefix="DATABENTO_")

    api_key: SecretStr | None = Field(
        default=None, description="Databento key", json_schema_extra={**KEYS}
    )
    dataset: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("XNAS.ITCH", "OPRA.PILLAR"), description="Comma-separated Databento data sets"
    )
    symbols: Annotated[tuple[str, ...], NoDecode] = Field(
        default=NINE_SYMBOLS, description="Comma-separated symbols to follow"
    )
    max_cost: float = Field(
        default=5.0,
        ge=0,
        description="Dollars that one request of history may cost; the price is asked first",
    )
    base_url: str | None = Field(
        default=None, description="Another address of the history API, for tests"
    )
    gateway: str | None = Field(
        default=None, description="Another host[:port] of the live API, for tests"
    )

    _split = field_validator("dataset", "symbols", mode="before")(split_list)

    def dataset_of(self, *, options: bool) -> str:
        """The data set that stocks, or options, are asked of: the first that is named.

        Raises FeedRefused when there is none.
        """
        for dataset in self.dataset:
            if dataset.startswith(OPTIONS_PREFIX) is options:
                return dataset
        what, example = ("options", "OPRA.PILLAR") if options else ("stocks", "XNAS.ITCH")
        raise FeedRefused(
            f"DATABENTO_DATASET names no data set of {what}.",
            api_name=NAME,
            remedy=f"Add one, for example {example}.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question to timeseries.get_range; times are ns UTC, by when records were received."""

    dataset: str
    schema: str
    symbols: tuple[str, ...]
    "As Databento writes them."
    start: int
    end: int
    stype_in: str = "raw_symbol"
    limit: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Some records, and the answer that they are from, which knows their symbols."""

    data: DbnData
    rows: Rows


class DatabentoHistory:
    """The history API of one account. Nothing is asked that would cost more than the limit."""

    def __init__(
        self, options: DatabentoOptions, clock: Clock, retry: RetryConfig = API_RETRY_CONFIG
    ) -> None:
        self.vendor = Vendor(name=NAME, options=options)
        self._options = options
        self._clock = clock
        self._retry = retry
        self._ranges: dict[str, tuple[float, int, int]] = {}
        account = self.vendor.account()
        self._series: Budget = shared_budget(f"{NAME} series", account, Rate(100, 1))
        self._facts: Budget = shared_budget(f"{NAME} metadata", account, Rate(20, 1))

    async def read(self, query: Query, read: Callable[[DbnData], T]) -> T | None:
        """What `read` makes of the answer, in a thread; None where the data set has no such time.

        Raises NotFound for symbols that nobody knows, FeedRefused for a key, a plan or a price
        that does not allow it, TransientError once retries failed.
        """
        clipped = await self._clipped(query)
        if clipped is None:
            return None
        await self._afford(clipped)
        return await self._ask(clipped, read)

    async def pages(
        self, query: Query, read: Callable[[DbnData], Rows], size: int = PAGE_RECORDS
    ) -> AsyncGenerator[Page]:
        """The records that `read` takes from the answer, in pages of about `size` of them.

        A full page may end amid an instant: the records of its last one are asked for again, so
        that none is lost and none comes twice. Raises what `read` raises.
        """
        rest = await self._clipped(query)
        if rest is not None:
            await self._afford(rest)
        limit = size
        while rest is not None:
            page = await self._ask(replace(rest, limit=limit), lambda data: Page(data, read(data)))
            rows = page.rows
            if len(rows) < limit:
                yield page
                return
            received = rows["ts_recv"]
            whole = received < received[-1]
            if whole.any():
                yield Page(page.data, rows[whole])
                rest, limit = replace(rest, start=int(received[-1])), size
            else:
                limit *= 2

    async def available(self, dataset: str, end: int) -> tuple[int, int]:
        """From when to when (ns) this account may ask the data set."""
        now = self._clock.monotonic()
        known = self._ranges.get(dataset)
        if known is None or (end > known[2] and now - known[0] > _RANGE_SECONDS):
            said = await self._fact(lambda api: api.get_dataset_range(dataset))
            known = now, _nanoseconds(said["start"]), _nanoseconds(said["end"])
            self._ranges[dataset] = known
        return known[1:]

    # -------------------------------------------------------------------------- helpers

    async def _clipped(self, query: Query) -> Query | None:
        """The part of a query that the data set covers: it refuses to answer beyond its end."""
        first, end = await self.available(query.dataset, query.end)
        clipped = replace(query, start=max(query.start, first), end=min(query.end, end))
        return clipped if clipped.start < clipped.end else None

    async def _afford(self, query: Query) -> None:
        """Raises FeedRefused for what costs more than DATABENTO_MAX_COST."""
        asked = {
            "dataset": query.dataset,
            "schema": query.schema,
            "symbols": list(query.symbols),
            "start": query.start,
            "end": query.end,
            "stype_in": query.stype_in,
        }
        cost = float(await self._fact(lambda api: api.get_cost(**asked)))
        if cost > self._options.max_cost:
            raise FeedRefused(
                f"{query.schema} of {', '.join(query.symbols)} would cost ${cost:.2f}, more than"
                f" DATABENTO_MAX_COST (${self._options.max_cost:.2f}).",
                api_name=NAME,
                remedy="Ask for less time, or raise DATABENTO_MAX_COST.",
            )

    async def _ask(self, query: Query, read: Callable[[DbnData], T]) -> T:
        return await retried(lambda: self._answer(query, read), self._retry)

    async def _answer(self, query: Query, read: Callable[[DbnData], T]) -> T:
        """One attempt."""
        import aiohttp  # noqa: PLC0415 - comes with databento, which takes most of a second
        from databento.common.error import BentoHttpError  # noqa: PLC0415
        from databento.historical.api.timeseries import TimeseriesHttpAPI  # noqa: PLC0415

        broken: tuple[type[Exception], ...] = (*damage(), aiohttp.ClientError, InvalidInput)
        await self._series.take()
        api = TimeseriesHttpAPI(self._key(), self._url())
        try:
            store = await api.get_range_async(
                dataset=query.dataset,
                schema=query.schema,
                symbols=list(query.symbols),
                stype_in=query.stype_in,
                start=query.start,
                end=query.end,
                limit=query.limit,
            )
            if missing := store.metadata.not_found:
                raise self._unknown(query, ", ".join(missing))
            return await asyncio.to_thread(lambda: read(DbnData(store, "The answer")))
        except BentoHttpError as error:
            raise self._failure(error, self._series, query) from None
        except broken as error:
            raise _hiccup(error) from None

    async def _fact(self, ask: Callable[[Any], T]) -> T:
        return await retried(lambda: self._fact_once(ask), self._retry)

    async def _fact_once(self, ask: Callable[[Any], T]) -> T:
        """One question to the metadata API, which the library asks without asyncio."""
        import requests  # noqa: PLC0415 - comes with databento
        from databento.common.error import BentoHttpError  # noqa: PLC0415
        from databento.historical.api.metadata import MetadataHttpAPI  # noqa: PLC0415

        self.vendor.require()
        await self._facts.take()
        api = MetadataHttpAPI(self._key(), self._url())
        api.TIMEOUT = _TIMEOUT_SECONDS
        try:
            return await asyncio.to_thread(ask, api)
        except BentoHttpError as error:
            raise self._failure(error, self._facts, None) from None
        except (requests.RequestException, ValueError) as error:
            raise _hiccup(error) from None

    def _key(self) -> str:
        key = self._options.api_key
        return key.get_secret_value() if key is not None else ""

    def _url(self) -> str:
        return (self._options.base_url or HISTORY_URL).rstrip("/")

    def _failure(self, error: Any, budget: Budget, query: Query | None) -> Exception:  # noqa: ANN401
        """The library's error, whose status tells what it means, as one of ours."""
        status, said = int(error.http_status), " ".join(str(error).split())
        budget.learn(status, dict(error.headers))
        if status in _REFUSALS:
            return self.vendor.refusal(f"Databento answered {said}", status)
        if status in _TRANSIENT or status >= 500:
            return TransientError(f"Databento answered {said}", api_name=NAME, status_code=status)
        if query is not None and (status == 404 or "symbol" in said):
            return self._unknown(query, said)
        return APIError(f"Databento answered {said}", api_name=NAME, status_code=status)

    def _unknown(self, query: Query, said: str) -> NotFound:
        return NotFound(
            f"Databento knows no {', '.join(query.symbols)} in {query.dataset} ({said}).",
            remedy="Check the symbol and DATABENTO_DATASET.",
            symbol=our_symbol(query.symbols[0]),
        )


def _hiccup(error: Exception) -> TransientError:
    return TransientError(
        f"Databento did not answer as it should ({type(error).__name__}: {error}).", api_name=NAME
    )


def _nanoseconds(text: str) -> int:
    """An ISO instant in UTC, to the ns."""
    return int(np.datetime64(text.removesuffix("Z"), "ns").astype(np.int64))
