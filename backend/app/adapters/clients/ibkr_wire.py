"""One socket to TWS or the Gateway by ib_async (or ib_insync), with what the library leaves out.

Both run on asyncio's loop; their blocking calls and their patches of asyncio are never used. The
library is taken as it is, but for seven things: subscriptions can be heard raw, because its tickers
replace the exchange's time by ours; orders too, because it takes warnings about an order for its
end; what it cannot read of them ends the connection; ids never go back, though the Gateway's do;
garbage on the socket ends it; requests fail also by codes that the library takes for warnings; its
log, which calls every empty answer an error, is silent.
"""

import asyncio
import importlib
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from app.adapters.clients.ibkr_errors import NAME
from app.adapters.clients.ibkr_options import Library
from app.core.errors import FeedRefused

LARGEST_FRAME: Final = 1 << 24
"Bytes; scanner parameters, the longest message there is, are some 2 MB."
HEARD: Final = (
    "priceSizeTick",
    "tickSize",
    "tickString",
    "tickGeneric",
    "tickOptionComputation",
    "tickByTickAllLast",
    "tickByTickBidAsk",
    "tickReqParams",
    "marketDataType",
)
"What the wrapper is told of subscriptions, by request id."
OF_ORDERS: Final = (
    "openOrder",
    "orderStatus",
    "execDetails",
    "commissionReport",
    "completedOrder",
    "position",
    "accountSummary",
)
"What the wrapper is told of orders and of the account, whoever asked."
ORDER_MESSAGES: Final = frozenset({"3", "5", "11", "59", "61", "63", "101"})
"By the number in the protocol: each makes one of `OF_ORDERS`."
NO_ID: Final = (1 << 31) - 1
"TWS's number for none."
_HEADER: Final = 4

Notice = Callable[[int, int, str], None]
"Request id (-1: none), code and text of a message."
Ear = Callable[[str, tuple[Any, ...]], None]
"One of `OF_ORDERS`, and the arguments of the wrapper's method."


class Line(Protocol):
    """One subscription's ear."""

    def hear(self, what: str, *said: Any) -> None:  # noqa: ANN401 - each message has its own fields
        """A message as the decoder has it: the wrapper's method and its arguments."""
        ...


