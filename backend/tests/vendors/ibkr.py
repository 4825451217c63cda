"""A TWS or Gateway on this machine: the socket protocol, with faults switched on by methods.

What it answers comes from parts (`ibkr_market`, `ibkr_account`, `ibkr_orders`): a part brings
handlers by message id, and `IbkrLoopback.add` takes more of them.
"""

import asyncio
import struct
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

from tests.vendors.ibkr_account import Account
from tests.vendors.ibkr_market import Market
from tests.vendors.ibkr_orders import Orders
from tests.vendors.ibkr_wire import Fields, frame, garbled

OLDEST_VERSION: Final = 157
NEWEST_VERSION: Final = 178
"Server versions; the one talked is the newest that the client knows too."
CLIENT_ID_IN_USE: Final = 326
SERVERS_LOST, SERVERS_BACK_DATA_LOST, SERVERS_BACK = 1100, 1101, 1102
FARM_BROKEN, FARM_OK, HISTORY_OK, DEFINITIONS_OK = 2103, 2104, 2106, 2158
HISTORY: Final = 20
PACING: Final = (
    "Historical Market Data Service error message:Historical data request pacing violation"
)
Handler = Callable[["Caller", Fields], None]


@dataclass(eq=False)
class Caller:
    """One connected client. Requests are answered in the order in which they came."""

    server: "IbkrLoopback"
    writer: asyncio.StreamWriter
    version: int = 0
    client_id: int = -1
    lines: dict[int, Any] = field(default_factory=dict)
    "What it is subscribed to, by request id."
    was_fed: bool = False

    def answer(self, *fields: object) -> None:
        """Send what the protocol owes the client: no fault touches it."""
        self.raw(frame(*fields))

    def say(self, *fields: object) -> None:
        """Send news, through the faults that are on."""
        for message in self.server.distorted(self, frame(*fields)):
            message[0].raw(message[1])

    def error(self, request: int, code: int, said: str, *, is_news: bool = False) -> None:
        fields: list[object] = [4, 2, request, code, said]
        if self.version >= 166:
            fields.append("")
        (self.say if is_news else self.answer)(*fields)

    def raw(self, content: bytes) -> None:
        if not self.writer.is_closing():
            self.writer.write(content)

    def abort(self) -> None:
        self.writer.transport.abort()


