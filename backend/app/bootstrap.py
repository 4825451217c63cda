"""Composition root: settings in, wired parts out. The only module that picks adapters."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
from pydantic.fields import FieldInfo

from app.adapters.clients.drilled import DrilledBroker
from app.adapters.clients.muted import MutedSource
from app.adapters.data.simulator import SimulatorOptions
from app.core import clock, drills, registry
from app.core.config import Settings, get_settings
from app.core.environment import home, strategy_folders, variable
from app.core.errors import ConfigurationError, FeedRefused, TradewrightError
from app.core.live import FEED_ORDER, LiveOptions
from app.core.logging import get_logger
from app.core.options import Options, where_of
from app.core.security import master_key, subkey
from app.core.strategies import StrategyOptions
from app.core.vendors import QuiverOptions
from app.db.address import database_url, redis_url
from app.db.pool import APPLICATION_NAME, opened_pool
from app.domain.deployments import LIVE_DATASET, AccountMode
from app.domain.events import Severity
from app.domain.instruments import Instrument
from app.domain.market import Timeframe
from app.domain.ports import Broker, BrokerSetup
from app.engine.paper import PaperBroker
from app.events.publishers import Publisher, SystemEvents
from app.hosting.catalogue import HostedCatalogue
from app.ingest.cache_keeper import CacheKeeper
from app.ingest.link import MakePrints
from app.ingest.option_feed import MakeIngest
from app.ingest.options import OptionIngest
from app.ingest.ticks import TickIngest, TickSettings
from app.marketdata.calendar import DEFAULT, trading_calendar
from app.marketdata.ports import (
    BarStream,
    DataProvider,
    LiveSource,
    PricePublisher,
    ProviderSetup,
)
from app.repositories import alerts
from app.repositories.accounts import Account
from app.repositories.alerts import NewAlert
from app.repositories.journal import SharedJournal
from app.repositories.stock_data import StockData
from app.services import interlock
from app.strategies.catalog import Catalogue

PAPER: Final = "paper"
log = get_logger("agents")
_FEEDS: Final = {"simulated": "simulator", "replay": "replay", "import": "replay"}
"Which adapter feeds a data set, by the word before its colon, where the account names none."


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the trading process is made of."""

    settings: Settings
    url: str
    pool: asyncpg.Pool
    journal_key: bytes
    system: SharedJournal
    catalogue: Catalogue
    publisher: PricePublisher | None
    facts: SystemEvents

    async def connect(self) -> asyncpg.Connection:
        """A connection of one's own, for LISTEN and for advisory locks."""
        return await asyncpg.connect(
            self.url, timeout=5, server_settings={"application_name": APPLICATION_NAME}
        )

    def provider(self, account: Account) -> BarStream:
        """Where the account's bars come from. Raises ConfigurationError or NotFound."""
        wanted = account.settings
        name = wanted.feed or _FEEDS.get(account.dataset.partition(":")[0])
        if name is None:
            raise ConfigurationError(
                f"Account {account.name} names no feed for the data set {account.dataset}.",
                remedy="Set `feed`, or `feeds` of a live data set, in the account's settings.",
            )
        setup = ProviderSetup(
            exchange=wanted.exchange,
            speed=self.speed(account),
            path=Path(wanted.path) if wanted.path else None,
            reader=StockData(self.pool, account.dataset),
        )
        provider: BarStream = registry.load("data", name)(setup)
        return provider

    def prints(self, dataset: str, exchange: str) -> MakePrints:
        """What checks, stores and folds the prints and quotes of a provider."""

        def make(source: str, timeframes: tuple[Timeframe, ...]) -> TickIngest:
            settings = TickSettings(timeframes=timeframes)
            calendar = trading_calendar(exchange)
            return TickIngest(self.pool, dataset, calendar, source=source, settings=settings)

        return make

    def option_quotes(self, dataset: str) -> MakeIngest:
        """What judges, values and stores the option quotes of a provider."""

        def make(source: str) -> OptionIngest:
            return OptionIngest(self.pool, dataset, source=source, publisher=self.publisher)

        return make

    def speed(self, account: Account) -> float | None:
        """Market seconds a second of a simulated or replayed feed."""
        given = account.settings.speed
        return self.settings.app.replay_speed if given is None else given

    def broker(
        self, account: Account, instruments: Mapping[str, Instrument]
    ) -> tuple[Broker, PaperBroker | None]:
        """The account's broker; the second is the same one where its book is ours to rebuild.

        Raises NotFound for an unknown broker, ConfigurationError with the variable of a key.
        """
        settings = account.settings
        interlock.check(account, is_on=self.settings.app.live_trading)
        made: Broker = make_broker(
            account.broker,
            BrokerSetup(
                account_id=account.id,
                mode=account.mode,
                instruments=instruments,
                settings=settings.fill_model if account.broker == PAPER else settings.broker,
            ),
            account.dataset,
        )
        return made, made if isinstance(made, PaperBroker) else None

    async def alarm(
        self,
        key: str,
        title: str,
        detail: str,
        account_id: int | None = None,
        severity: Severity = Severity.CRITICAL,
    ) -> None:
        """An alert that a person must see, journaled in the system stream."""
        alert = NewAlert(
            key=f"{key}:{account_id}",
            category="trading",
            severity=severity,
            title=title,
            detail=detail,
            account_id=account_id,
        )
        async with self.pool.acquire() as db, db.transaction():
            await alerts.raise_alert(db, self.system, alert, clock.now())

    async def all_clear(self, key: str, account_id: int | None = None) -> None:
        """What `alarm` told of is over by itself."""
        async with self.pool.acquire() as db, db.transaction():
            await alerts.clear(db, self.system, f"{key}:{account_id}", clock.now())

    @property
    def holder(self) -> str:
        """Who we are, as a lease says it."""
        return _holder()


