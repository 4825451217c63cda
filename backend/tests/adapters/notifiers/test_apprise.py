"""The process that sends: what it refuses, what it says of failures, and when it is ended."""

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from app.adapters.clients import apprise as child
from app.adapters.notifiers.apprise import Adapter
from app.core.errors import InvalidInput
from app.core.notifications import NotificationOptions
from app.domain.events import Severity
from app.domain.notifications import Message, NotDelivered
from tests.alerting.loopback import web_hook

HELLO = Message(title="Hello", body="It is me.", severity=Severity.ERROR)


def adapter(*, private: bool = True, seconds: float = 60.0) -> Adapter:
    return Adapter(NotificationOptions(allow_private=private, timeout_seconds=seconds))


async def test_a_private_address_is_refused_unless_it_is_allowed() -> None:
    async with web_hook() as hook:
        with pytest.raises(NotDelivered, match="on this machine or in a private network"):
            await adapter(private=False).send(f"json://127.0.0.1:{hook.port}/x", HELLO)
        assert hook.taken == []
        assert hook.refused == 0


async def test_the_metadata_address_is_refused_whatever_is_allowed() -> None:
    with pytest.raises(NotDelivered, match="no address that messages may go to"):
        await adapter().send("json://169.254.169.254/latest", HELLO)


async def test_a_redirect_leads_nowhere_that_is_refused() -> None:
    async with web_hook() as hook:
        hook.status, hook.location = 307, "http://169.254.169.254/latest"
        with pytest.raises(NotDelivered, match=r"169\.254\.169\.254"):
            await adapter().send(f"json://127.0.0.1:{hook.port}/x", HELLO)


async def test_who_never_answers_is_left_at_the_time_limit() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(NotDelivered, match=r"No answer within 0\.5 s"):
            await adapter(seconds=0.5).send(f"json://127.0.0.1:{port}?rto=60", HELLO)


async def test_people_see_the_service_and_the_host_and_nothing_more() -> None:
    url = "jsons://ada:swordfish@hooks.example.org/T00/B11/s3cret?token=abcdef"
    found = await adapter().describe(url)
    assert (found.service, found.hint) == ("JSON", "jsons://hooks.example.org")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("syslog://", "screen or log"),
        ("mailto://a:b@example.org?pgpkey=/etc/shadow", "names a file"),
        ("jsons://example.org?verify=no", "certificates off"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_in_words(url: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as refused:
        child.plugin_of(url, allow_private=False)
    assert "s3cret" not in str(refused.value)
    assert refused.value.field == "url"


async def test_the_reason_reaches_whoever_asked() -> None:
    with pytest.raises(InvalidInput, match="No service reads") as refused:
        await adapter().describe("quux://example.org/s3cret")
    assert refused.value.remedy is not None
    assert "s3cret" not in str(refused.value)


async def test_a_process_that_dies_is_a_failed_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.adapters.notifiers.apprise._MODULE", "app.no_such_module")
    with pytest.raises(NotDelivered, match="ended with code 1"):
        await adapter().send("json://127.0.0.1", HELLO)
    with pytest.raises(InvalidInput, match="could not be read"):
        await adapter().describe("json://127.0.0.1")


def test_what_a_service_says_is_told_without_the_address() -> None:
    url = "json://user:pass%20word@127.0.0.1:8080/hooks/T00SECRET"
    said = "Failed: http://127.0.0.1:8080/hooks/T00SECRET\nuser pass word 404"
    told = child.hidden(said, url, "json://127.0.0.1:8080")
    assert told == "Failed: http://127.0.0.1:8080/***/*** *** *** *** 404"


@pytest.mark.parametrize(
    ("place", "why"),
    [
        (None, None),
        (("93.184.215.14", 443), None),
        (("10.0.0.1", 443), "private network"),
        (("::ffff:10.0.0.1", 443, 0, 0), "private network"),
        (("example.org", 443), "nobody has resolved"),
        ("/var/run/docker.sock", "Local sockets"),
    ],
    ids=str,
)
def test_where_a_socket_may_go(place: object, why: str | None) -> None:
    found = child._why_not(place, allow_private=False)
    assert found is None if why is None else why in str(found)


def test_a_notification_starts_no_program() -> None:
    code = (
        "import subprocess; from app.adapters.clients.apprise import guard_sockets\n"
        "refused = guard_sockets(allow_private=True)\n"
        "try: subprocess.run(['true'])\n"
        "except PermissionError: print(refused)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "starts no program" in done.stdout


async def test_the_process_has_none_of_our_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWRIGHT_SECRET_KEY", "canary-key")
    monkeypatch.setenv("HTTPS_PROXY", "http://10.0.0.1:3128")
    seen: dict[str, Any] = {}

    async def spy(*_: object, **given: Any) -> Any:
        seen.update(given["env"])
        raise NotDelivered("Seen enough.")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spy)
    with pytest.raises(NotDelivered):
        await adapter().send("json://127.0.0.1", HELLO)
    assert "PATH" in seen
    assert not any("canary" in value or "PROXY" in name for name, value in seen.items())
