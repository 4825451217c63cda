"""HTTP to a vendor: budget, time-outs, retries of reads, and errors that say what to do."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self, TypeVar

import httpx
import msgspec

from app.adapters.clients.budget import PATIENCE_SECONDS, Budget
from app.core.errors import APIError, ConfigurationError, FeedRefused, NotFound, TransientError
from app.core.options import Options, remedy_of, variable_of
from app.core.retry import API_RETRY_CONFIG, RetryConfig, retried

T = TypeVar("T")

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 20.0
_REFUSALS: Final = (401, 402, 403)
_TRANSIENT: Final = (408, 425, 429)
_SHOWN: Final = 300
"Characters of an answer that an error quotes."
_MESSAGES: Final = ("message", "detail", "error", "msg")

Parameters = Mapping[str, str | int | float | bool | None]
_UNCONNECTED: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"After these certainly nothing was sent."


class NotSent(TransientError):
    """Nothing left this machine: there was no connection, or no allowance left."""

    code = "not_sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """Who is called, and what an error says about the key."""

    name: str
    options: Options
    key_fields: tuple[str, ...] = ("api_key",)
    "Fields of `options` that hold the credentials."

    def require(self) -> None:
        """Raises FeedRefused with the variable that is missing and where to get its value."""
        try:
            self.options.require(*self.key_fields)
        except ConfigurationError as error:
            raise self.refusal(error.message) from None

    def refusal(self, said: str, status: int | None = None) -> FeedRefused:
        """The vendor's no, with the variables of the key and where to get another."""
        cls = type(self.options)
        variables = [variable_of(cls, name) for name in self.key_fields]
        remedy = " ".join(remedy_of(cls, name) for name in self.key_fields[:1])
        return FeedRefused(
            said, api_name=self.name, status_code=status, remedy=remedy, variables=variables
        )

    def account(self) -> str:
        """Tells accounts apart without showing the key: for `shared_budget`."""
        values = "|".join(str(_plain(getattr(self.options, name))) for name in self.key_fields)
        return hashlib.sha256(values.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that was a success by its status."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    def decoded(self, kind: type[T]) -> T:
        """The JSON body as `kind`, e.g. a msgspec.Struct. Raises msgspec.DecodeError."""
        return msgspec.json.decode(self.content, type=kind)


Check = Callable[[Reply], None]
"Raises what an answer means whose status was 200 although it is an error."


class VendorHttp:
    """One session with a vendor. Reads are tried again; nothing that changes anything ever is."""

    def __init__(
        self,
        vendor: Vendor,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        budget: Budget | None = None,
        check: Check | None = None,
        read_seconds: float = READ_SECONDS,
        retry: RetryConfig = API_RETRY_CONFIG,
    ) -> None:
        """Secrets go into `headers`, never into URLs: those end up in other people's logs."""
        self.vendor = vendor
        self.budget = budget or Budget(vendor.name)
        self._check = check
        self._retry = retry
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers={"Accept": "application/json", **(headers or {})},
            timeout=httpx.Timeout(read_seconds, connect=CONNECT_SECONDS),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.aclose()

    async def get(
        self, path: str, kind: type[T], parameters: Parameters | None = None, *, cost: float = 1.0
    ) -> T:
        """The JSON answer as `kind`, e.g. a msgspec.Struct; parameters that are None are left out.

        Raises TransientError once the retries are used up (429, 5xx, time-outs, broken
        connections, garbage), FeedRefused for 401, 402 and 403, NotFound for 404, APIError for
        any other no.
        """
        return await self._read(path, parameters, cost, lambda reply: reply.decoded(kind))

    async def get_reply(
        self, path: str, parameters: Parameters | None = None, *, cost: float = 1.0
    ) -> Reply:
        """As `get`, not decoded, with its headers: for paging and for what is not JSON."""
        return await self._read(path, parameters, cost, lambda reply: reply)

    async def _read(
        self, path: str, parameters: Parameters | None, cost: float, finish: Callable[[Reply], T]
    ) -> T:
        async def attempt() -> T:
            reply = await self.send("GET", path, parameters=parameters, cost=cost)
            if self._check is not None:
                self._check(reply)
            try:
                return finish(reply)
            except msgspec.DecodeError as error:
                raise self.hiccup(f"sent what cannot be read ({error})") from None

        return await retried(attempt, self._retry)

    async def send(
        self,
        method: str,
        path: str,
        *,
        parameters: Parameters | None = None,
        json: object = None,
        cost: float = 1.0,
        urgent: bool = False,
        patience: float = PATIENCE_SECONDS,
    ) -> Reply:
        """One attempt of any method, never repeated: what orders take, with `urgent`.

        It waits up to `patience` seconds for its turn. Raises NotSent where certainly nothing was
        sent; any other TransientError of a POST leaves open whether the vendor acted on it.
        """
        try:
            await self.budget.take(cost, urgent=urgent, patience=patience)
        except TransientError as error:
            raise NotSent(
                error.message, remedy=error.remedy, api_name=self.vendor.name, **error.context
            ) from None
        content = None if json is None else msgspec.json.encode(json)
        try:
            answer = await self._client.request(
                method,
                path,
                params={k: v for k, v in (parameters or {}).items() if v is not None},
                content=content,
                headers=None if content is None else {"Content-Type": "application/json"},
            )
        except _UNCONNECTED as error:
            said = f"{self.vendor.name} cannot be reached ({type(error).__name__})."
            raise NotSent(said, api_name=self.vendor.name) from None
        except httpx.HTTPError as error:
            raise self.hiccup(f"did not answer ({type(error).__name__})") from None
        self.budget.learn(answer.status_code, answer.headers)
        if answer.status_code >= 400:
            raise self.refused(answer.status_code, answer.content)
        return Reply(answer.status_code, answer.headers, answer.content)

    def refused(self, status: int, content: bytes) -> Exception:
        """The error that an answer means; vendors whose body says more look at it here."""
        return self.failure(status, message_of(content))

    def failure(self, status: int, said: str) -> Exception:
        """The error that a status means; also for statuses inside an answer's body."""
        name = self.vendor.name
        sentence = f"{name} answered {status}: {said}"
        if status in _REFUSALS:
            return self.vendor.refusal(sentence, status)
        if status in _TRANSIENT or status >= 500:
            return TransientError(sentence, api_name=name, status_code=status)
        if status == 404:
            return NotFound(sentence, api_name=name)
        return APIError(sentence, api_name=name, status_code=status)

    def hiccup(self, what: str) -> TransientError:
        """A failure that another try may not meet."""
        return TransientError(f"{self.vendor.name} {what}.", api_name=self.vendor.name)


def message_of(content: bytes) -> str:
    """What a vendor's error says, from its JSON where it is JSON."""
    try:
        said = msgspec.json.decode(content)
    except msgspec.DecodeError:
        said = content.decode(errors="replace")
    if isinstance(said, dict):
        said = next((said[name] for name in _MESSAGES if said.get(name)), said)
    return " ".join(str(said).split())[:_SHOWN] or "nothing"


def _plain(value: object) -> object:
    reveal = getattr(value, "get_secret_value", None)
    return reveal() if reveal else value
