"""One session with Databento's live gateway: the library talks, records are cut in bulk here.

The library makes a Python object of every record, which costs five to ten times what cutting
arrays out of the stream does (docs/data/databento.md has the figures). So its protocol signs in and
subscribes, and from the start of the stream on the bytes are ours.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import databento_dbn
from databento import (
    BentoError,
    ErrorCode,
    ErrorMsg,
    InstrumentDefMsg,
    SecurityUpdateAction,
    SymbolMappingMsg,
    SystemCode,
    SystemMsg,
)
from databento.live.protocol import DatabentoLiveProtocol

from app.adapters.clients.http import Vendor
from app.core.clock import to_ns
from app.core.errors import FeedLost, FeedRefused, NotFound
from app.domain.options import is_occ
from app.marketdata import dbn
from app.marketdata.batch import Rows, to_datetime
from app.marketdata.calendar import TradingCalendar
from app.marketdata.dbn_files import venues
from app.marketdata.ports import Channel, ContractsDefined, Heartbeat, LiveItem

log: Final = logging.getLogger(__name__)

PORT: Final = 13000
HEARTBEAT_SECONDS: Final = 5
"The shortest that the gateway offers: who hears nothing for longer is cut off."
PIECE: Final = 1 << 20
"Bytes of a stream that are turned into batches at once: about 2 ms of the loop."
LARGEST_BACKLOG: Final = 16 << 20
"Bytes that may wait; beyond them the socket is not read, and the gateway sees a slow reader."
_CONNECT_SECONDS: Final = 10.0
_SIGN_IN_SECONDS: Final = 30.0
_HEAD: Final = 8
_LARGEST_HEAD: Final = 1 << 26
_REFUSALS: Final = (
    ErrorCode.AUTH_FAILED,
    ErrorCode.API_KEY_DEACTIVATED,
    ErrorCode.INVALID_SUBSCRIPTION,
)
_OPTIONS_ON: Final = ".OPT"
"AAPL.OPT stands for all options on AAPL."
_PASSING: Final = ("limit", "timed out", "timeout", "internal", "try again")
"Words of a refused sign-in that another try may not meet."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one session subscribes to; a gateway serves one data set."""

    dataset: str
    schemas: tuple[str, ...]
    symbols: tuple[str, ...]
    "Ours."
    channels: frozenset[Channel]
    after: datetime | None = None
    "Replay from here on (at most a day back)."
    underlyings: tuple[str, ...] = ()
    "Roots of options whose new contracts are to be told."


class Gateway(DatabentoLiveProtocol):
    """The library's protocol until the stream starts; then bytes wait here to be taken."""

    def __init__(self, key: str, dataset: str, arrived: asyncio.Event) -> None:
        super().__init__(key, dataset, heartbeat_interval_s=HEARTBEAT_SECONDS)
        self._arrived = arrived
        self._parts: list[bytes] = []
        self._memory = bytearray()
        self._paused = False
        self.size = 0
        "Bytes that wait."

    def get_buffer(self, sizehint: int) -> bytearray:
        self._memory = super().get_buffer(sizehint)
        return self._memory

    def buffer_updated(self, nbytes: int) -> None:
        if not self.is_streaming:
            super().buffer_updated(nbytes)
            return
        self._parts.append(bytes(memoryview(self._memory)[:nbytes]))
        self.size += nbytes
        if self.size > LARGEST_BACKLOG and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._arrived.set()

    def take(self) -> bytes:
        """Up to about PIECE of what waits, oldest first."""
        taken, size = 0, 0
        while taken < len(self._parts) and size < PIECE:
            size += len(self._parts[taken])
            taken += 1
        data = b"".join(self._parts[:taken])
        del self._parts[:taken]
        self.size -= size
        if self._paused and self.size < LARGEST_BACKLOG // 2:
            self._paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()
        return data