def make_broker(name: str, setup: BrokerSetup, dataset: str = LIVE_DATASET) -> Broker:
    """An adapter by its name. Real ones trade at the market's own time, on its own prices.

    Raises NotFound for an unknown name, ConfigurationError with the remedy for what cannot be.
    """
    adapter = registry.load("brokers", name)
    if name == PAPER and setup.mode is not AccountMode.PAPER:
        raise ConfigurationError(
            "The paper broker has no live mode.", remedy="Use mode paper, or a real broker."
        )
    if name != PAPER and dataset != LIVE_DATASET:
        raise ConfigurationError(
            f"The broker {name} trades real time, and the account's data is {dataset}.",
            remedy="Give the account live data.",
        )
    if name != PAPER:
        require_key(name)
    if not setup.settings.get(drills.SETTING):
        made: Broker = adapter(setup)
        return made
    return _drilled(adapter, name, setup)


def _drilled(adapter: Callable[[BrokerSetup], Broker], name: str, setup: BrokerSetup) -> Broker:
    """The broker of a paper account that drills may hurt. The guardian's own connection is whole.

    Raises ConfigurationError for real money.
    """
    if setup.mode is not AccountMode.PAPER or name == PAPER:
        raise ConfigurationError(
            "Drills are for paper accounts at a broker.",
            remedy=f"Leave --broker-setting {drills.SETTING}=true out.",
        )
    settings = {key: value for key, value in setup.settings.items() if key != drills.SETTING}
    made = adapter(msgspec.structs.replace(setup, settings=settings))
    if setup.is_guardian:
        return made
    return DrilledBroker(made, setup.account_id, home())


def drilled_source(account: Account, source: LiveSource) -> LiveSource:
    """The source, which a drill may mute where a paper account allows drills."""
    is_allowed = account.settings.broker.get(drills.SETTING)
    if not is_allowed or account.mode is not AccountMode.PAPER:
        return source
    return MutedSource(source, account.id, home())


def chain(
    names: Iterable[str], exchange: str
) -> tuple[list[DataProvider], dict[str, TradewrightError]]:
    """Providers by name, the best first, and why some of them cannot be had (a key is missing).

    Raises NotFound with the nearest name for one that does not exist.
    """
    made: list[DataProvider] = []
    refused: dict[str, TradewrightError] = {}
    for name in names:
        adapter = registry.load("data", name)
        try:
            require_key(name)
            made.append(adapter(ProviderSetup(exchange=exchange)))
        except (FeedRefused, ConfigurationError) as error:
            refused[name] = error
    return made, refused


def require_key(vendor: str) -> None:
    """Raises ConfigurationError with the variable of a key that is missing and where to get it."""
    for cls in Options.__subclasses__():
        if cls.model_config["env_prefix"] == f"{vendor.upper()}_":
            keys = (name for name, field in cls.model_fields.items() if is_key(field))
            cls().require(*keys)


def is_key(field: FieldInfo) -> bool:
    """Whether a vendor's setting is a secret that a person has to get somewhere."""
    return where_of(field) is not None and "SecretStr" in str(field.annotation)


