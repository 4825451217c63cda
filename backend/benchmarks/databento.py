"""Databento's records on their way to columns, from bytes and from a socket, and its library's."""

import asyncio
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import databento
import databento_dbn
import numpy as np

from app.adapters.clients.databento import DatabentoOptions
from app.adapters.data.databento import Adapter
from app.marketdata import dbn
from app.marketdata.batch import Rows, TickBatch
from app.marketdata.ports import Channel, ProviderSetup, Subscription
from benchmarks.measure import Result, result

ROWS = 600_000
SYMBOLS = ("AAPL", "AMZN", "GOOGL", "IBM", "META", "MSFT", "NVDA", "SPY", "TSLA")
KEY = "db-benchmark-of-this-machine-only"
START = 1_709_303_400_000_000_000
SOCKET_READ = 1 << 16
FIGURE = 200_000.0
WORDS = f"at least {FIGURE:,.0f} rows/s"


def databento_feed() -> list[Result]:
    """Rows a second, best of three: bytes to batches, and a live session to batches."""
    trades, tops = _records(dbn.TRADE, 0), _records(dbn.TOP, 1)
    mixed = b"".join(
        part.tobytes() for pair in zip(_parts(trades), _parts(tops), strict=True) for part in pair
    )
    bare = max(_library_decode(trades.tobytes()) for _ in range(2))
    against = "the library's decoder, reading the five fields of a print from every object"
    lines = [
        _line(name, max(_decode(data) for _ in range(3)), bare, against)
        for name, data in (
            ("trades", trades.tobytes()),
            ("mbp-1", tops.tobytes()),
            ("both", mixed),
        )
    ]
    stream = trades.tobytes()
    with _gateway(stream) as port:
        library = max(_library_live(port) for _ in range(2))
        ours = max(asyncio.run(_live(port)) for _ in range(3))
    words = "the library's Live client, a callback a record, on the same socket"
    return [*lines, _line("live, trades over a socket", ours, library, words)]


def _line(name: str, value: float, limit: float, against: str) -> Result:
    return result(
        f"databento: {name}", value, "rows/s", limit=limit, against=against, figure=WORDS,
        is_met=value >= FIGURE,
    )  # fmt: skip


def _parts(rows: Rows) -> list[Rows]:
    """Half of the rows in runs of five hundred."""
    return np.split(rows[: ROWS // 2], ROWS // 1000)


def _records(layout: np.dtype[np.void], kind: int) -> Rows:
    """Prints (beside a book, where the layout has one) of nine symbols."""
    rows = np.zeros(ROWS, layout)
    rows["length"], rows["rtype"], rows["publisher_id"] = layout.itemsize // 4, kind, 2
    rows["instrument_id"] = np.arange(ROWS) % len(SYMBOLS) + 1
    rows["ts_event"] = rows["ts_recv"] = START + np.arange(ROWS) * 50_000
    rows["price"], rows["size"], rows["action"], rows["side"] = 187_250_000_000, 100, b"T", b"B"
    rows["flags"], rows["sequence"] = 130, np.arange(ROWS)
    return rows


# ------------------------------------------------------------------------------- bytes


def _decode(data: bytes) -> float:
    """Rows a second of pieces as large as a socket gives them."""
    columns, rest, count = dbn.Columns({2: "XNAS"}), b"", 0
    for position, symbol in enumerate(SYMBOLS):
        columns.instruments.add(position + 1, symbol)
    began = time.perf_counter()
    for at in range(0, len(data), SOCKET_READ):
        piece = dbn.cut(rest + data[at : at + SOCKET_READ])
        rest = piece.rest
        count += sum(len(columns.ticks(rows)) for rows in piece.rows.values())
    return count / (time.perf_counter() - began)


def _library_decode(data: bytes) -> float:
    decoder = databento_dbn.DBNDecoder(has_metadata=False, input_version=3)
    began = time.perf_counter()
    rows = [
        _fields(record)
        for at in range(0, len(data), SOCKET_READ)
        for record in decoder.write_and_decode(data[at : at + SOCKET_READ])
    ]
    return len(rows) / (time.perf_counter() - began)


def _fields(record: Any) -> tuple[int, ...]:  # noqa: ANN401 - the library's records share no type
    """What a print is made of."""
    return record.ts_event, record.instrument_id, record.sequence, record.price, record.size


# ------------------------------------------------------------------------------- a socket


async def _live(port: int) -> float:
    """Rows a second of the adapter, from the first batch to the last."""
    options = DatabentoOptions(api_key=KEY, gateway=f"127.0.0.1:{port}")  # type: ignore[arg-type]
    subscription = Subscription(symbols=SYMBOLS, channels=frozenset({Channel.TRADES}))
    feed = Adapter(ProviderSetup(), options=options).live(subscription)
    count, began = 0, 0.0
    try:
        async for item in feed:
            began = began or time.perf_counter()
            count += len(item) if isinstance(item, TickBatch) else 0
            if count >= ROWS:
                return count / (time.perf_counter() - began)
    finally:
        await feed.aclose()
    return 0.0


def _library_live(port: int) -> float:
    """Rows a second of the library's client, reading what a print needs from every record."""
    done, times = threading.Event(), [0.0, 0.0]
    rows: list[tuple[int, ...]] = []

    def take(record: object) -> None:
        if not isinstance(record, databento.TradeMsg):
            return
        rows.append(_fields(record))
        times[1] = time.perf_counter()
        times[0] = times[0] or times[1]
        if len(rows) >= ROWS:
            done.set()

    client = databento.Live(key=KEY, gateway="127.0.0.1", port=port)
    client.subscribe(dataset="XNAS.ITCH", schema="trades", symbols=list(SYMBOLS))
    client.add_callback(take)
    client.start()
    done.wait(60)
    client.terminate()
    return len(rows) / (times[1] - times[0])


@contextmanager
def _gateway(stream: bytes) -> Iterator[int]:
    """A gateway that lets everybody in and sends `stream` as fast as it is read; its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    thread = threading.Thread(target=_serve, args=(listener, stream), daemon=True)
    thread.start()
    try:
        yield port
    finally:
        listener.close()


def _serve(listener: socket.socket, stream: bytes) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_talk, args=(client, stream), daemon=True).start()


def _talk(client: socket.socket, stream: bytes) -> None:
    with client, client.makefile("rb") as lines:
        client.sendall(f"lsg_version=0.7.2\ncram={secrets.token_hex(16)}\n".encode())
        lines.readline()
        client.sendall(b"success=1|session_id=1\n")
        while b"start_session" not in (line := lines.readline()):
            if not line:
                return
        try:
            client.sendall(_head() + _mappings() + stream)
            lines.read()
        except OSError:
            return


def _head() -> bytes:
    return bytes(
        databento_dbn.Metadata(
            dataset="XNAS.ITCH", start=START, stype_in=None, schema=None, version=3,
            stype_out=databento_dbn.SType("instrument_id"),
        )
    )  # fmt: skip


def _mappings() -> bytes:
    make: Callable[..., Any] = databento_dbn.SymbolMappingMsg
    raw = databento_dbn.SType.RAW_SYMBOL
    return b"".join(
        bytes(
            make(
                publisher_id=2, instrument_id=position + 1, ts_event=START,
                stype_in=raw, stype_in_symbol=symbol, stype_out=raw, stype_out_symbol=symbol,
                start_ts=0, end_ts=2**64 - 1,
            )
        )
        for position, symbol in enumerate(SYMBOLS)
    )  # fmt: skip