class Wire:
    """The library's `ib` object and our ears on it. `ended` is called when the socket is gone."""

    def __init__(self, library: Library, notice: Notice, ended: Callable[[], None]) -> None:
        # Once imported it asks asyncio's policy for a loop, which does not look at the running one.
        asyncio.set_event_loop(asyncio.get_running_loop())
        try:
            module = importlib.import_module(library)
        except ImportError:
            raise FeedRefused(
                f"The library {library}, which IBKR_CLIENT names, is not installed.",
                api_name=NAME,
                remedy=f"pip install -e '.[{library}]', or set IBKR_CLIENT=ib_async.",
            ) from None
        logging.getLogger(library).setLevel(logging.CRITICAL + 1)
        logging.getLogger(f"{library}.Decoder").setLevel(logging.WARNING)
        self.module: Any = module
        self.ib: Any = module.IB()
        self.lines: dict[int, Line] = {}
        self.ears: list[Ear] = []
        "Who trades hears of orders instead of the library; each account has an ear."
        self.asking = asyncio.Lock()
        "Held by who asks what is answered without a number."
        self.lowest_id = 0
        "No id below this is given out any more, whatever the Gateway says after a restart."
        self.trouble: str | None = None
        "Why we hung up, in words."
        self.request_error: type[Exception] = module.RequestError
        self._understood = 0
        "Messages of orders that the library could read."
        self._notice = notice
        self._ended = ended
        self._frames = Frames()
        self.ib.RaiseRequestErrors = True
        self.ib.errorEvent += self._on_error
        self.ib.client.conn.disconnected += self._on_end
        self.ib.client.conn.hasData += self._on_data
        for name in HEARD:
            self._listen(name)
        for name in OF_ORDERS:
            self._listen_to_orders(name)
        self._keep_ids()
        self._guard_decoder()

    @property
    def is_ready(self) -> bool:
        return bool(self.ib.client.isReady())

    async def connect(self, host: str, port: int, client_id: int, seconds: float) -> None:
        """Open the socket and start the API: nothing is asked about accounts or orders.

        Raises OSError, TimeoutError.
        """
        self.trouble, self._frames = None, Frames()
        self.ib.wrapper.clientId = client_id
        await self.ib.client.connectAsync(host, port, client_id, seconds)

    async def settle(self) -> None:
        """Return once the connection before is gone for certain: its end is nobody else's."""
        connection = self.ib.client.conn
        if connection.transport is not None:
            connection.transport.abort()
            await connection.disconnected

    def hang_up(self, why: str) -> None:
        """Cut the connection, whatever waits to be sent; `ended` is called a moment later."""
        self.trouble = self.trouble or why
        transport = self.ib.client.conn.transport
        if transport is not None:
            transport.abort()

    def say_goodbye(self) -> None:
        """Close the connection once everything is sent."""
        with suppress(RuntimeError):  # it is closing already
            self.ib.client.conn.disconnect()

    def request(self, contract: Any = None, key: object = None) -> tuple[int, Any]:  # noqa: ANN401
        """A request id, and the future of what the library makes of the answer."""
        number = self.ib.client.getReqId()
        return number, self.ib.wrapper.startReq(number if key is None else key, contract)

    def passed(self, order_id: int) -> None:
        """Somebody used this order id: those that we give out are higher."""
        if order_id < NO_ID:
            self.lowest_id = max(self.lowest_id, order_id + 1)

    def may_send_at_once(self) -> bool:
        """Whether a message written now goes out now, and does not wait in the library's queue."""
        client, now = self.ib.client, asyncio.get_running_loop().time()
        recent = sum(now - at <= client.RequestsInterval for at in client._timeQ)
        return not client._msgQ and recent < client.MaxRequests

    def fail(self, future: Any, number: int, code: int, said: str) -> None:  # noqa: ANN401
        """End a request that the library would leave waiting."""
        if not future.done():
            future.set_exception(self.request_error(number, code, said))

    # -------------------------------------------------------------------------- hooks

    def _listen(self, name: str) -> None:
        """Have messages of our subscriptions go to their lines, all others where they went."""
        usual = getattr(self.ib.wrapper, name)

        def hear(number: int, *said: Any) -> None:  # noqa: ANN401
            line = self.lines.get(number)
            if line is None:
                usual(number, *said)
            else:
                line.hear(name, *said)

        setattr(self.ib.wrapper, name, hear)

    def _listen_to_orders(self, name: str) -> None:
        usual = getattr(self.ib.wrapper, name)

        def hear(*said: Any) -> None:  # noqa: ANN401
            self._understood += 1
            if not self.ears:
                usual(*said)
            for ear in list(self.ears):
                ear(name, said)

        setattr(self.ib.wrapper, name, hear)

    def _keep_ids(self) -> None:
        """A Gateway that was restarted may count its ids from an earlier one on; we do not."""
        client = self.ib.client
        usual = client.getReqId

        def next_id() -> int:
            client.updateReqId(self.lowest_id)
            number = int(usual())
            self.lowest_id = number + 1
            return number

        client.getReqId = next_id

    def _guard_decoder(self) -> None:
        """A message that has no number is no message: the other side speaks something else."""
        interpret = self.ib.client.decoder.interpret

        def guarded(fields: list[str]) -> None:
            if not fields or not fields[0].isdecimal():
                self.hang_up("what came is not the TWS protocol")
                return
            before = self._understood
            interpret(fields)
            if self.ears and fields[0] in ORDER_MESSAGES and self._understood == before:
                # The library drops what it cannot read: a list without it would look whole.
                self.hang_up("a message about orders could not be read")

        self.ib.client.decoder.interpret = guarded

    def _on_data(self, data: bytes) -> None:
        if not self._frames.are_sane(data):
            self.hang_up("what came is not the TWS protocol")

    def _on_error(self, number: int, code: int, said: str, _: object = None) -> None:
        self._notice(number, code, said)

    def _on_end(self, _: object) -> None:
        self._ended()


class Frames:
    """Looks at the lengths that frames claim, as bytes come."""

    def __init__(self) -> None:
        self._left = 0
        self._header = b""

    def are_sane(self, data: bytes) -> bool:
        """Whether every frame that begins in `data` has a length that a message can have."""
        at = 0
        while at < len(data):
            if self._left:
                passed = min(self._left, len(data) - at)
                self._left -= passed
                at += passed
                continue
            part = data[at : at + _HEADER - len(self._header)]
            self._header += part
            at += len(part)
            if len(self._header) == _HEADER:
                self._left, self._header = int.from_bytes(self._header, "big"), b""
                if self._left > LARGEST_FRAME:
                    return False
        return True
