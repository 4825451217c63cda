"""The canonical bytes of an event, and the event back."""

from collections.abc import Sequence
from typing import Final

import msgspec

from app.domain.events.kinds import Event

_encoder: Final = msgspec.json.Encoder(order="deterministic")
_decoder: Final = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """Canonical bytes: what is stored, hashed and sent."""
    return _encoder.encode(event)


def encode_all(events: Sequence[Event]) -> bytes:
    """The canonical bytes of all these events, one after the other; faster than one by one."""
    # JSON escapes the line feeds inside of strings, so that those left are between events.
    return _encoder.encode_lines(events).replace(b"\n", b"")


def decode(data: bytes | str) -> Event:
    """The event back from its canonical bytes; `decode(encode(e)) == e`."""
    event: Event = _decoder.decode(data)
    return event
