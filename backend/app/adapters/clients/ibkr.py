"""Interactive Brokers: one session with a TWS or Gateway, shared by data and broker.

The Gateway keeps the login; we connect to its socket. `IbkrSession.connect` may be called at any
time by anybody who is about to ask something: the first one opens the socket.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakValueDictionary

from app.adapters.clients.ibkr_contracts import listed_at_home, wanted
from app.adapters.clients.ibkr_errors import (
    CLIENT_ID_IN_USE,
    FARM_BROKEN,
    FARM_OK,
    INVALID_REQUEST,
    NAME,
    PORT_MOVED,
    SERVERS_BACK,
    SERVERS_BACK_DATA_LOST,
    SERVERS_BREAKING,
    SERVERS_LOST,
    failure,
    maintenance,
    planned_outage,
)
from app.adapters.clients.ibkr_options import IbkrOptions
from app.adapters.clients.ibkr_pacing import Pacing, Turns
from app.adapters.clients.ibkr_wire import Line, Wire
from app.core.clock import Clock, system
from app.core.errors import FeedLost, NotFound, TransientError
from app.core.logging import get_logger
from app.core.tasks import end

CONNECT_SECONDS: Final = 8.0
ANSWER_SECONDS: Final = 20.0
HISTORY_SECONDS: Final = 60.0
"Long spans and busy farms take their time."
PROBE_SECONDS: Final = 8.0
DATA_IDS: Final = 16
"Client ids above IBKR_CLIENT_ID that are tried by who only reads."
_REMEDY: Final = (
    "Start IB Gateway or TWS there and sign in; in Configure, API, Settings switch on"
    " 'Enable ActiveX and Socket Clients' and compare the socket port with IBKR_PORT"
    " (Gateway 4002 paper, 4001 live; TWS 7497 paper, 7496 live)."
)
_CONSENT: Final = (
    "Accept the connection in its dialog, or add this machine to the Trusted IPs in Configure, API,"
    " Settings."
)
log = get_logger("trading")
Send = Callable[[Any, int], None]
"Sends a request: the library's client and the request id."


class IbkrSession:
    """Requests and subscriptions over one connection, opened when first needed and when lost."""

    def __init__(
        self,
        options: IbkrOptions | None = None,
        *,
        pacing: Pacing | None = None,
        clock: Clock = system,
    ) -> None:
        self.options = options or IbkrOptions()
        self.pacing = pacing or Pacing()
        self.client_id: int | None = None
        "Of the connection that is open."
        self.servers_are_there = True
        "Whether the Gateway reaches IBKR; it tells."
        self.broken_farms: set[str] = set()
        self.tick_streams: dict[str, float] = {}
        "When each symbol was last asked for tick by tick (monotonic seconds)."
        self._clock = clock
        self._wire: Wire | None = None
        self._connecting = asyncio.Lock()
        self._probing = asyncio.Lock()
        self._gone = asyncio.Event()
        self._id_is_taken = False
        self._trading = False
        self._users = 0
        self._asked: dict[int, Any] = {}
        self._watchers: list[Callable[[FeedLost], None]] = []
        self._details: dict[str, Any] = {}
        self._open = asyncio.Semaphore(self.pacing.at_once)
        self._turns = Turns(self.pacing)

    # --------------------------------------------------------------------- who uses it

    def join(self, *, trading: bool = False) -> None:
        """Use the session until `leave`. Who trades needs IBKR_CLIENT_ID itself: orders hang on it.

        A connection that was made with another id is given up, and made anew by who asks next.
        """
        self._users += 1
        if trading and not self._trading:
            self._trading = True
            if self.client_id not in (None, self.options.client_id):
                self._hang_up("orders need IBKR_CLIENT_ID")

    async def leave(self) -> None:
        """Not needed any more; the last one hangs up."""
        self._users -= 1
        if self._users <= 0 and self._wire is not None:
            self.client_id = None
            self._wire.say_goodbye()
            self._wire = None

    @property
    def ib(self) -> Any:  # noqa: ANN401 - the class of a library that is loaded by name
        """The library's IB object, the same for every connection: for events of orders."""
        return self.wire.ib

    @property
    def wire(self) -> Wire:
        """Loaded when first needed: the libraries take a moment."""
        if self._wire is None:
            self._wire = Wire(self.options.client, self._on_notice, self._on_end)
        return self._wire

    @property
    def is_connected(self) -> bool:
        return self._wire is not None and self._wire.is_ready

    # ----------------------------------------------------------------------- connection

    async def connect(self) -> None:
        """Return once the connection is there. Raises FeedLost with what to do."""
        if self.is_connected:
            return
        async with self._connecting:
            if self.is_connected:
                return
            ids = self._ids()
            for client_id in ids:
                if await self._sign_in(client_id):
                    return
            raise self.lost(
                f"The Gateway at {self._address} says that client id"
                f" {ids[0]}{f' to {ids[-1]} are' if len(ids) > 1 else ' is'} in use.",
                "Another program, or another process of this one, is connected: stop it or choose"
                " another IBKR_CLIENT_ID.",
            )

    def lost(self, said: str, remedy: str | None = None) -> FeedLost:
        """The connection is not there; `planned` in the context names an outage that was due."""
        outage = self.outage()
        if outage:
            said = f"{said} This is expected: {outage}."
        return FeedLost(said, api_name=NAME, remedy=remedy, planned=outage)

    def outage(self) -> str | None:
        """The planned outage of this moment, in words."""
        return planned_outage(self._clock.now(), self.options.restart_at)

    def monotonic(self) -> float:
        """Seconds of the session's clock."""
        return self._clock.monotonic()

    def give_up(self, why: str) -> None:
        """Hang up on a Gateway that does not answer; the next request connects anew."""
        self._hang_up(why)

    @property
    def _address(self) -> str:
        return f"{self.options.host}:{self.options.port}"

    def _ids(self) -> list[int]:
        first = self.options.client_id
        return [first] if self._trading else list(range(first + 1, first + 1 + DATA_IDS))

    async def _sign_in(self, client_id: int) -> bool:
        """One attempt; False when the client id is in use. Raises FeedLost."""
        await self.wire.settle()
        self._gone.clear()
        self._id_is_taken = False
        options = self.options
        connecting = asyncio.create_task(
            self.wire.connect(options.host, options.port, client_id, CONNECT_SECONDS)
        )
        gone = asyncio.create_task(self._gone.wait())
        try:
            await asyncio.wait((connecting, gone), return_when=asyncio.FIRST_COMPLETED)
            error = connecting.exception() if connecting.done() else None
        finally:
            await end([connecting, gone])
        if self._id_is_taken:
            return False
        if error is not None or not self.is_connected:
            raise self._no_connection(error)
        self.client_id = client_id
        self.servers_are_there = True
        self.broken_farms.clear()
        if options.market_data == "delayed":
            self.ib.client.reqMarketDataType(3)
        log.info("ibkr_connected", address=self._address, client_id=client_id)
        return True

    def _no_connection(self, error: BaseException | None) -> FeedLost:
        if isinstance(error, TimeoutError):
            said = f"The Gateway at {self._address} takes connections but does not answer."
            return self.lost(said, _CONSENT)
        if isinstance(error, OSError):
            said = f"No TWS or Gateway listens at {self._address} ({type(error).__name__})."
            return self.lost(said, _REMEDY)
        said = f"The Gateway at {self._address} hung up at once."
        return self.lost(said, _CONSENT)

    def _hang_up(self, why: str) -> None:
        if self._wire is not None:
            self._wire.hang_up(why)

    # ------------------------------------------------------------------------- requests

    async def ask(
        self,
        send: Send,
        what: str,
        *,
        symbol: str | None = None,
        cancel: Send | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Any:  # noqa: ANN401 - what the library makes of the answer
        """One request, sent by `send`, and its answer. Raises what `failure` makes of an error.

        An answer that does not come within `seconds` is a TransientError; a connection that is
        not there, or breaks, a FeedLost.
        """
        await self.connect()
        wire = self.wire
        number, future = wire.request()
        self._asked[number] = future
        try:
            send(wire.ib.client, number)
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            raise TransientError(
                f"The Gateway did not answer {what} within {seconds:.0f} s.", api_name=NAME
            ) from None
        except ConnectionError:
            raise self._broken() from None
        except wire.request_error as error:
            code, said = int(getattr(error, "code", 0)), str(getattr(error, "message", error))
            raise failure(code, said, symbol, self._disturbance()) from None
        finally:
            del self._asked[number]
            if cancel is not None and future.cancelled() and self.is_connected:
                cancel(wire.ib.client, number)

    async def ask_history(
        self, send: Send, what: tuple[object, ...], symbol: str, *, is_small: bool
    ) -> Any:  # noqa: ANN401
        """A request for bars or prints at its turn; `what` is equal for identical requests.

        What passes is tried again; after a pacing violation, everybody waits first.
        """
        for left in reversed(range(self.pacing.tries)):
            await self._turns.take(what, symbol, is_small=is_small)
            try:
                async with self._open:
                    return await self.ask(
                        send,
                        f"about the history of {symbol}",
                        symbol=symbol,
                        cancel=lambda client, number: client.cancelHistoricalData(number),
                        seconds=HISTORY_SECONDS,
                    )
            except TransientError as error:
                if not left:
                    raise
                log.warning("ibkr_history_again", symbol=symbol, error=str(error))
                if error.context.get("pacing"):
                    self._turns.complain()
                await self.connect()  # raises at once where nobody is there any more
        raise AssertionError("the last try returned or raised")

    async def probe(self) -> None:
        """Ask for the time: whether anybody is there. Raises FeedLost, and hangs up on nobody."""
        async with self._probing:
            await self.connect()
            _, future = self.wire.request(key="currentTime")
            self.ib.client.reqCurrentTime()
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    await future
            except TimeoutError:
                self.give_up("it did not answer")
                said = f"The Gateway at {self._address} is connected but does not answer."
                raise self.lost(said) from None
            except ConnectionError:
                raise self._broken() from None

    async def details(self, symbol: str) -> Any:  # noqa: ANN401
        """What IBKR knows of our `symbol` (BRK.B; options by OCC symbol): contract details.

        Asked once. Raises NotFound.
        """
        if symbol not in self._details:
            asked = wanted(self.wire.module, symbol)
            found = await self.ask(
                lambda client, number: client.reqContractDetails(number, asked),
                f"what {symbol} is",
                symbol=symbol,
            )
            if not found:
                raise NotFound(f"IBKR knows no {symbol!r}.", symbol=symbol)
            self._details[symbol] = listed_at_home(found)
        return self._details[symbol]

    async def contract(self, symbol: str) -> Any:  # noqa: ANN401
        """The one contract behind our `symbol`, with its number. Raises NotFound."""
        return (await self.details(symbol)).contract

    # -------------------------------------------------------------------- subscriptions

    def subscribe(self, line: Line, send: Send) -> int:
        """Open a line; its request id, for `unsubscribe`. Raises FeedLost without a connection."""
        if not self.is_connected:
            raise self._broken()
        number = int(self.ib.client.getReqId())
        self.wire.lines[number] = line
        send(self.ib.client, number)
        return number

    def unsubscribe(self, number: int, cancel: Send) -> None:
        """Close a line."""
        if self.wire.lines.pop(number, None) is not None and self.is_connected:
            cancel(self.ib.client, number)

    def watch(self, lost: Callable[[FeedLost], None]) -> Callable[[], None]:
        """Be told when the connection, or the Gateway's to IBKR, is lost; call to stop it."""
        self._watchers.append(lost)
        return lambda: self._watchers.remove(lost)

    # -------------------------------------------------------------------------- helpers

    def _disturbance(self) -> str | None:
        """What may make IBKR answer wrongly, in words."""
        if not self.servers_are_there:
            return "the lost connection between the Gateway and IBKR's servers"
        return maintenance(self._clock.now())

    def _broken(self) -> FeedLost:
        why = None if self._wire is None else self._wire.trouble
        return self.lost(
            f"The connection to the Gateway at {self._address} broke{f': {why}' if why else ''}."
        )

    def _tell(self, error: FeedLost) -> None:
        for watcher in list(self._watchers):
            watcher(error)

    def _on_end(self) -> None:
        """The socket is gone, or never came to be."""
        was = self.client_id
        self.client_id = None
        self._gone.set()
        if self._wire is not None:
            self._wire.lines.clear()
        if was is not None:
            log.warning("ibkr_disconnected", address=self._address, planned=self.outage())
            self._tell(self._broken())

    def _on_notice(self, number: int, code: int, said: str) -> None:
        """A message of the Gateway: about a request, a subscription, or everything."""
        line = None if self._wire is None else self._wire.lines.get(number)
        if line is not None:
            line.hear("error", code, said)
        elif number in self._asked:
            if code == INVALID_REQUEST:
                self.wire.fail(self._asked[number], number, code, said)
        else:
            self._on_news(code, said)

    def _on_news(self, code: int, said: str) -> None:
        if code == CLIENT_ID_IN_USE:
            self._id_is_taken = True
        elif code in (SERVERS_LOST, SERVERS_BREAKING, PORT_MOVED):
            self.servers_are_there = False
            self._tell(self.lost(f"The Gateway says ({code}): {said}"))
        elif code in (SERVERS_BACK, SERVERS_BACK_DATA_LOST):
            self.servers_are_there = True
            if code == SERVERS_BACK_DATA_LOST:
                self._tell(self.lost(f"The Gateway says ({code}): {said}"))
        elif code in FARM_BROKEN or code in FARM_OK:
            farm = said.rpartition(":")[2]
            (self.broken_farms.add if code in FARM_BROKEN else self.broken_farms.discard)(farm)
        if code not in FARM_OK:
            log.info("ibkr_said", code=code, text=said)


_sessions: WeakValueDictionary[tuple[object, ...], IbkrSession] = WeakValueDictionary()


def shared_session(options: IbkrOptions | None = None, clock: Clock = system) -> IbkrSession:
    """The session of this process with a Gateway, as long as somebody holds it."""
    options = options or IbkrOptions()
    key = (options.client, options.host, options.port, options.client_id, options.market_data)
    known = _sessions.get(key)
    if known is None:
        known = _sessions[key] = IbkrSession(options, clock=clock)
    return known
