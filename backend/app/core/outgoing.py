"""Addresses that a person may make this server call: checked, and called exactly as checked."""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from app.core.errors import InvalidInput

Address = IPv4Address | IPv6Address
PORTS: Final = {"http": 80, "https": 443}
METADATA: Final = frozenset(
    map(ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192"))
)
"Where clouds hand out credentials: refused whatever is allowed."
_SHARED: Final = ip_network("100.64.0.0/10")
_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE: Final = IPv6Network("::/96")
_REMEDY: Final = "Name a public address, or allow private ones for this target."


@dataclass(frozen=True, slots=True)
class Target:
    """A URL with the addresses its host had when it was checked."""

    url: str
    host: str
    port: int
    addresses: tuple[str, ...]


async def check_target(
    url: str, allow_private: bool = False, *, schemes: Sequence[str] = ("http", "https")
) -> Target:
    """Resolve the URL's host and see that every address may be called.

    Raises InvalidInput (`field` url) for another scheme, no host, a host that does not resolve, or
    one address that is loopback, private, link-local, metadata, multicast, unspecified or reserved,
    in whatever notation. `allow_private` lets loopback and private networks pass, never the rest.
    Call what it returns with `client`, or a synchronous library within `guarded`.
    """
    host, port = _parts(url, schemes)
    addresses = await _resolve(host, port)
    for address in addresses:
        check_address(address, allow_private)
    return Target(url, host, port, tuple(addresses))


def check_address(text: str, allow_private: bool = False) -> None:
    """Raises InvalidInput for an address that must not be called."""
    address = plain_address(text)
    if address in METADATA or _never(address):
        raise _refused(text, "is no address that messages may go to", "Name a public address.")
    if not allow_private and _private(address):
        raise _refused(text, "is on this machine or in a private network", _REMEDY)


def plain_address(text: str) -> Address:
    """The address that packets go to: IPv4 inside IPv6 (mapped, 6to4, Teredo, NAT64) taken out."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv4Address):
        return address
    if inner := address.ipv4_mapped or address.sixtofour:
        return inner
    if address.teredo:
        return address.teredo[1]
    embeds = any(address in network for network in (*_NAT64, _COMPATIBLE))
    if embeds and int(address) > 1:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def client(target: Target, timeout: float = 10.0) -> httpx.AsyncClient:
    """An HTTP client for the checked address only: no redirect, no proxy, no second lookup."""
    return httpx.AsyncClient(
        transport=_Pinned(target), follow_redirects=False, trust_env=False, timeout=timeout
    )


class _Pinned(httpx.AsyncHTTPTransport):
    """Connects to the target's address under the target's name (Host, SNI and certificate)."""

    def __init__(self, target: Target) -> None:
        super().__init__(trust_env=False)
        self._target = target

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if (request.url.host, request.url.port or PORTS[request.url.scheme]) != (
            self._target.host,
            self._target.port,
        ):
            raise _refused(request.url.host, "is not the address that was checked", _REMEDY)
        extensions = {**request.extensions, "sni_hostname": self._target.host}
        pinned = httpx.Request(
            request.method,
            request.url.copy_with(host=self._target.addresses[0]),
            headers=request.headers,  # the Host header still names the target
            stream=request.stream,
            extensions=extensions,
        )
        return await super().handle_async_request(pinned)


_guard: ContextVar[bool | None] = ContextVar("outgoing_guard", default=None)
_lookup: Final = socket.getaddrinfo


@contextmanager
def guarded(allow_private: bool = False) -> Iterator[None]:
    """Within it, this thread resolves no name to an address that must not be called.

    For synchronous libraries that open their connections themselves (apprise, smtplib, requests):
    they connect to what this very lookup answered, redirects included, so there is nothing to
    rebind. Enter it in the thread that sends.
    """
    socket.getaddrinfo = _guarded_lookup
    token = _guard.set(allow_private)
    try:
        yield
    finally:
        _guard.reset(token)


def _guarded_lookup(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - socket's own signature
    found = _lookup(*args, **kwargs)
    allow_private = _guard.get()
    if allow_private is not None:
        for *_, place in found:
            check_address(str(place[0]), allow_private)
    return found


def _parts(url: str, schemes: Sequence[str]) -> tuple[str, int]:
    if any(character.isspace() or character in "\\\x00" for character in url):
        raise _refused("The URL", "holds a space or a backslash", "Write it without.")
    try:
        split = urlsplit(url)
        host, port = split.hostname, split.port
    except ValueError as error:
        raise _refused("The URL", f"cannot be read ({error})", "Write it like https://…") from None
    if split.scheme not in schemes:
        raise _refused("The URL", f"does not begin with {' or '.join(schemes)}", "Use one of them.")
    if not host:
        raise _refused("The URL", "names no host", "Write it like https://example.com/hook")
    return host, port or PORTS.get(split.scheme, 0)


async def _resolve(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise _refused(host, "does not resolve", "Check its spelling, or the DNS.") from None
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


def _never(address: Address) -> bool:
    return (
        address.is_unspecified
        or address.is_multicast
        or address.is_link_local
        or (address.is_reserved and not address.is_loopback)
    )


def _private(address: Address) -> bool:
    return not address.is_global or address in _SHARED


def _refused(what: str, why: str, remedy: str) -> InvalidInput:
    return InvalidInput(f"{what} {why}.", field="url", remedy=remedy)
