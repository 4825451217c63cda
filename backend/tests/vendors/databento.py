"""Databento on this machine: the live gateway as its clients know it, and the history API."""

import asyncio
import hashlib
import secrets
import time
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

import databento_dbn as dbn

from app.domain.options import is_occ, parse_occ
from tests.vendors import databento_records as records
from tests.vendors.databento_history import HistoryApi
from tests.vendors.databento_records import INSTRUMENTS, Event
from tests.vendors.loopback import until

KEY: Final = "db-0123456789abcdefghijklmnopqrs"
_BUCKET: Final = 5
_DATASETS: Final = ("XNAS.ITCH", "OPRA.PILLAR", "EQUS.MINI")


def raw(symbol: str) -> str:
    return parse_occ(symbol).padded if is_occ(symbol) else symbol


class DatabentoLoopback:
    """Both APIs of Databento. `publish` shows an event to who is subscribed, and remembers it.

    What is remembered is replayed to sessions that subscribe with `start`, so that what a fault
    swallowed can be fetched again, as from the real gateway.
    """

    def __init__(self) -> None:
        self.history = HistoryApi(KEY)
        self.sessions: list[Session] = []
        self.connections = 0
        self.events: list[Event] = []
        self.key_is_valid = True
        self.heartbeat_seconds = 0.1
        self.port = 0
        self.muted = False
        self._doubled = False
        self._held: deque[Event] | None = None
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.history.start()
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.kill()
        await self.history.stop()

    @property
    def gateway(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return self.history.url

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point the adapter here."""
        return {
            "DATABENTO_API_KEY": KEY,
            "DATABENTO_GATEWAY": self.gateway,
            "DATABENTO_BASE_URL": self.base_url,
        }

    async def start(self) -> None:
        """Serve, on the port of the last time if there was one."""
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    # --------------------------------------------------------------------------- events

    def publish(self, *events: Event) -> None:
        """Something happens: it is remembered, and shown to who is subscribed."""
        self.events.extend(events)
        for event in self._order(events):
            for session in self.sessions:
                for _ in range(2 if self._doubled else 1):
                    session.show(event)

    # --------------------------------------------------------------------------- faults

    async def kill(self) -> None:
        """No gateway any more: sessions are cut, new connections refused."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        self.drop()
        await server.wait_closed()
        await until(lambda: not self.sessions)

    def drop(self) -> None:
        """Cut every session without a word; new connections are welcome."""
        for session in list(self.sessions):
            session.abort()

    def mute(self, on: bool = True) -> None:
        """Sessions stay open and say nothing; what they would have said can be replayed.

        One that starts meanwhile begins when the gateway speaks again.
        """
        self.muted = on
        if not on:
            for session in self.sessions:
                session.begin()

    def duplicate(self, on: bool = True) -> None:
        """Everything is shown twice."""
        self._doubled = on

    def reorder(self, on: bool = True) -> None:
        """Every two events change places."""
        self._held = deque() if on else None

    def garbage(self, what: bytes = b"\x00\x01 this is no DBN, by any means ") -> None:
        """Something that nobody can read, into every session."""
        for session in self.sessions:
            session.write(what)

    def complain(self, text: str, code: Any) -> None:
        """An error record to every session."""
        for session in self.sessions:
            session.write(records.error(text, code, time.time_ns()))

    def warn(self, text: str, code: Any) -> None:
        """A system message to every session."""
        for session in self.sessions:
            session.write(records.system(text, code, time.time_ns()))

    def expire_key(self) -> None:
        """The key is refused from now on by both APIs; open sessions are told and cut."""
        self.key_is_valid = self.history.key_is_valid = False
        self.complain("API key was deactivated", dbn.ErrorCode.API_KEY_DEACTIVATED)
        for session in self.sessions:
            session.writer.close()

    # -------------------------------------------------------------------------- helpers

    def _order(self, events: tuple[Event, ...]) -> list[Event]:
        if self._held is None:
            return list(events)
        self._held.extend(events)
        shown: list[Event] = []
        while len(self._held) >= 2:
            first, second = self._held.popleft(), self._held.popleft()
            shown += [second, first]
        return shown

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        session = Session(self, reader, writer)
        self.sessions.append(session)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await session.run()
        finally:
            self.sessions.remove(session)
            writer.close()


class Session:
    """One client of the gateway."""

    def __init__(
        self, vendor: DatabentoLoopback, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.vendor = vendor
        self.writer = writer
        self.asked: list[dict[str, str]] = []
        "Everything that the client said, line by line."
        self.subscriptions: list[dict[str, str]] = []
        self.is_started = False
        self.streaming = False
        self._reader = reader
        self._dataset = ""

    @property
    def symbols(self) -> set[str]:
        """Raw symbols that are subscribed, parents aside."""
        said = (one for one in self.subscriptions if one.get("stype_in") != "parent")
        return {symbol for one in said for symbol in one["symbols"].split(",")}

    async def run(self) -> None:
        if not await self._sign_in():
            return
        heart: asyncio.Task[None] | None = None
        try:
            while line := await self._reader.readline():
                said = self._parse(line)
                if "schema" in said:
                    self.subscriptions.append(said)
                    if self.streaming:
                        self._answer(said)
                elif "start_session" in said:
                    self.is_started = True
                    self.begin()
                    heart = asyncio.create_task(self._beat())
        finally:
            if heart is not None:
                heart.cancel()

    def show(self, event: Event) -> None:
        """An event, in each schema that is subscribed for its symbol."""
        if not self.streaming:
            return
        for said in self.subscriptions:
            if said["schema"] not in event.shown:
                continue
            if said.get("stype_in") == "parent":
                parent = f"{event.symbol[:6].strip()}.OPT"
                if parent in said["symbols"].split(","):
                    self.write(records.mapping(event.symbol, event.at, parent))
                    self.write(event.shown[said["schema"]])
            elif event.symbol in said["symbols"].split(","):
                self.write(event.shown[said["schema"]])

    def write(self, data: bytes) -> None:
        if not self.vendor.muted:
            self.writer.write(data)

    def abort(self) -> None:
        self.writer.transport.abort()

    # -------------------------------------------------------------------------- helpers

    async def _sign_in(self) -> bool:
        challenge = secrets.token_hex(16)
        self.writer.write(f"lsg_version=0.7.2\ncram={challenge}\n".encode())
        said = self._parse(await self._reader.readline())
        digest = hashlib.sha256(f"{challenge}|{KEY}".encode()).hexdigest()
        expected = f"{digest}-{KEY[-_BUCKET:]}"
        if said.get("auth") != expected or not self.vendor.key_is_valid:
            self._refuse("Authentication failed.")
            return False
        if said.get("dataset") not in _DATASETS or said.get("encoding") != "dbn":
            self._refuse(f"Unknown dataset {said.get('dataset')}")
            return False
        self._dataset = said["dataset"]
        self.writer.write(b"success=1|session_id=1700000000\n")
        return True

    def _refuse(self, why: str) -> None:
        self.writer.write(f"success=0|error={why}\n".encode())

    def begin(self) -> None:
        """The stream starts, if that was asked for, has not happened yet and nothing hinders it."""
        if not self.is_started or self.streaming or self.vendor.muted:
            return
        self.writer.write(records.live_head(self._dataset, time.time_ns()))
        self.streaming = True
        for said in self.subscriptions:
            self._answer(said)

    def _answer(self, said: dict[str, str]) -> None:
        """Acknowledge, name the instruments, and replay what is due."""
        now = time.time_ns()
        for symbol in said["symbols"].split(","):
            if said.get("stype_in") == "parent":
                continue  # named one by one, when there is something to say of them
            if symbol in INSTRUMENTS:
                self.write(records.mapping(symbol, now))
            else:
                code = dbn.ErrorCode.SYMBOL_RESOLUTION_FAILED
                self.write(records.error(f"Failed to resolve symbol: {symbol}", code, now))
        text = f"Subscription request 1 for {said['schema']} data succeeded"
        self.write(records.system(text, dbn.SystemCode.SUBSCRIPTION_ACK, now))
        if "start" in said:
            self._replay(said)

    def _replay(self, said: dict[str, str]) -> None:
        symbols, schema = said["symbols"].split(","), said["schema"]
        for event in self.vendor.events:
            due = event.symbol in symbols and event.at >= int(said["start"])
            if due and schema in event.shown:
                self.write(event.shown[schema])
        done = dbn.SystemCode.REPLAY_COMPLETED
        self.write(records.system(f"Finished {schema} replay", done, time.time_ns()))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.vendor.heartbeat_seconds)
            beat = records.system("Heartbeat", dbn.SystemCode.HEARTBEAT, time.time_ns())
            self.write(beat)

    def _parse(self, line: bytes) -> dict[str, str]:
        fields = line.decode().strip().split("|")
        said = {name: value for name, _, value in (field.partition("=") for field in fields)}
        self.asked.append(said)
        return said
