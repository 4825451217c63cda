"""Which addresses a person may make this server call, and that no other is ever called."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from app.core import outgoing
from app.core.errors import InvalidInput
from app.core.outgoing import Target, check_address, check_target, client, guarded

NEVER = (
    "169.254.169.254", "169.254.1.1", "fe80::1", "fe80::1%lo", "0.0.0.0", "::", "224.0.0.1",
    "ff02::1", "240.0.0.1", "255.255.255.255", "fd00:ec2::254", "100.100.100.200",
    "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::169.254.169.254",
)  # fmt: skip
PRIVATE = (
    "127.0.0.1", "127.8.9.1", "::1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",
    "fd12::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    "::127.0.0.1", "192.0.2.1",
)  # fmt: skip


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("allowed", [True, False])
def test_an_address_that_hands_out_credentials_or_is_none_is_always_refused(
    address: str, allowed: bool
) -> None:
    with pytest.raises(InvalidInput, match="public address"):
        check_address(address, allowed)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_refused_unless_it_is_allowed(address: str) -> None:
    with pytest.raises(InvalidInput, match="private network"):
        check_address(address)
    check_address(address, allow_private=True)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_a_public_address_may_be_called(address: str) -> None:
    check_address(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://localhost:8000/", "http://2130706433/", "http://0x7f.1/",
        "http://017700000001/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "https://127.1/",
        "http://good.example@127.0.0.1/", "http://10.0.0.1:22/x",
    ],
)  # fmt: skip
async def test_every_notation_of_this_machine_is_seen_through(url: str) -> None:
    with pytest.raises(InvalidInput, match="private network") as refused:
        await check_target(url)
    assert refused.value.field == "url"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "does not begin with http or https"),
        ("gopher://8.8.8.8/", "does not begin with"),
        ("http://", "names no host"),
        ("http://8.8.8.8:99999/", "cannot be read"),
        ("http://[1.2/", "cannot be read"),
        ("http://8.8.8.8\\@127.0.0.1/", "backslash"),
        ("http://8.8.8.8/\r\nHost: x", "space"),
        ("http://no-such-host.invalid/", "does not resolve"),
    ],
)
async def test_what_is_no_usable_url_is_refused_with_the_reason(url: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        await check_target(url)


async def test_another_scheme_may_be_asked_for() -> None:
    target = await check_target("mailtos://8.8.8.8:465/", schemes=("mailtos",))
    assert (target.host, target.port, target.addresses) == ("8.8.8.8", 465, ("8.8.8.8",))


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.server.heard.append(self.headers["Host"])  # type: ignore[attr-defined]  # ours, below
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(302 if self.path == "/away" else 204)
        self.send_header("Location", "http://169.254.169.254/latest")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _served() -> Iterator[tuple[int, list[str]]]:
    server = HTTPServer(("127.0.0.1", 0), _Hook)
    server.heard = []  # type: ignore[attr-defined]  # what the handler above notes
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port, server.heard  # type: ignore[attr-defined]  # see above
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_the_client_calls_the_checked_address_whatever_the_name_resolves_to_now() -> None:
    with _served() as (port, heard):
        url = f"http://rebound.invalid:{port}/hook"
        async with client(Target(url, "rebound.invalid", port, ("127.0.0.1",))) as http:
            answer = await http.post(url, json={"a": 1})
    assert answer.status_code == 204
    assert heard == [f"rebound.invalid:{port}"]


async def test_the_client_follows_no_redirect_and_calls_nobody_else() -> None:
    with _served() as (port, _):
        target = await check_target(f"http://127.0.0.1:{port}/away", allow_private=True)
        async with client(target) as http:
            assert (await http.post(target.url)).status_code == 302
            with pytest.raises(InvalidInput, match="not the address that was checked"):
                await http.get("http://169.254.169.254/")


def test_a_synchronous_library_cannot_be_led_away_by_a_redirect() -> None:
    with _served() as (port, heard):
        with guarded(allow_private=True), pytest.raises(InvalidInput, match="public address"):
            requests.post(f"http://127.0.0.1:{port}/away", timeout=5)
        assert len(heard) == 1


def test_a_synchronous_library_cannot_be_led_away_by_a_name() -> None:
    with guarded(), pytest.raises(InvalidInput, match="private network"):
        socket.create_connection(("localhost", 1), timeout=1)


async def test_the_guard_holds_for_its_own_thread_only() -> None:
    def sends() -> None:
        with guarded(), pytest.raises(InvalidInput):
            socket.getaddrinfo("127.0.0.1", 1)

    await asyncio.to_thread(sends)
    assert socket.getaddrinfo("127.0.0.1", 1)
    assert outgoing._guard.get() is None
