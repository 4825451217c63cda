"""Is the whole well? One probe a component, a weighted score, and words for a person."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.core.clock import Clock
from app.core.quality import QualityOptions
from app.monitoring import (
    backups,
    brokers,
    clocks,
    event_bus,
    external,
    feeds,
    guardian,
    resources,
    targets,
    worker,
)
from app.repositories import broker_states, feed_states, heartbeats, metrics
from app.repositories import health as facts
from app.repositories.paging import Db, Row

HEALTHY: Final = "healthy"
DEGRADED: Final = "degraded"
UNHEALTHY: Final = "unhealthy"
WEIGHTS: Final[Mapping[str, int]] = {
    "database": 35,
    "brokers": 20,
    "market_data": 10,
    "event_bus": 8,
    "worker": 5,
    "guardian": 5,
    "disk": 5,
    "redis": 4,
    "cache": 2,
    "backups": 2,
    "clock": 2,
    "vendors": 2,
}
"""Share of the score. Without the database nothing trades, so the whole is then unhealthy."""

_PROBE_SECONDS: Final = 2.0
_FRESH_SECONDS: Final = 1.0
_SLOW_DATABASE_MS: Final = 100.0
_LAG_EVENTS: Final = 1_000
_STALE_SECONDS: Final = 120.0
_WAITING_PRICES: Final = 5_000
_NOTED: Final = timedelta(seconds=30)
_DISK_LOW_GB: Final = 2.0
_DISK_FULL_GB: Final = 0.2


class Follower(Protocol):
    """The hub, as far as health goes."""

    is_current: bool

    @property
    def lag(self) -> int: ...


class Figures(Protocol):
    """The cache, as far as health goes."""

    async def figures(self) -> dict[str, float]: ...


class Verdict(dict[str, Any]):
    """status, score 0-100, detail, latency_ms."""


def verdict(status: str, detail: str, score: int | None = None) -> Verdict:
    """A probe's answer; the score follows from the status unless it is given."""
    scores = {HEALTHY: 100, DEGRADED: 60, UNHEALTHY: 0}
    return Verdict(status=status, detail=detail, score=scores[status] if score is None else score)


Probe = Callable[[], Awaitable[Verdict]]


