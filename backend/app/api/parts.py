"""The API's parts, made once at start by `main` and found by every endpoint."""

from dataclasses import dataclass
from typing import Protocol

import asyncpg
from redis.asyncio import Redis

from app.api.first_run import FirstRun
from app.api.gate import Gate
from app.api.last_signals import LastSignals
from app.api.refresh import Refresh
from app.api.sockets import Sockets
from app.core.clock import Clock
from app.core.config import Settings
from app.events.hub import Hub
from app.events.job_feed import JobFeed
from app.events.listener import Listener
from app.events.outcomes import Outcomes
from app.events.prices import Prices
from app.jobs.desk import JobDesk
from app.marketdata.cache import MarketCache
from app.monitoring.figures import SharedFigures
from app.monitoring.health import HealthChecker
from app.monitoring.metrics import Metrics
from app.monitoring.process import ProcessRecorder
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
from app.services.system_config import SystemConfig
from app.services.tickets import Tickets
from app.services.timeline import Timeline
from app.services.trading import Trading
from app.services.users import Users
from app.services.what_if import WhatIfs
from app.strategies.catalog import Catalogue


class Remembering(MarketCache, Protocol):
    """The cache, as far as its life and PostgreSQL's notices go."""

    def start(self) -> None: ...

    async def stop(self) -> None: ...

    def heard(self, notice: str) -> None: ...

    def catch_up(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything that answers requests."""

    settings: Settings
    clock: Clock
    pool: asyncpg.Pool
    redis: Redis
    metrics: Metrics
    recorder: ProcessRecorder
    cache: Remembering
    listener: Listener
    hub: Hub
    prices: Prices
    refresh: Refresh
    last_signals: LastSignals
    outcomes: Outcomes
    gate: Gate
    first_run: FirstRun
    sockets: Sockets
    access: Access
    auth: Auth
    tickets: Tickets
    desk: CommandDesk
    accounts: Accounts
    alert_rules: AlertRules
    alerts: Alerts
    chains: Chains
    config: Config
    dead_letters: DeadLetters
    credentials: Credentials
    deployments: Deployments
    explanations: Explanations
    figures: SharedFigures
    health: HealthChecker
    imports: ImportJobs
    jobs: JobDesk
    job_feed: JobFeed
    interlock: Interlock
    keys: Keys
    market: Market
    notifications: Notifications
    orders: OrderDesk
    performance: Performance
    reconciliations: Reconciliations
    request_key: bytes
    second_factor: SecondFactor
    strategies: Catalogue
    system_config: SystemConfig
    timeline: Timeline
    trading: Trading
    users: Users
    what_ifs: WhatIfs
