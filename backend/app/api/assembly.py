"""The API's parts put together at start, and taken apart in the other order at stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Protocol

import asyncpg
from redis.asyncio import Redis

from app.api.file_imports import importer
from app.api.first_run import FirstRun
from app.api.gate import Gate
from app.api.last_signals import LastSignals
from app.api.limits import RateLimits
from app.api.parts import Parts, Remembering
from app.api.refresh import Refresh
from app.api.schemas.jobs import run_text
from app.api.sockets import Sockets
from app.core import registry
from app.core.clock import Clock, system
from app.core.config import Settings
from app.core.environment import strategy_folders
from app.core.logging import get_logger
from app.core.rates import RateOptions
from app.core.security import master_key, subkey
from app.core.system_config import current
from app.core.vault import open_vault
from app.db import home as home_folder
from app.db.address import database_url, redis_url
from app.db.session import create_pool
from app.events.hub import Hub
from app.events.job_feed import JobFeed
from app.events.listener import Listener
from app.events.notices import ChangeNotices
from app.events.outcomes import Outcomes
from app.events.prices import Prices
from app.jobs.desk import JobDesk
from app.marketdata.calendar import trading_calendar
from app.monitoring.figures import SharedFigures
from app.monitoring.health import HealthChecker
from app.monitoring.metrics import Metrics
from app.monitoring.process import ProcessRecorder
from app.repositories.events import JournalReads
from app.repositories.job_runs import JobRunReads
from app.repositories.journal import SharedJournal
from app.repositories.session_cache import SessionCache
from app.services.access import Access
from app.services.accounts import Accounts
from app.services.alert_rules import AlertRules
from app.services.alerts import Alerts
from app.services.audit import Chains
from app.services.auth import Auth
from app.services.commands import CommandDesk
from app.services.config import Config
from app.services.credentials import Credentials
from app.services.dead_letters import DeadLetters
from app.services.deployments import Deployments
from app.services.explanations import Explanations
from app.services.import_jobs import ImportJobs
from app.services.interlock import Interlock
from app.services.keys import Keys
from app.services.market import Market
from app.services.notifications import Notifications
from app.services.orders import OrderDesk
from app.services.performance import Performance
from app.services.reconciliations import Reconciliations
from app.services.second_factor import SecondFactor
from app.services.system_config import CHANNEL, SystemConfig
from app.services.tickets import Tickets
from app.services.timeline import Timeline
from app.services.trading import Trading
from app.services.users import Users
from app.services.what_if import WhatIfs
from app.strategies.catalog import Catalogue

_REDIS_SECONDS: Final = 2.0
log = get_logger("api")


@asynccontextmanager
async def assemble(settings: Settings, metrics: Metrics) -> AsyncIterator[Parts]:
    """Everything that answers requests. Needs neither Redis nor an engine; waits for PostgreSQL."""
    database, cache = database_url(), redis_url()
    async with AsyncExitStack() as stack:
        pool = await create_pool(database, min_size=0)
        stack.callback(pool.terminate)
        redis = Redis.from_url(
            cache, socket_timeout=_REDIS_SECONDS, socket_connect_timeout=_REDIS_SECONDS
        )
        stack.push_async_callback(redis.aclose)
        listener = Listener(lambda: asyncpg.connect(database))
        limits = RateLimits(cache)
        remembered: Remembering = registry.load("caches", "redis")(cache, settings.cache)
        parts = make(settings, metrics, pool, redis, listener, limits, remembered, system)
        stack.push_async_callback(limits.close)
        _connect(parts)
        for part in _running(parts):
            part.start()
            stack.push_async_callback(part.stop)
        # Calendars take pandas and a second: neither the start nor a first chart should wait.
        warming = asyncio.create_task(asyncio.to_thread(trading_calendar))
        stack.callback(warming.cancel)
        log.info("api_started", url=settings.api.url)
        yield parts
        log.info("api_stopped")


def make(
    settings: Settings,
    metrics: Metrics,
    pool: asyncpg.Pool,
    redis: Redis,
    listener: Listener,
    limits: RateLimits,
    cache: Remembering,
    clock: Clock,
) -> Parts:
    """All parts, nothing started."""
    master = master_key(settings.home, settings.app.secret_key)
    audit_key, jwt_key = subkey(master, "audit"), subkey(master, "jwt")
    vault = open_vault(settings.home, settings.app)
    journal = SharedJournal(pool, subkey(master, "journal"))
    hub, outcomes, changes = Hub(JournalReads(pool)), Outcomes(), ChangeNotices()
    prices = Prices(redis)
    remembered = SessionCache(redis, clock)
    access = Access(pool, jwt_key, audit_key, remembered, clock)
    auth = Auth(pool, jwt_key, audit_key, remembered, clock)
    desk = CommandDesk(pool, outcomes)
    catalogue = Catalogue(strategy_folders())
    listener.on("trading_state", changes.heard)
    supervised = home_folder.is_held(settings.home)
    return Parts(
        settings=settings,
        clock=clock,
        pool=pool,
        redis=redis,
        metrics=metrics,
        recorder=ProcessRecorder(pool, "api", clock),
        cache=cache,
        listener=listener,
        hub=hub,
        prices=prices,
        refresh=Refresh(pool, prices),
        last_signals=LastSignals(hub, cache),
        outcomes=outcomes,
        gate=Gate(access, limits, frozenset(settings.api.cors_origins), clock),
        first_run=FirstRun(auth, settings.home, settings.api.url, says=not supervised),
        sockets=Sockets(access),
        access=access,
        auth=auth,
        tickets=Tickets(redis, clock),
        desk=desk,
        accounts=Accounts(pool, clock, is_live_on=settings.app.live_trading),
        alert_rules=AlertRules(pool, journal, audit_key, clock),
        alerts=Alerts(pool, journal, audit_key, clock),
        chains=Chains(pool, master, settings.home, clock),
        config=Config(pool, desk, journal, audit_key, clock),
        dead_letters=DeadLetters(pool, journal, audit_key, clock),
        credentials=Credentials(pool, vault, audit_key, clock),
        deployments=Deployments(pool, desk, catalogue),
        explanations=Explanations(pool),
        figures=SharedFigures(pool, clock),
        health=HealthChecker(pool, redis, cache, hub, settings.home, clock),
        imports=ImportJobs(pool, settings.home / "uploads", importer(pool)),
        jobs=JobDesk(pool, audit_key, clock),
        job_feed=JobFeed(JobRunReads(pool), run_text),
        interlock=Interlock(pool, audit_key, clock, is_on=settings.app.live_trading),
        keys=Keys(pool, audit_key, clock),
        market=Market(pool, cache, clock),
        notifications=Notifications(
            pool, vault, registry.load("notifiers", "apprise")(), audit_key, clock
        ),
        orders=OrderDesk(pool, desk),
        performance=Performance(pool),
        reconciliations=Reconciliations(pool, desk, audit_key, clock),
        request_key=subkey(master, "requests"),
        second_factor=SecondFactor(pool, vault, audit_key, clock),
        strategies=catalogue,
        system_config=SystemConfig(pool, lambda: limits.take(current(RateOptions))),
        timeline=Timeline(pool),
        trading=Trading(pool, desk, changes, journal, audit_key, clock),
        users=Users(pool, audit_key, clock, remembered),
        what_ifs=WhatIfs(),
    )


class Running(Protocol):
    """What works in the background."""

    def start(self) -> None: ...

    async def stop(self) -> None: ...


def _running(parts: Parts) -> tuple[Running, ...]:
    """In the order of their start."""
    return (
        parts.recorder,
        parts.system_config,
        parts.listener,
        parts.hub,
        parts.job_feed,
        parts.prices,
        parts.cache,
        parts.refresh,
        parts.last_signals,
        parts.sockets,
        parts.first_run,
        parts.imports,
    )


def _connect(parts: Parts) -> None:
    """Whom PostgreSQL's notices wake."""
    listener = parts.listener
    listener.on("journal", parts.hub.heard)
    listener.on("command_done", parts.outcomes.heard)
    listener.on("job_runs", parts.job_feed.heard)
    listener.on_connected(parts.job_feed.catch_up)
    listener.on("access", parts.sockets.heard)
    listener.on("market_data", parts.cache.heard)
    listener.on(CHANNEL, parts.refresh.heard)
    listener.on(CHANNEL, parts.system_config.heard)
    followers = (parts.hub, parts.outcomes, parts.sockets, parts.cache, parts.refresh)
    for part in (*followers, parts.system_config):
        listener.on_connected(part.catch_up)
