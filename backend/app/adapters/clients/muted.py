"""A vendor's live feed that falls silent for a drill: on paper accounts that allow it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from app.core import drills
from app.core.drills import Drill
from app.marketdata.ports import LiveItem, LiveSource, Subscription


class MutedSource:
    """Everything as the vendor's feed does it; while the drill is on its connection says nothing.

    Heartbeats are swallowed too, as by a line that is dead without being closed.
    """

    def __init__(self, source: LiveSource, account_id: int, home: Path) -> None:
        self._source, self._account_id, self._home = source, account_id, home
        self.name, self.channels = source.name, source.channels

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - what only this source has
        return getattr(self._source, name)

    async def live(self, subscription: Subscription) -> AsyncGenerator[LiveItem]:
        """One connection of the vendor's."""
        async with aclosing(self._source.live(subscription)) as items:
            async for item in items:
                if drills.asked(self._home, self._account_id) is not Drill.MUTE_FEED:
                    yield item