class LiveSession:
    """One connection's life: `connect`, then `items` whenever `arrived` is set, then `close`."""

    def __init__(
        self, wanted: Wanted, vendor: Vendor, calendar: TradingCalendar, arrived: asyncio.Event
    ) -> None:
        self._wanted = wanted
        self._vendor = vendor
        self._calendar = calendar
        self._arrived = arrived
        self._columns = dbn.Columns(venues())
        self._gateway: Gateway | None = None
        self._rest = b""
        self._version: int | None = None
        "Of the encoding; None until the stream's head has come."

    async def connect(self, host: str, port: int, key: str) -> None:
        """Sign in, subscribe and start. Raises FeedLost and FeedRefused."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, self._gateway = await loop.create_connection(
                    lambda: Gateway(key, self._wanted.dataset, self._arrived), host, port
                )
            await self._sign_in(self._gateway)
        except (OSError, TimeoutError) as error:
            raise self._lost(f"cannot be reached at {host}:{port} ({_reason(error)})") from None
        after = self._wanted.after
        for schema in self._wanted.schemas:
            self._gateway.subscribe(
                schema=schema,
                symbols=[dbn.raw_symbol(symbol) for symbol in self._wanted.symbols],
                start=None if after is None else to_ns(after),
            )
        if self._wanted.underlyings:
            parents = [f"{root}{_OPTIONS_ON}" for root in self._wanted.underlyings]
            self._gateway.subscribe(schema="definition", symbols=parents, stype_in="parent")
        self._gateway.start()

    def items(self) -> Iterator[LiveItem]:
        """What a piece of the backlog holds, as batches.

        Raises FeedLost once the connection is gone and everything that came was given, or for
        garbage; FeedRefused and NotFound for what the gateway says.
        """
        gateway = self._gateway
        assert gateway is not None
        data = gateway.take()
        if gateway.size:
            self._arrived.set()
        try:
            yield from self._decoded(data)
        except (ValueError, databento_dbn.DBNError) as error:
            raise self._lost(f"spoke garbage ({error})") from None
        if gateway.disconnected.done() and not gateway.size:
            raise self._lost(f"closed the connection ({_outcome(gateway.disconnected)})")

    def close(self) -> None:
        """Hang up."""
        gateway = self._gateway
        if gateway is None:
            return
        gateway.transport.abort()
        for future in (gateway.authenticated, gateway.disconnected):
            _outcome(future)  # seen: the loop need not complain that nobody looked

    # -------------------------------------------------------------------------- helpers

    async def _sign_in(self, gateway: Gateway) -> None:
        async with asyncio.timeout(_SIGN_IN_SECONDS):
            await asyncio.wait(
                (gateway.authenticated, gateway.disconnected), return_when=asyncio.FIRST_COMPLETED
            )
        if not gateway.authenticated.done():
            raise self._lost(f"hung up while signing in ({_outcome(gateway.disconnected)})")
        error = gateway.authenticated.exception()
        if error is None:
            return
        said = str(error)
        if any(word in said.lower() for word in _PASSING):
            raise self._lost(f"would not sign us in now: {said}")
        raise self._vendor.refusal(f"Databento refuses the key: {said}")

    def _decoded(self, data: bytes) -> Iterator[LiveItem]:
        data = self._rest + data
        if self._version is None:
            data = self._headless(data)
        if self._version is None:
            self._rest = data
            return
        piece = dbn.cut(data)
        self._rest = piece.rest
        heard = list(self._heard(piece.others)) if piece.others else []
        for kind, rows in piece.rows.items():
            for batch in self._batches(kind, rows):
                if self._columns.instruments.unnamed:
                    raise self._lost("sent records of an instrument that it never named")
                yield batch
        yield from heard

    def _headless(self, data: bytes) -> bytes:
        """`data` without the stream's metadata; as it is while that has not come whole."""
        if not data.startswith(b"DBN"[: len(data)]):
            raise ValueError("it does not begin as DBN")
        length = _HEAD + int.from_bytes(data[4:_HEAD], "little")
        if length > _LARGEST_HEAD:
            raise ValueError(f"its head would be {length} bytes long")
        if len(data) < _HEAD or len(data) < length:
            return data
        self._version = data[3]
        return data[length:]

    def _batches(self, kind: int, rows: Rows) -> Iterator[LiveItem]:
        channels = self._wanted.channels
        if kind in dbn.BARS:
            for bars, _ in self._columns.bars(rows, kind, self._calendar):
                yield bars
            return
        if Channel.TRADES in channels and kind not in dbn.INTERVAL_TOPS:
            ticks = self._columns.ticks(rows)
            if len(ticks):
                yield ticks
        if Channel.QUOTES in channels and kind in dbn.TOPS:
            quotes = self._columns.quotes(rows, kind)
            if len(quotes):
                yield quotes

    def _heard(self, records: Sequence[bytes]) -> Iterator[Heartbeat | ContractsDefined]:
        """Learn symbols, and raise what the gateway complains of; these records are rare."""
        defined: dict[str, None] = {}
        decoder = databento_dbn.DBNDecoder(has_metadata=False, input_version=self._version)
        for record in decoder.write_and_decode(b"".join(records)):
            if isinstance(record, SymbolMappingMsg):
                self._columns.instruments.add(record.instrument_id, _named(record))
            elif isinstance(record, InstrumentDefMsg):
                defined |= _defined(record)
            elif isinstance(record, ErrorMsg):
                raise self._complaint(record)
            elif isinstance(record, SystemMsg):
                if record.code == SystemCode.SLOW_READER_WARNING:
                    log.warning("Databento says that we read too slowly: %s", record.msg)
                yield Heartbeat(to_datetime(record.ts_event))
        if defined:
            yield ContractsDefined(tuple(defined))

    def _complaint(self, record: ErrorMsg) -> Exception:
        said, code = record.err, record.code
        if code == ErrorCode.SYMBOL_RESOLUTION_FAILED or "resolve" in said.lower():
            return self._unknown(said)
        if code in _REFUSALS:
            return self._vendor.refusal(f"Databento refuses the feed: {said}")
        return self._lost(f"reports: {said}", is_too_old=code == ErrorCode.REPLAY_DATA_AGED_OUT)

    def _unknown(self, said: str) -> Exception:
        named = [s for s in self._wanted.symbols if s in said or dbn.raw_symbol(s) in said]
        symbol = max(named, key=len, default=None)
        if symbol is None:
            return FeedRefused(f"Databento: {said}", api_name=self._vendor.name)
        return NotFound(
            f"Databento knows no {symbol} in {self._wanted.dataset}.",
            remedy="Check the symbol and DATABENTO_DATASET.",
            symbol=symbol,
        )

    def _lost(self, what: str, *, is_too_old: bool = False) -> FeedLost:
        """`is_too_old` says in the context that a replay begins before what is kept."""
        return FeedLost(
            f"The Databento gateway of {self._wanted.dataset} {what}.",
            api_name=self._vendor.name,
            is_too_old=is_too_old,
        )


def address(dataset: str, override: str | None) -> tuple[str, int]:
    """Host and port of a data set's gateway, or those of DATABENTO_GATEWAY (host[:port])."""
    if not override:
        return f"{dataset.lower().replace('.', '-')}.lsg.databento.com", PORT
    host, _, port = override.partition(":")
    return host, int(port) if port else PORT


def _named(record: SymbolMappingMsg) -> str:
    """The instrument's own symbol: of a parent that was asked for there are many."""
    asked = record.stype_in_symbol
    return record.stype_out_symbol if asked.endswith(_OPTIONS_ON) else asked


def _defined(record: InstrumentDefMsg) -> dict[str, None]:
    """The contract that is there from now on, if it is an option and is not taken away."""
    symbol = dbn.our_symbol(record.raw_symbol)
    is_new = record.security_update_action != SecurityUpdateAction.DELETE
    return {symbol: None} if is_new and is_occ(symbol) else {}


def _outcome(future: "asyncio.Future[None] | asyncio.Future[str | None]") -> str:
    """Why a future of the library is over, in words."""
    if not future.done() or future.cancelled():
        return "no reason given"
    error = future.exception()
    return "no reason given" if error is None else _reason(error)


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, BentoError) else type(error).__name__