class HealthChecker:
    """Asks every component at once, none for longer than two seconds; remembers for one."""

    def __init__(
        self,
        pool: Db,
        redis: "Redis | None",
        cache: Figures,
        hub: Follower,
        folder: Path,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._redis = redis
        self._cache = cache
        self._hub = hub
        self._folder = folder
        self._clock = clock
        self._began = clock.monotonic()
        self._known: tuple[float, Row] | None = None
        self._asking = asyncio.Lock()

    async def get_system_health(self) -> Row:
        """{status, score, components, at}; the components in the order of their weight."""
        async with self._asking:
            if self._known is None or time.monotonic() - self._known[0] > _FRESH_SECONDS:
                self._known = time.monotonic(), await self._ask()
            return self._known[1]

    async def is_ready(self) -> str | None:
        """Why no traffic should come here; None when it may."""
        found = await self._timed(self.database)
        return str(found["detail"]) if found["status"] == UNHEALTHY else None

    async def _ask(self) -> Row:
        probes: dict[str, Probe] = {name: getattr(self, name) for name in WEIGHTS}
        answers = await asyncio.gather(*(self._timed(probe) for probe in probes.values()))
        components = dict(zip(probes, answers, strict=True))
        score = round(sum(WEIGHTS[name] * one["score"] for name, one in components.items()) / 100)
        return {
            "status": overall(components),
            "score": score,
            "components": components,
            "at": self._clock.now(),
        }

    async def _timed(self, probe: Probe) -> Verdict:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                found = await probe()
        except TimeoutError:
            found = verdict(UNHEALTHY, f"No answer within {_PROBE_SECONDS:g} s.")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, RedisError) as error:
            found = verdict(UNHEALTHY, f"Does not answer: {type(error).__name__}.")
        found["latency_ms"] = round((time.perf_counter() - started) * 1000, 2)
        return found

    async def database(self) -> Verdict:
        """PostgreSQL answers, soon."""
        started = time.perf_counter()
        version = await facts.server_version(self._pool)
        took = (time.perf_counter() - started) * 1000
        status = HEALTHY if took < _SLOW_DATABASE_MS else DEGRADED
        return verdict(status, f"PostgreSQL {version} answered in {took:.1f} ms.")

    async def redis(self) -> Verdict:
        """Redis answers. Without it nothing is lost but live prices come late."""
        if self._redis is None:
            return verdict(DEGRADED, "No Redis is configured: no live prices.")
        await self._redis.ping()
        return verdict(HEALTHY, "Redis answers.")

    async def cache(self) -> Verdict:
        """Prices are remembered, and none piles up on its way. Without it PostgreSQL answers."""
        found = await self._cache.figures()
        noted = await metrics.noted(self._pool, "publisher_", self._clock.now() - _NOTED)
        waiting = noted.get("publisher_waiting", 0)
        backlog = f"{waiting:.0f} prices wait to be published."
        if not found["cache_available"]:
            return verdict(DEGRADED, f"Redis is away: PostgreSQL answers. {backlog}")
        share = f"{found['cache_hit_ratio']:.1%} of reads were found"
        memory = f"{found['cache_memory_mb']:.0f} MB are used"
        status = HEALTHY if waiting < _WAITING_PRICES else DEGRADED
        return verdict(status, f"{share}; {memory}. {backlog}")

    async def event_bus(self) -> Verdict:
        """Committed events reach subscribers, and somebody handles them."""
        if not self._hub.is_current:
            return verdict(UNHEALTHY, "The journal is not being followed.")
        told = await heartbeats.listed(self._pool, f"{event_bus.HEARTBEAT}:%")
        waited = self._clock.monotonic() - self._began
        if why := event_bus.problem(told, waited):
            return verdict(DEGRADED, why)
        lag = self._hub.lag
        noted = await metrics.noted(self._pool, "bus_", self._clock.now() - _NOTED)
        behind = noted.get("bus_lag", 0.0)
        dead = await facts.dead_letters(self._pool)
        detail = f"{lag} committed events wait to be sent on, {behind:.0f} to be handled."
        if dead:
            return verdict(DEGRADED, f"{detail} Dead letters: {dead}.", 80)
        is_well = max(lag, behind) < _LAG_EVENTS
        return verdict(HEALTHY if is_well else DEGRADED, detail)

    async def brokers(self) -> Verdict:
        """An engine with a fresh heartbeat holds every account, and gets on with its broker."""
        rows = await facts.engines(self._pool)
        if not rows:
            return verdict(DEGRADED, "There is no account yet.")
        away = [row["name"] for row in rows if not row["is_held"]]
        if away:
            status = UNHEALTHY if len(away) == len(rows) else DEGRADED
            return verdict(status, f"No engine holds {', '.join(away)}.")
        found = brokers.problems(await broker_states.listed(self._pool))
        if found:
            return verdict(DEGRADED, " ".join(found))
        return verdict(HEALTHY, f"Accounts held by an engine: {len(rows)}.")

    async def market_data(self) -> Verdict:
        """Slices keep coming where they should: a market that is open, with something running."""
        rows = await facts.freshness(self._pool)
        stale = [
            f"{row['name']} ({row['age_seconds']:.0f} s)"
            for row in rows
            if row["is_expected"] and (row["age_seconds"] or 0) > _STALE_SECONDS
        ]
        if stale:
            return verdict(DEGRADED, f"No new bars for {', '.join(stale)}.")
        found = feeds.problems(await feed_states.listed(self._pool))
        if found:
            is_dark = any(dark for dark, _ in found)
            sentences = " ".join(sentence for _, sentence in found)
            return verdict(UNHEALTHY if is_dark else DEGRADED, sentences)
        measured = await targets.measured(self._pool, self._clock.now())
        held = targets.held(measured, QualityOptions())
        missed = [one.detail for one in held if one.state == "missed"]
        if missed:
            return verdict(DEGRADED, f"A target is missed. {' '.join(missed)}", 80)
        silent = [row["name"] for row in rows if row["age_seconds"] is None]
        if rows and len(silent) == len(rows):
            return verdict(DEGRADED, "No bar has come yet.", 80)
        return verdict(HEALTHY, "Bars come in." if rows else "Nothing is subscribed.")

    async def guardian(self) -> Verdict:
        """It watches, where it was started, and had nothing to halt."""
        row = await heartbeats.find(self._pool, heartbeats.GUARDIAN)
        found = guardian.problems(row)
        if found:
            return verdict(DEGRADED, " ".join(found))
        return verdict(HEALTHY, guardian.sentence(row))

    async def worker(self) -> Verdict:
        """Jobs are run, alerts delivered, events handled."""
        rows = await heartbeats.listed(self._pool, f"{heartbeats.WORKER}:%")
        found = worker.problems(rows, self._clock.monotonic() - self._began)
        if found:
            return verdict(DEGRADED, " ".join(found))
        return verdict(HEALTHY, worker.sentence(rows))

    async def backups(self) -> Verdict:
        """There is a recent one, and one was restored to prove it."""
        row, now = await facts.backup(self._pool), self._clock.now()
        found = backups.problems(row, now)
        if found:
            return verdict(DEGRADED, " ".join(found))
        return verdict(HEALTHY, backups.sentence(row, now))

    async def clock(self) -> Verdict:
        """This machine knows what time it is."""
        noted = await metrics.each_noted(
            self._pool, "clock_drift_ms", self._clock.now() - clocks.NOTED
        )
        drift = clocks.worst(noted) or await clocks.against_database(self._pool)
        off = abs(drift)
        status = DEGRADED if off < clocks.UNHEALTHY_MS else UNHEALTHY
        return verdict(HEALTHY if off < clocks.DEGRADED_MS else status, f"Off by {drift:+.0f} ms.")

    async def vendors(self) -> Verdict:
        """Vendors whose key is set can be reached."""
        rows = await heartbeats.listed(self._pool, f"{heartbeats.EXTERNAL}:%")
        found = external.problems(rows)
        if found:
            return verdict(DEGRADED, " ".join(found))
        return verdict(HEALTHY, external.sentence(rows))

    async def disk(self) -> Verdict:
        """There is room for the journal."""
        found = resources.disk(self._folder)
        free = found["free_gb"]
        status = HEALTHY if free > _DISK_LOW_GB else DEGRADED if free > _DISK_FULL_GB else UNHEALTHY
        return verdict(status, f"{free:.1f} GB are free.")


def overall(components: Mapping[str, Mapping[str, Any]]) -> str:
    """The database decides about unhealthy; anything else that is wrong degrades."""
    if components["database"]["status"] == UNHEALTHY:
        return UNHEALTHY
    if all(one["status"] == HEALTHY for one in components.values()):
        return HEALTHY
    return DEGRADED