async def configured_feeds() -> tuple[str, ...]:
    """The chain of a first live account: LIVE_FEEDS, else every provider whose key is set."""
    wanted = LiveOptions().feeds
    if wanted:
        return wanted
    found, _ = chain([name for name in FEED_ORDER if name in registry.names("data")], DEFAULT)
    for provider in found:
        await provider.close()
    return tuple(provider.name for provider in found)


def live_symbols() -> tuple[str, ...]:
    """Symbols of a first live account: LIVE_SYMBOLS, else DATABENTO_SYMBOLS."""
    from app.adapters.clients.databento import DatabentoOptions  # noqa: PLC0415 - takes a second

    return LiveOptions().symbols or DatabentoOptions().symbols


def vendor_addresses() -> dict[str, str]:
    """Of vendors that are switched on, by name: an address that tells whether they can be reached.

    Takes a second where Databento is: ask for it in a thread.
    """
    from app.adapters.clients.alpaca import AlpacaOptions  # noqa: PLC0415 - loaded when first asked
    from app.adapters.clients.twelve_data import TwelveDataOptions  # noqa: PLC0415 - the same

    found: dict[str, str] = {}
    alpaca, twelve, quiver = AlpacaOptions(), TwelveDataOptions(), QuiverOptions()
    if not alpaca.missing():
        found |= {"alpaca": alpaca.base_url, "alpaca_data": alpaca.data_url}
    if not twelve.missing():
        found["twelve_data"] = twelve.base_url
    if not quiver.missing():
        found["quiver"] = quiver.base_url
    if variable("DATABENTO_API_KEY"):
        from app.adapters.clients.databento import (  # noqa: PLC0415 - takes a second
            HISTORY_URL,
            DatabentoOptions,
        )

        found["databento"] = DatabentoOptions().base_url or HISTORY_URL
    return found


@asynccontextmanager
async def parts(settings: Settings | None = None) -> AsyncIterator[Parts]:
    """Everything that `core` needs, closed at the end."""
    settings = settings or get_settings()
    url = database_url()
    key = subkey(master_key(settings.home, settings.app.secret_key), "journal")
    async with (
        opened_pool(url) as pool,
        _telling(SharedJournal(pool, key)) as facts,
        _publishing(settings, pool) as publisher,
        strategies() as catalogue,
    ):
        yield Parts(
            settings=settings,
            url=url,
            pool=pool,
            journal_key=key,
            system=SharedJournal(pool, key),
            catalogue=catalogue,
            publisher=publisher,
            facts=facts,
        )


@asynccontextmanager
async def _telling(system: SharedJournal) -> AsyncIterator[SystemEvents]:
    """Facts into the `system` stream; what waits at the end is stored, if that takes no time."""
    publisher = Publisher(system)
    publisher.start()
    try:
        yield SystemEvents(publisher, clock.system)
    finally:
        await publisher.stop()


@asynccontextmanager
async def strategies() -> AsyncIterator[Catalogue]:
    """Users' files run in processes of their own, unless they are told not to."""
    options = StrategyOptions()
    if options.host == "in_process":
        yield Catalogue(strategy_folders())
        return
    catalogue = HostedCatalogue(strategy_folders(), options)
    await asyncio.to_thread(catalogue.look)
    for place, problem in catalogue.problems.items():
        log.warning("strategy_not_usable", place=place, problem=problem)
    try:
        yield catalogue
    finally:
        await asyncio.to_thread(catalogue.close)


@asynccontextmanager
async def _publishing(
    settings: Settings, pool: asyncpg.Pool
) -> AsyncIterator[PricePublisher | None]:
    """Live prices go to Redis; without one nobody misses them but the screens."""
    try:
        address = redis_url()
    except ConfigurationError:
        yield None
        return
    publisher = registry.load("publishers", "redis")(address, settings.cache)
    keeper = CacheKeeper(pool, publisher, settings.cache.persist_seconds, _holder(), clock.system)
    keeper.start()
    try:
        yield publisher
    finally:
        await keeper.stop()
        await publisher.close()


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def simulated_start() -> datetime:
    """Where the simulated market begins when nobody was there before."""
    return datetime.combine(SimulatorOptions().start, time(), UTC)


def simulator() -> DataProvider:
    """The simulated market, for its history."""
    provider: DataProvider = registry.load("data", "simulator")(ProviderSetup())
    return provider
