"""Frames between the engine and a strategy's process: msgpack, with numpy arrays kept bit by bit.

A frame is its length (4 bytes) and a message. Arrays travel as type, shape and bytes, so that the
other side has the same numbers, NaN payloads included. Nothing is unpickled.
"""

import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

import msgspec
import numpy as np

from app.strategies.base import Opinion

LARGEST_BYTES: Final = 1 << 29
"A frame that claims more is nonsense; believing it would cost the memory of the engine."
_HEAD: Final = struct.Struct("!I")
_ARRAY: Final = 1
_CHUNK: Final = 1 << 20


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever msgspec does not know
    """What travels in its place. Raises TypeError for what cannot."""
    if isinstance(value, np.generic):
        return value.item()
    array = np.asarray(value)  # a Series, perhaps
    if array.dtype.hasobject:
        raise TypeError(f"{type(value).__name__} is no number, text, or array of numbers")
    head = msgspec.msgpack.encode((array.dtype.str, array.shape))
    content = np.ascontiguousarray(array).tobytes()
    return msgspec.msgpack.Ext(_ARRAY, _HEAD.pack(len(head)) + head + content)


def _restored(code: int, content: memoryview) -> "np.ndarray[Any, Any]":
    if code != _ARRAY:
        raise ValueError(f"unknown extension {code}")
    (size,) = _HEAD.unpack_from(content)
    head = content[_HEAD.size : _HEAD.size + size]
    kind, shape = msgspec.msgpack.decode(head, type=tuple[str, tuple[int, ...]])
    dtype = np.dtype(kind)
    if dtype.hasobject:
        raise ValueError("arrays of objects do not travel")
    return np.frombuffer(content[_HEAD.size + size :], dtype).reshape(shape).copy()


_encode: Final = msgspec.msgpack.Encoder(enc_hook=plain).encode
_decode: Final = msgspec.msgpack.Decoder(ext_hook=_restored).decode


class Closed(Exception):
    """The other side is gone, or speaks nonsense."""


def packed(message: Any) -> bytes:  # noqa: ANN401 - any message
    """The content of a frame. Raises TypeError for what cannot travel."""
    return _encode(message)


def send(link: socket.socket, message: Any, deadline: float | None = None) -> None:  # noqa: ANN401 - any message
    """Write one frame. Raises TimeoutError, Closed, and TypeError for what cannot travel."""
    send_whole(link, packed(message), deadline)


def send_whole(link: socket.socket, content: bytes, deadline: float | None = None) -> None:
    """The same of a message that is packed already."""
    rest = memoryview(_HEAD.pack(len(content)) + content)
    while rest:
        _wait_until(link, deadline)
        try:
            rest = rest[link.send(rest[:_CHUNK]) :]
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed(str(error)) from error


def receive(link: socket.socket, deadline: float | None = None) -> Any:  # noqa: ANN401 - any message
    """Read one frame. Raises TimeoutError, and Closed."""
    (size,) = _HEAD.unpack(_read(link, _HEAD.size, deadline))
    if size > LARGEST_BYTES:
        raise Closed(f"a frame of {size} bytes")
    content = _read(link, size, deadline)
    try:
        return _decode(content)
    except (msgspec.DecodeError, ValueError, TypeError) as error:
        raise Closed(f"no message: {error}") from error


def _read(link: socket.socket, size: int, deadline: float | None) -> bytes:
    parts: list[bytes] = []
    while size:
        _wait_until(link, deadline)
        try:
            part = link.recv(min(size, _CHUNK))
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed(str(error)) from error
        if not part:
            raise Closed("it ended")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _wait_until(link: socket.socket, deadline: float | None) -> None:
    """Let the next call wait until then (`time.monotonic`). Raises TimeoutError when it is over."""
    if deadline is None:
        link.settimeout(None)
        return
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    link.settimeout(left)


# ------------------------------------------------------------------------------------ answers


def answer_out(answer: Any) -> Any:  # noqa: ANN401 - whatever user code returned
    """What `decide` returned, so that `answer_in` gives it back."""
    if isinstance(answer, Opinion):
        return ["opinion", {one.name: getattr(answer, one.name) for one in fields(answer)}]
    if isinstance(answer, Mapping):
        return ["by symbol", {key: answer_out(one) for key, one in answer.items()}]
    return ["bare", answer]


def answer_in(told: Any) -> Any:  # noqa: ANN401 - as above
    """The answer that `answer_out` told."""
    kind, value = told
    if kind == "opinion":
        return Opinion(**{**value, "reasons": tuple(value["reasons"])})
    if kind == "by symbol":
        return {key: answer_in(one) for key, one in value.items()}
    return value
