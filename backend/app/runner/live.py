"""The live feed of one account: its chain of providers, what it tells, and its state for others."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

import asyncpg
import msgspec

from app import bootstrap
from app.bootstrap import Parts
from app.core import clock
from app.core.errors import ConfigurationError, TradewrightError
from app.core.live import LiveOptions
from app.core.logging import get_logger
from app.core.quality import QualityOptions
from app.domain.events import FeedDisconnected
from app.domain.ports import Entry
from app.ingest.link import LinkReport
from app.ingest.live_feed import LiveFeed, Told
from app.ingest.option_feed import OptionFeed, OptionFollowed
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import DataProvider
from app.repositories import feed_states, metrics
from app.repositories.accounts import Account
from app.repositories.journal import LOST_CONNECTION
from app.runner.quality import Backfill, live_figures
from app.services.ingestion import Statistics

SAVE_SECONDS: Final = 1.0
NOTE_SECONDS: Final = 10.0
log = get_logger("trading")


class LiveData:
    """Made once a run of an account; a provider that refused us stays out until the next."""

    def __init__(self, parts: Parts, account: Account) -> None:
        """Raises ConfigurationError when no provider is left, NotFound for an unknown name."""
        self._parts = parts
        self._account = account
        self.options = LiveOptions()
        self.statistics: Statistics | None = None
        "Of the ingestion that reads the feed now."
        settings = account.settings
        if not settings.chain:
            raise ConfigurationError(
                f"Account {account.name} has live data, and no provider to get it from.",
                remedy="Set `feeds` in the account's settings.",
            )
        providers, self._missing = bootstrap.chain(settings.chain, settings.exchange)
        if not providers:
            reasons = " ".join(str(error) for error in self._missing.values())
            raise ConfigurationError(
                f"None of the providers of account {account.name} can be used. {reasons}"
            )
        self._contracts = self._options_of(providers)
        self.feed = LiveFeed(
            providers,
            account.dataset,
            trading_calendar(settings.exchange),
            options=self.options,
            prints=parts.prints(account.dataset, settings.exchange),
            publisher=parts.publisher,
            contracts=self._contracts,
            tell=self._tell,
            refused=self._refused,
        )

    def _options_of(self, providers: Sequence[DataProvider]) -> OptionFeed | None:
        """What follows the chains that the account names; None for none."""
        settings = self._account.settings
        if not settings.options:
            return None
        return OptionFeed(
            providers,
            trading_calendar(settings.exchange),
            OptionFollowed(underlyings=settings.options, limits=settings.option_limits),
            self._parts.pool,
            self._account.dataset,
            self._parts.option_quotes(self._account.dataset),
            options=self.options,
            tell=self._tell,
            refused=self._refused,
        )

    @property
    def fresh(self) -> timedelta:
        """Slices that come later than this only warm up."""
        return timedelta(seconds=self.options.fresh_seconds)

    async def report(self) -> None:
        """Say which providers cannot be used; then, for ever, what the others are doing."""
        for name, error in self._missing.items():
            reason = str(error)
            await self._tell(FeedDisconnected(feed=name, reason=reason, at=clock.now()))
            await self._refused(name, error)
        noted = 0.0
        while True:
            try:
                reports = self.feed.report()
                every = [*reports, *self._of_options()]
                await feed_states.save(self._parts.pool, self._account.id, every)
                if clock.system.monotonic() - noted > NOTE_SECONDS:
                    noted = clock.system.monotonic()
                    await self._note(reports)
            except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
                log.warning("feed_state_not_saved", error=str(error))
            await asyncio.sleep(SAVE_SECONDS)

    async def _note(self, reports: Sequence[LinkReport]) -> None:
        """Figures that the targets of live data are held against."""
        figures = live_figures(reports, self.statistics)
        process = f"account:{self._account.id}"
        await metrics.note(self._parts.pool, process, figures, clock.now())

    async def backfill(self) -> None:
        """Ask the providers about gaps of this account's symbols, for ever."""
        chain = [link.provider for link in self.feed.links]
        await Backfill(self._parts.pool, self._account, chain, QualityOptions()).run()

    async def follow_options(self) -> None:
        """Quotes of the chains that the account follows, for ever; returns where there are none."""
        if self._contracts is None:
            return
        if not self._contracts.links:
            await self._refused(
                f"The chain {', '.join(self._account.settings.chain)}",
                ConfigurationError(
                    "None of its providers that can be used carries quotes of options.",
                    remedy="Add databento or alpaca to the account's feeds.",
                ),
            )
            return
        await self._contracts.run()

    async def close(self) -> None:
        """Store what waits, and give back the providers' sessions."""
        if self._contracts is not None:
            await self._contracts.close()
        await self.feed.close()

    def _of_options(self) -> list[LinkReport]:
        return [] if self._contracts is None else self._contracts.report()

    async def _tell(self, event: Told) -> None:
        if hasattr(event, "feed"):
            event = msgspec.structs.replace(event, feed=f"{event.feed} ({self._account.name})")
        with suppress(*LOST_CONNECTION):
            await self._parts.system.append([Entry(event)])

    async def _refused(self, name: str, error: TradewrightError) -> None:
        title = f"{name} gives account {self._account.name} no data"
        with suppress(*LOST_CONNECTION):
            await self._parts.alarm(f"feed_refused:{name}", title, str(error), self._account.id)
