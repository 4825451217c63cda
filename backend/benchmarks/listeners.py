"""Many WebSocket clients in one process that only count: too light to be what is measured."""

import asyncio
import base64
import multiprocessing
import os
import socket
import time
from _ctypes import Array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.sharedctypes import SynchronizedArray
from typing import Any, TypeAlias

PATIENCE_SECONDS = 60
Counts: TypeAlias = "Array[Any]"
"Shared between processes: what each client has counted."


class Listener(asyncio.Protocol):
    """Upgrades, subscribes, and counts how often `marker` comes."""

    def __init__(self, path: str, hello: bytes, marker: bytes, counts: Counts, index: int) -> None:
        self._request = _request(path)
        self._hello, self._marker, self._counts, self._index = hello, marker, counts, index
        self._tail = b""
        self._is_open = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._is_open and self.transport is not None:
            assert data.startswith(b"HTTP/1.1 101"), data[:200]
            self._is_open = True
            if self._hello:
                self.transport.write(_masked(self._hello))
        text = self._tail + data
        self._counts[self._index] += text.count(self._marker)
        # The marker may lie across two reads: what is kept of this one is shorter than it.
        self._tail = text[-(len(self._marker) - 1) :]


def _request(path: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode()


def _masked(body: bytes) -> bytes:
    """A client's text frame; the mask is zero."""
    assert len(body) < 126
    return bytes((0x81, 0x80 | len(body), 0, 0, 0, 0)) + body


async def _listen(
    port: int, paths: Sequence[str], hello: bytes, marker: bytes, counts: Counts
) -> None:
    loop = asyncio.get_running_loop()
    kept = []
    for index, path in enumerate(paths):
        listener = Listener(path, hello, marker, counts, index)
        kept.append(await loop.create_connection(lambda one=listener: one, "127.0.0.1", port))  # type: ignore[misc]  # bound in the loop
    await asyncio.Event().wait()


def _run(
    port: int, paths: Sequence[str], hello: bytes, marker: bytes, counts: "SynchronizedArray[int]"
) -> None:
    asyncio.run(_listen(port, paths, hello, marker, counts.get_obj()))


@contextmanager
def listening(
    port: int, paths: Sequence[str], hello: bytes, marker: bytes
) -> Iterator["SynchronizedArray[int]"]:
    """Clients of 127.0.0.1, one a path; gives what each has counted so far."""
    spawned = multiprocessing.get_context("spawn")
    counts: SynchronizedArray[int] = spawned.Array("l", len(paths))
    process = spawned.Process(target=_run, args=(port, paths, hello, marker, counts), daemon=True)
    process.start()
    try:
        yield counts
    finally:
        process.kill()
        process.join()


def wait_until(counts: "SynchronizedArray[int]", least: int) -> None:
    """Until every client has counted so many. Raises RuntimeError when they do not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while min(counts.get_obj()) < least:
        if time.monotonic() > deadline:
            raise RuntimeError(f"clients counted {min(counts.get_obj())} of {least} messages")
        time.sleep(0.005)


class Stalled:
    """A client that subscribes and then reads nothing until it is asked to."""

    def __init__(self, port: int, path: str, hello: bytes) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect(("127.0.0.1", port))
        self._socket.sendall(_request(path))
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(64)
        self._socket.sendall(_masked(hello))

    def rest(self) -> bytes:
        """Whatever was sent to it, until the server closes."""
        self._socket.settimeout(PATIENCE_SECONDS)
        found = bytearray()
        while chunk := self._socket.recv(1 << 16):
            found += chunk
        self._socket.close()
        return bytes(found)
