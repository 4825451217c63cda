"""Health, system and readiness as monitoring and load balancers read them."""

from enum import StrEnum

from pydantic import Field

from app.api.schemas.base import Instant, Out


class HealthStatus(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class PingOut(Out):
    """The process answers."""

    status: str = Field(examples=["ok"])
    at: Instant


class ComponentOut(Out):
    """One probe's verdict. Detail and latency are shown to signed-in callers only."""

    status: HealthStatus
    score: int = Field(ge=0, le=100, examples=[100])
    detail: str | None = Field(default=None, examples=["PostgreSQL 18.4 answered in 0.6 ms"])
    latency_ms: float | None = Field(default=None, examples=[0.6])


class HealthOut(Out):
    """The whole, weighted by what matters for trading."""

    status: HealthStatus
    score: int = Field(ge=0, le=100, examples=[98])
    components: dict[str, ComponentOut] = Field(
        description="database, brokers, market_data, event_bus, worker, guardian, disk, redis,"
        " cache, backups, clock, vendors."
    )
    at: Instant


class LivenessOut(Out):
    """Alive: the event loop turns. Ready: the database answers and its schema is current."""

    status: str = Field(examples=["ok"])
    detail: str | None = Field(default=None, examples=["The database does not answer."])


class CpuOut(Out):
    percent: float = Field(examples=[12.5])
    cores: int = Field(examples=[8])
    load_1m: float = Field(examples=[0.42])


class MemoryOut(Out):
    total_mb: float = Field(examples=[15995.2])
    available_mb: float = Field(examples=[9120.0])
    percent: float = Field(examples=[43.0])


class DiskOut(Out):
    path: str = Field(examples=["data"])
    total_gb: float = Field(examples=[494.4])
    free_gb: float = Field(examples=[201.7])
    percent: float = Field(examples=[59.2])


class ProcessOut(Out):
    pid: int = Field(examples=[4211])
    memory_mb: float = Field(examples=[118.4])
    threads: int = Field(examples=[9])
    open_files: int = Field(examples=[31])
    uptime_seconds: float = Field(examples=[86.2])


class SystemOut(Out):
    """The machine, and this process on it."""

    cpu: CpuOut
    memory: MemoryOut
    disk: DiskOut
    process: ProcessOut
    version: str = Field(examples=["0.1.0"])
    at: Instant