class IbkrLoopback:
    """`kill` takes it away, `start` brings it back on the same port; faults have methods."""

    def __init__(self, account: str = "DU1234567") -> None:
        self.port = 0
        self.callers: list[Caller] = []
        self.accepted = 0
        "Connections that signed in so far."
        self.feeds = 0
        "How often a client that had no market data line asked for the first of some."
        self.asked: list[tuple[int, Fields]] = []
        self.next_order_id = 1
        self.newest_version = NEWEST_VERSION
        self.asks_for_consent = False
        "Whether nobody has clicked the dialog that lets the client in: silence."
        self.hangs_up = False
        "Whether the address of the client is not among the trusted ones: connections are closed."
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.market = Market(self)
        self.account = Account(account)
        self.orders = Orders(self)
        self._handlers: dict[int, Handler] = {71: self._start_api}
        self.add(self.market.handlers())
        self.add(self.account.handlers())
        self.add(self.orders.handlers())
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._audible = asyncio.Event()
        self._audible.set()
        self._faults: dict[int, deque[tuple[int, str]]] = {}
        self._delay = 0.0
        self._doubled = False
        self._held: list[tuple[Caller, bytes]] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.kill()

    @property
    def variables(self) -> dict[str, str]:
        """Settings of a client that finds this server."""
        return {"IBKR_HOST": "127.0.0.1", "IBKR_PORT": str(self.port)}

    def add(self, handlers: Mapping[int, Handler]) -> None:
        """Answer more message ids, or answer some differently."""
        self._handlers.update(handlers)

    def counted(self) -> Counter[int]:
        """How often each message id came."""
        return Counter(number for number, _ in self.asked)

    # --------------------------------------------------------------------------- faults

    async def start(self) -> None:
        """Serve, on the port of the last time if there was one."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        """No server any more: sockets are cut without a word, new connections are refused."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        self.drop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await server.wait_closed()

    async def restart(self, next_order_id: int | None = None) -> None:
        """The nightly restart; order ids may begin anew, or with `next_order_id`."""
        await self.kill()
        self.next_order_id = next_order_id or self.next_order_id
        await self.start()

    def drop(self) -> None:
        """Cut every connection; new ones are welcome."""
        for caller in list(self.callers):
            caller.abort()

    def mute(self, on: bool = True) -> None:
        """Connections stay open and say nothing; news are lost, answers wait until it is over."""
        if on:
            self._audible.clear()
        else:
            self._audible.set()

    def delay(self, seconds: float) -> None:
        """Every request is handled so much later; the order stays."""
        self._delay = seconds

    def duplicate(self, on: bool = True) -> None:
        """All news come twice."""
        self._doubled = on

    def reorder(self, on: bool = True) -> None:
        """Every two news change places."""
        self._held = [] if on else None

    def garbage(self) -> None:
        """A frame that claims to be two gigabytes long, to every client."""
        for caller in list(self.callers):
            caller.raw(garbled())

    def fail(self, message: int, code: int, said: str, times: int = 1) -> None:
        """The next requests with this message id are answered with an error."""
        self._faults.setdefault(message, deque()).extend([(code, said)] * times)

    def throttle(self, times: int = 1) -> None:
        """The next requests for history violate the pacing rules."""
        self.fail(HISTORY, 162, PACING, times)

    def lose_servers(self) -> None:
        """The Gateway stays, its way to IBKR's servers is lost."""
        self.announce(SERVERS_LOST, "Connectivity between IB and Trader Workstation has been lost.")

    def find_servers(self, *, data_lost: bool = False) -> None:
        """And is found again; subscriptions may have to be made again."""
        said = "Connectivity between IB and Trader Workstation has been restored - data "
        if data_lost:
            for caller in self.callers:
                caller.lines.clear()
            self.announce(SERVERS_BACK_DATA_LOST, f"{said}lost.")
        else:
            self.announce(SERVERS_BACK, f"{said}maintained.")

    def farm(self, name: str, *, is_up: bool) -> None:
        """A market data farm breaks, or is there again."""
        if is_up:
            self.announce(FARM_OK, f"Market data farm connection is OK:{name}")
        else:
            self.announce(FARM_BROKEN, f"Market data farm connection is broken:{name}")

    def compete(self) -> None:
        """The user signs in elsewhere and takes the market data with them."""
        for caller in self.callers:
            for request in list(caller.lines):
                caller.error(request, 10197, "No market data during competing live session")

    def announce(self, code: int, said: str) -> None:
        """A message to every client."""
        for caller in self.callers:
            caller.error(-1, code, said, is_news=True)

    def distorted(self, caller: Caller, message: bytes) -> list[tuple[Caller, bytes]]:
        """What comes of news under the faults that are on."""
        if not self._audible.is_set():
            return []
        messages = [(caller, message)] * (2 if self._doubled else 1)
        if self._held is None:
            return messages
        self._held += messages
        if len(self._held) < 2:
            return []
        swapped, self._held = self._held[::-1], []
        return swapped

    # ---------------------------------------------------------------------- connections

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        caller = Caller(self, writer)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                await self._talk(caller, reader)
        finally:
            if caller in self.callers:
                self.callers.remove(caller)
            caller.abort()
            self._tasks.discard(task)

    async def _talk(self, caller: Caller, reader: asyncio.StreamReader) -> None:
        if self.hangs_up:
            return
        assert await reader.readexactly(4) == b"API\0"
        caller.version = self._negotiated((await self._read(reader)).decode())
        if self.asks_for_consent:
            await asyncio.Event().wait()
        await self._audible.wait()
        caller.answer(caller.version, self.now().strftime("%Y%m%d %H:%M:%S UTC"))
        while not caller.writer.is_closing():
            fields = Fields((await self._read(reader)).decode().split("\0")[:-1])
            await asyncio.sleep(self._delay)
            await self._audible.wait()
            self._handle(caller, fields)
            await caller.writer.drain()

    def _negotiated(self, offered: str) -> int:
        """v157..178, perhaps with options behind a blank."""
        newest = int(offered.split(" ")[0].removeprefix("v").split("..")[-1])
        return min(newest, self.newest_version)

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        return await reader.readexactly(length)

    def _handle(self, caller: Caller, fields: Fields) -> None:
        message = fields.whole()
        self.asked.append((message, Fields(fields.values)))
        faults = self._faults.get(message)
        if faults:
            code, said = faults.popleft()
            caller.error(fields.request(message), code, said)
        elif message in self._handlers:
            self._handlers[message](caller, fields)
        else:
            caller.error(-1, 505, f"Fatal Error: Unknown message id. ({message})")

    def _start_api(self, caller: Caller, fields: Fields) -> None:
        fields.skip(1)
        caller.client_id = fields.whole()
        if caller.client_id in {known.client_id for known in self.callers}:
            said = "Unable to connect as the client id is already in use."
            caller.error(-1, CLIENT_ID_IN_USE, said)
            caller.writer.close()
            return
        self.callers.append(caller)
        self.accepted += 1
        caller.answer(15, 1, self.account.name)
        caller.answer(9, 1, self.next_order_id)
        caller.error(-1, FARM_OK, "Market data farm connection is OK:usfarm")
        caller.error(-1, HISTORY_OK, "HMDS data farm connection is OK:ushmds")
        caller.error(-1, DEFINITIONS_OK, "Sec-def data farm connection is OK:secdefnj")


if __name__ == "__main__":
    from tests.vendors.ibkr_process import main

    main()
