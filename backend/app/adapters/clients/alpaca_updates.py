"""One life of Alpaca's stream of trade updates: connect, sign in, listen, until it breaks."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

from app.adapters.clients.alpaca import AlpacaSession, revealed
from app.adapters.clients.alpaca_orders import NAME, Update
from app.core.errors import FeedLost

PING_SECONDS: Final = 10.0
"The stream is rightly silent for hours: only pings tell that it lives."
ANSWER_SECONDS: Final = 10.0
"The longest that connecting, signing in and listening may take each."
_STREAM: Final = "trade_updates"
T = TypeVar("T")


class Envelope(msgspec.Struct, frozen=True):
    """What every message is in."""

    stream: str = ""
    action: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Data(msgspec.Struct, frozen=True):
    """What the messages of control carry."""

    status: str = ""
    streams: tuple[str, ...] = ()
    error_message: str = ""


async def updates(
    session: AlpacaSession, ping_seconds: float = PING_SECONDS
) -> AsyncGenerator[Update | None]:
    """None once, when Alpaca listens to us; then every update as it comes.

    Raises FeedLost when the connection breaks, goes silent or says what cannot be read, and
    FeedRefused for a wrong key.
    """
    address = f"{session.options.base_url.rstrip('/').replace('http', 'ws', 1)}/stream"
    try:
        async with connect(
            address,
            open_timeout=ANSWER_SECONDS,
            ping_interval=ping_seconds,
            ping_timeout=ping_seconds,
            close_timeout=1.0,
            max_size=None,
        ) as socket:
            await _sign_in(socket, session)
            yield None
            async for content in socket:
                if (update := _update(content)) is not None:
                    yield update
            raise _lost("Alpaca closed the stream of trade updates.")
    except InvalidStatus as error:
        status = error.response.status_code
        sentence = f"Alpaca answered {status} instead of opening the stream of trade updates."
        if status in (401, 403):
            raise session.vendor.refusal(sentence, status) from None
        raise _lost(sentence) from None
    except (InvalidHandshake, WebSocketException, OSError, TimeoutError) as error:
        said = str(error) or type(error).__name__
        raise _lost(f"Alpaca's stream of trade updates broke ({said}).") from None


async def _sign_in(socket: ClientConnection, session: AlpacaSession) -> None:
    key, secret = revealed(session.options.api_key), revealed(session.options.secret_key)
    await _send(socket, {"action": "auth", "key": key, "secret": secret})
    if (await _answer(socket, "authorization")).status != "authorized":
        raise session.vendor.refusal("Alpaca refuses the key for its stream of trade updates.")
    await _send(socket, {"action": "listen", "data": {"streams": [_STREAM]}})
    if _STREAM not in (await _answer(socket, "listening")).streams:
        raise _lost("Alpaca does not offer the stream of trade updates now.")


async def _send(socket: ClientConnection, message: object) -> None:
    await socket.send(msgspec.json.encode(message).decode())


async def _answer(socket: ClientConnection, stream: str) -> _Data:
    """The next message of control, which must be of this kind."""
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            envelope = _opened(await socket.recv())
            if envelope.stream == stream:
                return _read(envelope.data, _Data)


def _update(content: str | bytes) -> Update | None:
    envelope = _opened(content)
    return _read(envelope.data, Update) if envelope.stream == _STREAM else None


def _opened(content: str | bytes) -> Envelope:
    """Text on one address and binary on the other: the same JSON."""
    data = content.encode() if isinstance(content, str) else content
    envelope = _read(msgspec.Raw(data), Envelope)
    if envelope.action == "error":
        said = _read(envelope.data, _Data).error_message
        raise _lost(f"Alpaca ends the stream of trade updates: {said}.")
    return envelope


def _read(content: msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _lost(f"Alpaca sent what cannot be read ({error}).") from None


def _lost(said: str) -> FeedLost:
    return FeedLost(said, api_name=NAME)
