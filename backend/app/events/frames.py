"""WebSocket frames made once and written to any number of clients."""

from typing import Final

_TEXT: Final = 0x81
"A whole text message in one frame, from a server: not masked."


def text_frame(text: str) -> bytes:
    """The bytes on the wire (RFC 6455, section 5.2), without compression."""
    body = text.encode()
    size = len(body)
    if size < 126:
        return bytes((_TEXT, size)) + body
    if size < 1 << 16:
        return bytes((_TEXT, 126)) + size.to_bytes(2, "big") + body
    return bytes((_TEXT, 127)) + size.to_bytes(8, "big") + body
