"""pgqueuer's queue in its own schema: how a run gets into it, and what takes runs out."""

from functools import cache
from typing import Final

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import Channel

from app.repositories import job_runs

CHANNEL: Final = Channel("ch_pgqueuer")


@cache
def names() -> DBSettings:
    """All names given here: the library would take others from variables such as CHANNEL."""
    return DBSettings(
        prefix="",
        db_schema="pgqueuer",
        channel=CHANNEL,
        function="fn_pgqueuer_changed",
        statistics_table="pgqueuer_statistics",
        queue_status_type="pgqueuer_status",
        queue_table="pgqueuer",
        queue_table_log="pgqueuer_log",
        trigger="tg_pgqueuer_changed",
        schedules_table="pgqueuer_schedules",
    )


def queries(connection: asyncpg.Connection) -> Queries:
    """The library's statements on one connection of ours, in whatever transaction it is."""
    return Queries(
        AsyncpgDriver(connection),
        qbe=QueryBuilderEnvironment(names()),
        qbq=QueryQueueBuilder(names()),
        qbs=QuerySchedulerBuilder(names()),
    )


def manager(connection: asyncpg.Connection) -> QueueManager:
    """What takes runs out of the queue; the connection must be direct, since it listens."""
    return QueueManager(queries(connection), channel=CHANNEL)


async def put(connection: asyncpg.Connection, job: str, run_id: int) -> None:
    """Queue a run within the caller's transaction: there with the commit, or not at all."""
    (queue_id,) = await queries(connection).enqueue(job, str(run_id).encode())
    await job_runs.queued(connection, run_id, queue_id)
