"""uvicorn's WebSocket with one thing more: ready-made frames, many in one write."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from app.events.outbox import Message

__all__ = ["ClientDisconnected", "FrameProtocol", "finisher", "frame_writer"]

EXTENSION: Final = "tradewright.frames"
"In the scope's `extensions`, where the server offers it."
FINISH_SECONDS: Final = 10.0
Write = Callable[[Sequence[Message]], Awaitable[None]]
Finish = Callable[[Message, int, str], None]


class FrameProtocol(WebSocketsSansIOProtocol):
    """Offers `write_frames` to the application. Needs a server without compression."""

    def handle_connect(self, event: Request) -> None:
        """Accept a connection, and say what it offers."""
        super().handle_connect(event)
        if self.response.status_code == 101 and not self.config.ws_per_message_deflate:
            extensions: Any = self.scope["extensions"]
            extensions[EXTENSION] = {"write": self.write_frames, "finish": self.finish}

    async def write_frames(self, messages: Sequence[Message]) -> None:
        """All of them in one write; waits while the client does not read.

        Raises ClientDisconnected.
        """
        await self.writable.wait()
        if self.disconnected or self.close_sent or self.transport.is_closing():
            raise ClientDisconnected
        self.transport.write(b"".join([message.frame for message in messages]))

    def finish(self, message: Message, code: int, reason: str) -> None:
        """A last message and the close, behind what was written, without waiting.

        The client has a while to read them; then the connection is cut.
        """
        if self.disconnected or self.close_sent or self.transport.is_closing():
            return
        self.stop_keepalive()
        self.conn.send_close(code, reason)
        self.transport.write(b"".join((message.frame, *self.conn.data_to_send())))
        self.close_sent = True
        if self.read_paused:  # or the client's own close would not be seen
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(FINISH_SECONDS, self.transport.abort)


def frame_writer(scope: MutableMapping[str, Any]) -> Write | None:
    """How to write frames; None where the server does not offer it."""
    offered = (scope.get("extensions") or {}).get(EXTENSION)
    return offered["write"] if offered else None


def finisher(scope: MutableMapping[str, Any]) -> Finish | None:
    """How to end a connection whose client does not read; None where that is not offered."""
    offered = (scope.get("extensions") or {}).get(EXTENSION)
    return offered["finish"] if offered else None
