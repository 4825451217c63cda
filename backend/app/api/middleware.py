"""What surrounds every request: correlation, log, limits of size, known hosts, security headers."""

import re
import time
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import ProblemResponse, unexpected
from app.core.ids import correlation_id
from app.core.logging import correlated, get_logger
from app.monitoring.metrics import Metrics

log = get_logger("api")

MAX_BODY: Final = 1024 * 1024
"Bytes; a larger body is refused with 413."
CSP: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss:;"
    " object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_SECURITY: Final = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_HSTS: Final = "max-age=31536000; includeSubDomains"
_ID: Final = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_QUIET: Final = ("/assets/", "/health", "/ping", "/metrics")
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})


class Network:
    """What is known of the way here: which peers are proxies, and which hosts are ours."""

    def __init__(self, proxies: Sequence[str] = (), hosts: Sequence[str] = ()) -> None:
        self._proxies = [ip_network(proxy, strict=False) for proxy in proxies]
        self._hosts = {host.lower() for host in hosts} | _LOOPBACK
        self._any = "*" in self._hosts

    def client(self, scope: Scope, headers: Headers) -> str:
        """The client's address. X-Forwarded-For counts only as far as trusted proxies wrote it."""
        peer = scope["client"][0] if scope.get("client") else "unknown"
        hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",") if hop.strip()]
        while self._trusts(peer) and hops:
            peer = hops.pop()
        return str(peer)

    def scheme(self, scope: Scope, headers: Headers) -> str:
        """http or https, as a trusted proxy says."""
        peer = scope["client"][0] if scope.get("client") else "unknown"
        said = headers.get("x-forwarded-proto")
        return said if said in ("http", "https") and self._trusts(peer) else str(scope["scheme"])

    def knows_host(self, host: str) -> bool:
        """False for a name that somebody else's DNS points at us."""
        name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
        return self._any or name.lower() in self._hosts

    def _trusts(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        networks: list[IPv4Network | IPv6Network] = self._proxies
        return any(address in network for network in networks)


class RequestContext:
    """Outermost: finds address and scheme, names the request, logs it, answers what blew up."""

    def __init__(self, app: ASGIApp, network: Network, metrics: Metrics) -> None:
        self._app = app
        self._network = network
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-correlation-id", "")
        name = given if _ID.fullmatch(given) else correlation_id()
        state = scope.setdefault("state", {})
        state["correlation_id"] = name
        state["address"] = self._network.client(scope, headers)
        if scope["type"] == "websocket":
            scope["scheme"] = {"http": "ws", "https": "wss"}.get(
                self._network.scheme(scope, headers), scope["scheme"]
            )
            if not self._network.knows_host(headers.get("host", "")):
                await send({"type": "websocket.close", "code": 4403, "reason": "Unknown host."})
                return
            with correlated(name):
                await self._app(scope, receive, send)
            return
        scope["scheme"] = self._network.scheme(scope, headers)
        with correlated(name):
            await self._serve(scope, receive, send, name)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, name: str) -> None:
        started, status = time.perf_counter(), 0
        secure = scope["scheme"] == "https"

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _dress(MutableHeaders(scope=message), scope["path"], name, secure)
            await send(message)

        app: ASGIApp = self._app
        if not self._network.knows_host(Headers(scope=scope).get("host", "")):
            app = _misdirected(name)
        elif b"%00" in scope.get("query_string", b"") or "\0" in scope["path"]:
            app = _unreadable(name)
        try:
            await app(scope, receive, dressed)
        except Exception as error:
            log.error("request_failed", path=scope["path"], exc_info=error)
            if status == 0:
                await unexpected(name, scope["path"])(scope, receive, dressed)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("route")
        template = getattr(route, "path", "") or "other"
        self._metrics.observe_request(scope["method"], template, status, seconds)
        write = log.debug if scope["path"].startswith(_QUIET) else log.info
        write(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            ms=round(seconds * 1000, 2),
            address=scope["state"]["address"],
            user_id=getattr(scope["state"].get("caller"), "user_id", None),
        )


def _dress(headers: MutableHeaders, path: str, name: str, secure: bool) -> None:
    headers["x-correlation-id"] = name
    for key, value in _SECURITY.items():
        headers.setdefault(key, value)
    if path.startswith("/api/"):
        headers.setdefault("cache-control", "no-store")
    if secure:
        headers["strict-transport-security"] = _HSTS


def _misdirected(name: str) -> ProblemResponse:
    return ProblemResponse(
        400,
        "This server does not answer under that host name.",
        code="unknown_host",
        remedy="Use 127.0.0.1 or localhost, or add the name to API_HOSTS.",
        correlation_id=name,
    )


def _unreadable(name: str) -> ProblemResponse:
    return ProblemResponse(
        400,
        "The address holds a NUL character, which no text here has.",
        remedy="Leave it out.",
        correlation_id=name,
    )


class BodyLimit:
    """Refuses too large bodies: at once when they say so, else as soon as they are.

    `larger` names paths that take files, with their own limits in bytes.
    """

    def __init__(
        self, app: ASGIApp, limit: int = MAX_BODY, larger: Mapping[str, int] | None = None
    ) -> None:
        self._app = app
        self._limit = limit
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._larger.get(scope["path"], self._limit)
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared) > limit:
            await self._refuse(limit, scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _TooLarge(limit)
            return message

        await self._app(scope, counted, send)

    async def _refuse(self, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
        answer = ProblemResponse(
            413,
            f"The body is larger than {limit:,} bytes.",
            remedy="Import the file with `tradewright data import`, or raise API_MAX_UPLOAD_MB."
            if scope["path"] in self._larger
            else "Send less at once; market data is imported with `tradewright data import`.",
            instance=scope["path"],
            correlation_id=scope.get("state", {}).get("correlation_id", ""),
            headers={"connection": "close"},
        )
        await answer(scope, receive, send)


class _TooLarge(HTTPException):
    """Somebody sends more than they said. FastAPI lets its own kind of exception through."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"The body is larger than {limit:,} bytes.")
