"""The one door: who calls, from which site, with which scope, how often. Deny by default."""

from typing import Final, Protocol
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from app.api.limits import RateLimits
from app.core.clock import Clock
from app.core.errors import Forbidden, StepUpNeeded, Unauthenticated
from app.domain.users import Caller, Scope
from app.repositories.journal import LOST_CONNECTION
from app.services.access import Access

COOKIE: Final = "tw"
SECURE_COOKIE: Final = "__Host-tw"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Declared(Protocol):
    """What a route says of itself: the scope it needs (None: public) and its class of limit.

    `fresh`: the person must have proved within five minutes who they are.
    """

    scope: Scope | None
    limit: str
    fresh: bool


class Gate:
    """Admits a request or raises; leaves the Caller (or None) in `request.state.caller`."""

    def __init__(
        self, access: Access, limits: RateLimits, origins: frozenset[str], clock: Clock
    ) -> None:
        self.access = access
        self.limits = limits
        self._origins = origins
        self._clock = clock

    async def admit(self, request: HTTPConnection, declared: Declared) -> None:
        """Raises Unauthenticated, Forbidden, StepUpNeeded or TooManyRequests."""
        address = address_of(request)
        self.check_site(request)
        try:
            caller = await self._identify(request, address, public=declared.scope is None)
        except LOST_CONNECTION:
            # Health must answer without the database, even to somebody who sends a key.
            if declared.scope is not None:
                raise
            caller = None
        except Unauthenticated:
            await self.limits.admit("refused", address)
            raise
        request.state.caller = caller
        who = f"user:{caller.user_id}" if caller else f"address:{address}"
        if declared.limit == "sign_in":
            who = f"address:{address}"
        await self.limits.admit(declared.limit, who)
        if declared.scope is not None:
            self._check_scope(caller, declared.scope)
        if declared.fresh:
            self._check_fresh(caller)

    async def _identify(
        self, request: HTTPConnection, address: str, *, public: bool
    ) -> Caller | None:
        """A bearer token goes before a cookie; a public route does not mind a stale one."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token:
            try:
                return await self.access.by_bearer(token.strip(), address)
            except Unauthenticated:
                if public:
                    return None
                raise
        cookie = cookie_of(request)
        return await self.access.by_session(cookie) if cookie else None

    def _check_scope(self, caller: Caller | None, scope: Scope) -> None:
        if caller is None:
            raise Unauthenticated(
                "Nobody is signed in.",
                remedy="Sign in, or send `Authorization: Bearer tw_…`.",
            )
        if scope not in caller.scopes:
            raise Forbidden(
                f"This needs the scope {scope}; yours are {', '.join(sorted(caller.scopes))}.",
                remedy="Ask an admin for the role, or use a key with this scope.",
                scope=str(scope),
            )

    def _check_fresh(self, caller: Caller | None) -> None:
        if caller is None or caller.via == "api_key":
            raise StepUpNeeded(
                "This needs a person who proves who they are; a key cannot.",
                remedy="Sign in, or use the command line on the server.",
            )
        if caller.fresh_until is None or self._clock.now() >= caller.fresh_until:
            raise StepUpNeeded(
                "This needs a fresh check of who you are.",
                remedy="POST /api/auth/step-up with your password (and code), then try again.",
            )

    def check_person(self, caller: Caller) -> None:
        """For what loosens: a person proves who they are; a key that may do it at all goes on.

        Raises StepUpNeeded.
        """
        if caller.via != "api_key":
            self._check_fresh(caller)

    def check_site(self, request: HTTPConnection) -> None:
        """Let nothing change because another site made the browser ask. Raises Forbidden.

        Fetch-Metadata decides where the browser sends it, Origin otherwise; a request with the
        session's cookie and neither of them comes from no browser that we know.
        """
        if request.scope.get("method", "GET") in _SAFE:
            return
        if request.headers.get("authorization", "").lower().startswith("bearer "):
            return
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site")
        if origin is not None:
            allowed = self.is_ours(request, origin) and site in (None, "same-origin", "none")
            allowed = allowed or origin in self._origins
        elif site is not None:
            allowed = site in ("same-origin", "none")
        else:
            allowed = cookie_of(request) is None
        if not allowed:
            raise Forbidden(
                "The request was made by another site.",
                remedy="Use this server's own pages, or an API key.",
            )

    def is_ours(self, request: HTTPConnection, origin: str) -> bool:
        """Whether `origin` is the server that the request was sent to."""
        parts = urlsplit(origin)
        scheme = request.scope["scheme"].replace("ws", "http")
        return (parts.scheme, parts.netloc) == (scheme, request.headers.get("host", ""))

    def may_open_socket(self, request: HTTPConnection) -> bool:
        """Origin check of a WebSocket: ours or a listed one; absent is no browser."""
        origin = request.headers.get("origin")
        return origin is None or self.is_ours(request, origin) or origin in self._origins


def address_of(request: HTTPConnection) -> str:
    """The client's address, as the middleware found it behind trusted proxies."""
    known: str | None = getattr(request.state, "address", None)
    return known or (request.client.host if request.client else "unknown")


def cookie_of(request: HTTPConnection) -> str | None:
    """The session cookie: under TLS only the one that no plain page can have set."""
    return request.cookies.get(SECURE_COOKIE if is_secure(request) else COOKIE)


def is_secure(request: HTTPConnection) -> bool:
    """Whether the browser talks TLS to us or to a trusted proxy."""
    return request.scope["scheme"] in ("https", "wss")
