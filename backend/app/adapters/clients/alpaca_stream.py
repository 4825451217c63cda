"""One life of Alpaca's streams: connect, sign in, subscribe, hand on what comes until it breaks."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

from app.adapters.clients.alpaca import AlpacaSession, plan_refusal, revealed
from app.adapters.clients.alpaca_wire import Frame, Message, Refused, Subscribed, Told
from app.core.errors import FeedLost, FeedRefused, NotFound
from app.core.tasks import end

ANSWER_SECONDS: Final = 10.0
"The longest that connecting, signing in or subscribing may take."
PING_SECONDS: Final = 15.0
WAITING_FRAMES: Final = 2_000
"What may wait for us; beyond it the vendor has to wait, and cuts those who are too slow."
_KEY_CODES: Final = (401, 402, 403)
TOO_MANY_SYMBOLS: Final = 405
TOO_MANY_CONNECTIONS: Final = 406
_PLAN_CODES: Final = (408, 409)
_OUR_FAULT: Final = (400, 410, 411, 412, 413)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One socket: where it is, what to ask for, and in which codec it speaks."""

    url: str
    topics: Mapping[str, Sequence[str]]
    "Symbols by channel, in Alpaca's words: trades, quotes, bars, updatedBars."
    packed: bool = False
    "msgpack instead of JSON."

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Type": "application/msgpack"} if self.packed else {}

    def decode(self, content: str | bytes) -> Frame:
        """Raises FeedLost for what cannot be read."""
        try:
            if self.packed and isinstance(content, bytes):
                return _PACKED.decode(content)
            return _SPELLED.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FeedLost(f"Alpaca sent what cannot be read ({error}).", api_name=_NAME) from None

    def encode(self, message: Mapping[str, object]) -> str | bytes:
        if self.packed:
            return msgspec.msgpack.encode(message)
        return msgspec.json.encode(message).decode()


async def frames(
    session: AlpacaSession, streams: Sequence[Stream], *, quiet_seconds: float | None = None
) -> AsyncGenerator[list[Message]]:
    """All messages that had arrived, again and again; empty once, when all are subscribed.

    Also empty after `quiet_seconds` without a message, if every socket still answers a ping: for
    subscriptions that are rightly quiet. Raises FeedLost when one socket breaks, FeedRefused, and
    NotFound, as `LiveSource.live`.
    """
    session.vendor.require()
    waiting: asyncio.Queue[Frame | Exception] = asyncio.Queue(WAITING_FRAMES)
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(_opened(session, s)) for s in streams]
        readers = [
            asyncio.create_task(_read(socket, stream, waiting))
            for socket, stream in zip(sockets, streams, strict=True)
        ]
        stack.push_async_callback(end, readers)
        yield []
        while True:
            try:
                async with asyncio.timeout(quiet_seconds):
                    first = await waiting.get()
            except TimeoutError:
                await _all_answer(sockets)
                yield []
                continue
            said, broken = _arrived(first, waiting)
            if said:
                yield said
            if broken is not None:
                raise broken


