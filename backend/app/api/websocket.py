"""/ws: sign in, subscribe, resume by seq; facts in order without loss, prices the newest only."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import orjson
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.websockets import WebSocketState

from app.api import topics
from app.api.gate import address_of, cookie_of
from app.api.parts import Parts
from app.api.topics import JobTopic, JournalTopic, PriceTopic
from app.api.wire import ClientDisconnected, finisher, frame_writer
from app.core.errors import (
    Forbidden,
    InvalidInput,
    NotFound,
    TooManyRequests,
    TradewrightError,
    Unauthenticated,
)
from app.core.logging import get_logger
from app.core.tasks import end
from app.domain.users import Caller, Scope
from app.events.hub import Subscription
from app.events.outbox import Message, Outbox
from app.events.prices import price_text
from app.repositories import deployment_reports, job_runs, stocks
from app.services.tickets import PREFIX

SIGN_IN_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 1.0
MOST_TOPICS: Final = 500
PORTION: Final = 64 * 1024
UNAUTHENTICATED: Final = 4401
FORBIDDEN: Final = 4403
TOO_LATE: Final = 4408
RESYNC: Final = 4409
TOO_MANY: Final = 4429

router = APIRouter()
log = get_logger("api")


@router.websocket("/ws")
async def live(websocket: WebSocket) -> None:
    """One client, from the handshake to the close."""
    parts: Parts = websocket.app.state.parts
    if not parts.gate.may_open_socket(websocket):
        await websocket.close(FORBIDDEN, "Other origins may not connect.")
        return
    try:
        await parts.gate.limits.admit("sockets", address_of(websocket))
    except TooManyRequests as error:
        await websocket.close(TOO_MANY, error.message)
        return
    await Client(websocket, parts).serve()


class Client:
    """One connection: a reader that obeys, a writer that drains the outbox."""

    def __init__(self, websocket: WebSocket, parts: Parts) -> None:
        self.caller: Caller | None = None
        self._socket = websocket
        self._parts = parts
        self._outbox = Outbox(
            lambda: self.end(RESYNC, "You read too slowly; resume from your last seq.")
        )
        self._journal: dict[str, Subscription] = {}
        self._prices: dict[str, str] = {}
        self._jobs: set[str] = set()
        self._resync = ""
        self._replays: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    def end(self, code: int, reason: str) -> None:
        """Close the connection soon, from wherever."""
        if not self._ended.done():
            self._ended.set_result((code, reason))

    async def serve(self) -> None:
        """Until the client goes, or has to."""
        await self._socket.accept()
        await self._greet()
        tasks: list[asyncio.Future[Any]] = [
            asyncio.create_task(part) for part in (self._write(), self._read())
        ]
        try:
            await asyncio.wait([self._ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end([*tasks, *self._replays])
            if self._outbox.is_full:
                self._resync = orjson.dumps({"op": "resync", "from_seq": self._reached()}).decode()
            await self._leave()
            await self._close()

    async def _greet(self) -> None:
        """The cookie or a ticket in the address signs in at once."""
        ticket = self._socket.query_params.get("ticket")
        cookie = cookie_of(self._socket)
        caller = None
        if ticket:
            caller = await self._redeemed(ticket)
        elif cookie and self._socket.headers.get("origin") is not None:
            caller = await self._parts.access.by_session(cookie)
        if caller is not None:
            self._enter(caller)

    async def _close(self) -> None:
        code, reason = self._ended.result() if self._ended.done() else (1000, "")
        if self._socket.client_state is not WebSocketState.CONNECTED:
            return
        finish = finisher(self._socket.scope)
        if code == RESYNC and finish is not None:
            finish(Message(self._resync), code, reason)
            return
        # A client that has stopped reading would keep us here.
        with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
            async with asyncio.timeout(CLOSE_SECONDS):
                if code == RESYNC:
                    await self._socket.send_text(self._resync)
                await self._socket.close(code, reason)

    # ------------------------------------------------------------------------------ reading

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SIGN_IN_SECONDS
        while True:
            left = deadline - loop.time() if self.caller is None else None
            try:
                async with asyncio.timeout(left):
                    message = await self._socket.receive()
            except TimeoutError:
                if self.caller is None:
                    self.end(TOO_LATE, "Nobody signed in within 10 s.")
                    return
                continue
            if message["type"] != "websocket.receive":
                return
            await self._obey(message.get("text") or message.get("bytes") or "")

    async def _obey(self, text: str | bytes) -> None:
        try:
            body = orjson.loads(text)
        except orjson.JSONDecodeError:
            self._error("invalid_json", "The message is not JSON.", HELP)
            return
        if not isinstance(body, dict):
            self._error("invalid_message", "The message is not an object.", HELP)
            return
        try:
            await self._operate(body)
        except TradewrightError as error:
            self._error(error.code, error.message, error.remedy, body)

    async def _operate(self, body: Mapping[str, Any]) -> None:
        match body.get("op"):
            case "ping":
                self._say({"op": "pong", "at": self._parts.clock.now()}, body)
            case "auth":
                await self._authenticate(body)
            case "subscribe":
                await self._subscribe(self._known(), body)
            case "unsubscribe":
                await self._unsubscribe(body)
            case other:
                raise InvalidInput(f"There is no op {str(other)[:50]!r}.", field="op", remedy=HELP)

    async def _authenticate(self, body: Mapping[str, Any]) -> None:
        token = body.get("token")
        if not isinstance(token, str) or not token:
            if self.caller is not None:
                self._say({"op": "authenticated", "user_id": self.caller.user_id}, body)
                return
            raise InvalidInput("auth needs a token.", field="token", remedy=HELP)
        if self.caller is not None:
            raise InvalidInput("Somebody is signed in on this connection already.", field="op")
        await self._parts.gate.limits.admit("refused", address_of(self._socket))
        try:
            self._enter(await self._who(token), body)
        except Unauthenticated as error:
            self._error(error.code, error.message, error.remedy, body)
            self.end(UNAUTHENTICATED, error.message)

    async def _who(self, token: str) -> Caller:
        if token.startswith(PREFIX):
            caller = await self._redeemed(token)
            if caller is None:
                raise Unauthenticated(
                    "The ticket is unknown, used, older than 30 s, or its sign-in was ended."
                )
            return caller
        return await self._parts.access.by_bearer(token, address_of(self._socket))

    async def _redeemed(self, ticket: str) -> Caller | None:
        """Whom a ticket stands for; None when it is over, or they may do something else by now."""
        caller = await self._parts.tickets.redeem(ticket)
        if caller is None or not caller.may_as(await self._parts.access.renewed(caller)):
            return None
        return caller

    def _enter(self, caller: Caller, body: Mapping[str, Any] | None = None) -> None:
        if Scope.READ not in caller.scopes:
            raise Forbidden("This needs the scope read.")
        if not self._parts.sockets.admit(self, caller):
            self.end(TOO_MANY, "Five connections a person are the most.")
            return
        self.caller = caller
        self._say({"op": "authenticated", "user_id": caller.user_id}, body)

    def _known(self) -> Caller:
        if self.caller is None:
            raise Unauthenticated("Nobody is signed in on this connection.", remedy=HELP)
        return self.caller

    # ------------------------------------------------------------------------ subscriptions

    async def _subscribe(self, caller: Caller, body: Mapping[str, Any]) -> None:
        names = _names(body)
        start = _positions(caller, body, names)
        if len([*self._journal, *self._prices, *self._jobs, *names]) > MOST_TOPICS:
            raise InvalidInput(f"{MOST_TOPICS} topics are the most.", field="topics")
        parsed = [topics.parse(name) for name in names]
        channels = {}
        for topic in parsed:
            if isinstance(topic, PriceTopic):
                channels[topic.name] = await self._channel(caller, topic)
            elif isinstance(topic, JobTopic):
                await self._check_run(topic)
            else:
                await self._check(caller, topic)
        heads = {
            stream: seq
            for stream, seq in self._parts.hub.positions.items()
            if topics.sees(caller, stream)
        }
        _check_positions(start, heads)
        self._say({"op": "subscribed", "topics": names, "seq": {**heads, **start}}, body)
        for topic in parsed:
            if isinstance(topic, JournalTopic):
                self._follow(caller, topic, start)
            elif isinstance(topic, JobTopic):
                self._jobs.add(topic.name)
                self._parts.job_feed.follow(topic.name, self._outbox)
            else:
                await self._watch(topic, channels[topic.name])

    def _follow(self, caller: Caller, topic: JournalTopic, start: Mapping[str, int]) -> None:
        hub = self._parts.hub
        if topic.name in self._journal:
            hub.unsubscribe(self._journal.pop(topic.name))
        subscription = Subscription(
            topic.name, self._outbox, lambda stream: topics.sees(caller, stream), dict(start)
        )
        hub.subscribe(subscription, start)
        self._journal[topic.name] = subscription
        for stream in start:
            task = asyncio.create_task(hub.replay(subscription, stream))
            self._replays.add(task)
            task.add_done_callback(self._replays.discard)

    async def _watch(self, topic: PriceTopic, channel: str) -> None:
        prices = self._parts.prices
        self._prices[topic.name] = channel
        await prices.subscribe(channel, topic.name, self._outbox)
        if topic.timeframe is None:
            dataset = channel.removeprefix("quotes:").rpartition(":")[0]
            last = await self._parts.market.newest(topic.symbol, dataset)
            if last is not None:
                self._outbox.put_price(topic.name, Message(price_text(topic.name, last)))

    async def _channel(self, caller: Caller, topic: PriceTopic) -> str:
        await stocks.get(self._parts.pool, topic.symbol)
        return topic.channel(await self._parts.market.dataset(caller, None, topic.dataset))

    async def _check(self, caller: Caller, topic: JournalTopic) -> None:
        if topic.account is not None and not caller.may_see(topic.account):
            raise Forbidden(f"There is no account {topic.account} for you.")
        if topic.deployment is not None:
            await deployment_reports.get(self._parts.pool, topic.deployment, caller.visible)

    async def _check_run(self, topic: JobTopic) -> None:
        """Who may read may see every run, as over HTTP."""
        if topic.run is not None and not await job_runs.by_ids(self._parts.pool, [topic.run]):
            raise NotFound(f"There is no run {topic.run}.", remedy="See GET /api/jobs.")

    async def _unsubscribe(self, body: Mapping[str, Any]) -> None:
        names = _names(body)
        for name in names:
            await self._drop(name)
        self._say({"op": "unsubscribed", "topics": names}, body)

    async def _drop(self, name: str) -> None:
        if name in self._journal:
            self._parts.hub.unsubscribe(self._journal.pop(name))
        if name in self._jobs:
            self._jobs.discard(name)
            self._parts.job_feed.leave(name, self._outbox)
        channel = self._prices.pop(name, None)
        if channel is not None:
            await self._parts.prices.unsubscribe(channel, name, self._outbox)
            self._outbox.drop_price(name)

    async def _leave(self) -> None:
        self._parts.sockets.leave(self)
        for name in [*self._journal, *self._prices, *self._jobs]:
            await self._drop(name)

    # ------------------------------------------------------------------------------ writing

    async def _write(self) -> None:
        """The only sender, so that a slow client waits here and nowhere else."""
        write = frame_writer(self._socket.scope) or self._one_by_one
        with suppress(WebSocketDisconnect, ClientDisconnected, RuntimeError):
            while True:
                messages = await self._outbox.take()
                for some in _portions(messages):
                    await write(some)
                    self._parts.sockets.sent += len(some)

    async def _one_by_one(self, messages: Sequence[Message]) -> None:
        """For servers that do not take frames."""
        for message in messages:
            await self._socket.send_text(message.text)

    def _reached(self) -> dict[str, int]:
        """Where a client that was too slow has to resume, by stream."""
        found: dict[str, int] = {}
        for subscription in self._journal.values():
            for stream, seq in subscription.positions.items():
                if topics.sees(self._known(), stream):
                    found[stream] = max(seq, found.get(stream, 0))
        return found | {stream: seq - 1 for stream, seq in self._outbox.unsent.items()}

    def _say(self, answer: dict[str, Any], body: Mapping[str, Any] | None) -> None:
        if body is not None and "id" in body:
            answer["id"] = body["id"]
        self._outbox.put(orjson.dumps(answer, option=orjson.OPT_UTC_Z).decode())

    def _error(
        self, code: str, detail: str, remedy: str | None, body: Mapping[str, Any] | None = None
    ) -> None:
        self._say({"op": "error", "code": code, "detail": detail, "remedy": remedy}, body)


HELP: Final = (
    'Send {"op": "auth", "token": "tw_…"}, {"op": "subscribe", "topics": ["events"]},'
    ' {"op": "unsubscribe", "topics": […]} or {"op": "ping"}.'
)


def _portions(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """Runs of messages of about `PORTION` characters: each is one write."""
    first = size = 0
    for index, message in enumerate(messages):
        size += len(message.text)
        if size >= PORTION:
            yield messages[first : index + 1]
            first, size = index + 1, 0
    if first < len(messages):
        yield messages[first:]


def _names(body: Mapping[str, Any]) -> list[str]:
    names = body.get("topics")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise InvalidInput("topics is a list of names.", field="topics", remedy=topics.HELP)
    return list(dict.fromkeys(names))


def _positions(caller: Caller, body: Mapping[str, Any], names: list[str]) -> dict[str, int]:
    """Where to resume, by stream: `from`, or `from_seq` for a topic of one stream."""
    found = body.get("from") or {}
    if "from_seq" in body:
        if len(names) != 1 or not names[0].startswith("account:"):
            raise InvalidInput(
                "from_seq is for a single topic account:ID.",
                field="from_seq",
                remedy='Use "from": {"account:1": 120}.',
            )
        found = {names[0]: body["from_seq"]}
    if not isinstance(found, dict):
        raise InvalidInput('from is an object, e.g. {"account:1": 120}.', field="from")
    for stream, seq in found.items():
        if not isinstance(seq, int) or isinstance(seq, bool) or seq < 0:
            raise InvalidInput("A seq is a whole number from 0 on.", field="from")
        if stream != "system" and not stream.removeprefix("account:").isdigit():
            raise InvalidInput(f"There is no stream {stream[:50]!r}.", field="from")
        if not topics.sees(caller, stream):
            raise Forbidden(f"There is no stream {stream} for you.")
    return dict(found)


def _check_positions(start: Mapping[str, int], heads: Mapping[str, int]) -> None:
    for stream, seq in start.items():
        if seq > heads.get(stream, 0):
            raise InvalidInput(
                f"Stream {stream} ends at {heads.get(stream, 0)}, before {seq}.",
                field="from",
                remedy="Load the state again, then resume from the stream's end.",
            )
