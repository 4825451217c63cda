"""Something changed: wakes everybody who waits for it, without saying what it was."""

import asyncio


class ChangeNotices:
    """The next change as a future; read the state after asking for it, so that none is missed."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def next_change(self) -> "asyncio.Future[None]":
        """Done at the next notice."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        return future

    def heard(self, _notice: str) -> None:
        """A notice of the channel."""
        for future in tuple(self._waiting):
            if not future.done():
                future.set_result(None)