async def _all_answer(sockets: Sequence[ClientConnection]) -> None:
    """Raises FeedLost when one does not; one that broke is told of by its reader."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            for socket in sockets:
                await (await socket.ping())
    except TimeoutError:
        raise FeedLost("Alpaca's stream does not answer.", api_name=_NAME) from None
    except WebSocketException as error:
        raise _lost("broke off", error) from None


def _arrived(
    first: Frame | Exception, waiting: "asyncio.Queue[Frame | Exception]"
) -> tuple[list[Message], Exception | None]:
    """Everything that waits, and what ended it."""
    said: list[Message] = []
    item: Frame | Exception = first
    while True:
        if isinstance(item, Exception):
            return said, item
        for message in item:
            if isinstance(message, Refused):
                return said, failure(message)
            said.append(message)
        if waiting.empty():
            return said, None
        item = waiting.get_nowait()


async def _read(
    socket: ClientConnection, stream: Stream, waiting: "asyncio.Queue[Frame | Exception]"
) -> None:
    try:
        async for content in socket:
            await waiting.put(stream.decode(content))
        reason: Exception = FeedLost("Alpaca closed the stream.", api_name=_NAME)
    except FeedLost as error:
        reason = error
    except (WebSocketException, OSError) as error:
        reason = _lost("broke off", error)
    await waiting.put(reason)


@asynccontextmanager
async def _opened(session: AlpacaSession, stream: Stream) -> AsyncIterator[ClientConnection]:
    """A socket that is signed in and subscribed."""
    try:
        async with connect(
            stream.url,
            additional_headers=stream.headers,
            open_timeout=ANSWER_SECONDS,
            ping_interval=PING_SECONDS,
            ping_timeout=PING_SECONDS,
            close_timeout=1.0,
            max_size=None,
        ) as socket:
            await _greeted(socket, stream, session)
            await _subscribed(socket, stream)
            yield socket
    except InvalidStatus as error:
        raise _unwelcome(error.response.status_code, session) from None
    except (InvalidHandshake, WebSocketException, OSError, TimeoutError) as error:
        raise _lost("cannot be reached", error) from None


async def _greeted(socket: ClientConnection, stream: Stream, session: AlpacaSession) -> None:
    await _answer(socket, stream, Told, session)
    options = session.options
    key, secret = revealed(options.api_key), revealed(options.secret_key)
    await socket.send(stream.encode({"action": "auth", "key": key, "secret": secret}))
    await _answer(socket, stream, Told, session)


async def _subscribed(socket: ClientConnection, stream: Stream) -> None:
    """Raises NotFound for the first symbol that Alpaca leaves out of its confirmation."""
    await socket.send(stream.encode({"action": "subscribe", **stream.topics}))
    told = await _answer(socket, stream, Subscribed, None)
    for channel, symbols in stream.topics.items():
        confirmed = getattr(told, channel, symbols)
        for symbol in symbols:
            if symbol not in confirmed:
                raise NotFound(f"Alpaca does not stream {symbol}.", symbol=symbol)


async def _answer(
    socket: ClientConnection,
    stream: Stream,
    wanted: type[Told] | type[Subscribed],
    session: AlpacaSession | None,
) -> Told | Subscribed:
    """The next control message, which must be of this kind."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                for message in stream.decode(await socket.recv()):
                    if isinstance(message, Refused):
                        raise failure(message, session)
                    if isinstance(message, wanted):
                        return message
    except TimeoutError:
        raise FeedLost(f"Alpaca said nothing for {ANSWER_SECONDS:.0f} s.", api_name=_NAME) from None


def failure(said: Refused, session: AlpacaSession | None = None) -> Exception:
    """What an error of the stream means for us: act, or connect again."""
    sentence = f"Alpaca refused the stream: {said.msg} ({said.code})."
    if said.code in _KEY_CODES and session is not None:
        return session.vendor.refusal(sentence, said.code)
    if said.code == TOO_MANY_SYMBOLS:
        return FeedRefused(
            sentence,
            api_name=_NAME,
            status_code=said.code,
            remedy="Stream minute bars (LIVE_CHANNELS=bars), which are not limited, or fewer"
            " symbols, or take a plan that allows more.",
        )
    if said.code in _PLAN_CODES:
        return plan_refusal(sentence, said.code)
    if said.code in _OUR_FAULT:
        return FeedRefused(sentence, api_name=_NAME, status_code=said.code)
    remedy = None
    if said.code == TOO_MANY_CONNECTIONS:
        # Our own last connection counts until Alpaca notices its end: so try again.
        remedy = "End other programs that stream with this key: the plan allows one connection."
    return FeedLost(sentence, api_name=_NAME, status_code=said.code, remedy=remedy)


def _unwelcome(status: int, session: AlpacaSession) -> Exception:
    """An HTTP answer instead of a socket."""
    sentence = f"Alpaca answered {status} instead of opening the stream."
    if status in (401, 402, 403):
        return session.vendor.refusal(sentence, status)
    return FeedLost(sentence, api_name=_NAME, status_code=status)


def _lost(what: str, error: Exception) -> FeedLost:
    said = str(error) or type(error).__name__
    return FeedLost(f"Alpaca's stream {what} ({said}).", api_name=_NAME)


_NAME: Final = "alpaca"
_SPELLED: Final = msgspec.json.Decoder(Frame)
_PACKED: Final = msgspec.msgpack.Decoder(Frame)
