"""Option chains of one live account: followed as its settings say, also when those change."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import asyncpg

from app.bootstrap import Parts
from app.core.errors import ConfigurationError, TradewrightError
from app.core.live import LiveOptions
from app.core.tasks import end
from app.ingest.connections import Tell
from app.ingest.link import LinkReport
from app.ingest.option_feed import OptionFeed, OptionFollowed
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import DataProvider
from app.repositories import accounts
from app.repositories.accounts import Account
from app.repositories.journal import LOST_CONNECTION

SETTINGS_SECONDS: Final = 5.0
"How often the account's settings are looked at."
Refused = Callable[[str, TradewrightError], Awaitable[None]]
Attach = Callable[[OptionFeed | None], None]
"Tells the feed of bars who wants to know what stocks cost."


class FollowedOptions:
    """At most one `OptionFeed` at a time. It lives beside the bars, and never holds them up."""

    def __init__(
        self,
        parts: Parts,
        account: Account,
        providers: Sequence[DataProvider],
        options: LiveOptions,
        *,
        attach: Attach,
        tell: Tell,
        refused: Refused,
    ) -> None:
        """`refused` hears who gives nothing, and why."""
        self._parts = parts
        self._account = account
        self._providers = providers
        self._options = options
        self._attach = attach
        self._tell = tell
        self._refused = refused
        self._followed: OptionFollowed | None = None
        self._feed: OptionFeed | None = None

    async def run(self) -> None:
        """For ever."""
        following: asyncio.Task[None] | None = None
        try:
            while True:
                wanted = await self._wanted()
                if wanted != self._followed:
                    await end([following])
                    await self.close()
                    following = await self._begin(wanted)
                await asyncio.sleep(SETTINGS_SECONDS)
        finally:
            await end([following])

    async def close(self) -> None:
        """Store what waits; nothing is followed any more."""
        feed, self._feed = self._feed, None
        self._attach(None)
        if feed is not None:
            await feed.close()

    def report(self) -> list[LinkReport]:
        """Every provider of option quotes."""
        return [] if self._feed is None else self._feed.report()

    async def _wanted(self) -> OptionFollowed | None:
        """What the settings say now; what they said while the database is away."""
        with suppress(*LOST_CONNECTION, asyncpg.PostgresError):
            settings = (await accounts.get(self._parts.pool, self._account.id)).settings
            if not settings.options:
                return None
            return OptionFollowed(underlyings=settings.options, limits=settings.option_limits)
        return self._followed

    async def _begin(self, wanted: OptionFollowed | None) -> "asyncio.Task[None] | None":
        self._followed = wanted
        if wanted is None:
            return None
        dataset = self._account.dataset
        feed = OptionFeed(
            self._providers,
            trading_calendar(self._account.settings.exchange),
            wanted,
            self._parts.pool,
            dataset,
            self._parts.option_quotes(dataset),
            options=self._options,
            tell=self._tell,
            refused=self._refused,
        )
        if not feed.links:
            names = ", ".join(provider.name for provider in self._providers)
            error = ConfigurationError(
                f"The account follows chains, but {names} carries no quotes of options.",
                remedy="Add databento or alpaca to the account's feeds.",
            )
            await self._refused(names, error)
            return None
        self._feed = feed
        self._attach(feed)
        return asyncio.create_task(feed.run(), name="option chains")
