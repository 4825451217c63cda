"""Identifiers: random ones that sort by time, and derived ones that repeat with their input."""

import hashlib
import os
from base64 import b32encode
from datetime import datetime
from uuid import UUID

from app.core import clock


def uuid7(at: datetime | None = None) -> UUID:
    """A random id that sorts by its making time, to the millisecond (RFC 9562)."""
    milliseconds = clock.to_ns(at or clock.now()) // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def correlation_id() -> str:
    """A short random name for one request or one cause, as it stands in logs and answers."""
    return os.urandom(8).hex()


def derived(*parts: object, length: int = 20) -> str:
    """The same text for the same parts, e.g. a client order id: lower-case letters and digits 2-7.

    Parts are separated, so ("a", "bc") and ("ab", "c") differ. Five bits a character.
    """
    text = "\x1f".join(str(part) for part in parts)
    return b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()[:length]
