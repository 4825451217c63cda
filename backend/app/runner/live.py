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
from app.core.errors import ConfigurationError, TradewrightError, Unavailable
from app.core.live import LiveOptions
from app.core.logging import get_logger
from app.core.quality import QualityOptions
from app.domain.events import FeedDisconnected
from app.ingest.link import LinkReport
from app.ingest.live_feed import LiveFeed, Told
from app.ingest.option_feed import OptionFeed
from app.ingest.shared_source import shared
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import LiveSource
from app.repositories import feed_states, metrics
from app.repositories.accounts import Account
from app.repositories.journal import LOST_CONNECTION
from app.runner.live_options import FollowedOptions
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
        self.feed = LiveFeed(
            providers,
            account.dataset,
            trading_calendar(settings.exchange),
            options=self.options,
            prints=parts.prints(account.dataset, settings.exchange),
            publisher=parts.publisher,
            tell=self._tell,
            refused=self._refused,
            share=self._share,
        )
        self._chains = FollowedOptions(
            parts,
            account,
            providers,
            self.options,
            attach=self._attach,
            tell=self._tell,
            refused=self._no_options,
        )

    def _share(self, source: LiveSource) -> LiveSource:
        """One connection of the process to a vendor, which a drill of this account may mute."""
        one = shared(source, exchange=self._account.settings.exchange)
        return bootstrap.drilled_source(self._account, one)

    def _attach(self, options: OptionFeed | None) -> None:
        self.feed.contracts = options

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
                every = [*reports, *self._chains.report()]
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
        """Quotes of the option chains that the account's settings name, for ever."""
        await self._chains.run()

    async def close(self) -> None:
        """Store what waits, and give back the providers' sessions."""
        await self._chains.close()
        await self.feed.close()

    async def _tell(self, event: Told) -> None:
        if hasattr(event, "feed"):
            event = msgspec.structs.replace(event, feed=f"{event.feed} ({self._account.name})")
        with suppress(Unavailable):  # the journal has been away for very long
            self._parts.facts.tell(event)

    async def _no_options(self, name: str, error: TradewrightError) -> None:
        title = f"{name} gives account {self._account.name} no options"
        with suppress(*LOST_CONNECTION):
            await self._parts.alarm(f"options_refused:{name}", title, str(error), self._account.id)

    async def _refused(self, name: str, error: TradewrightError) -> None:
        title = f"{name} gives account {self._account.name} no data"
        with suppress(*LOST_CONNECTION):
            await self._parts.alarm(f"feed_refused:{name}", title, str(error), self._account.id)
