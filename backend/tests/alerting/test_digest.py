"""The daily digest says what the day was, once, to whom wants it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest

from app.alerting import digest
from app.core.config import get_settings
from app.domain.events import Severity
from app.jobs import digest as job
from app.jobs.registry import JobContext
from tests import servers
from tests.alerting.conftest import Desk
from tests.servers import TestServers


@pytest.fixture(scope="module")
def alerting_url(test_servers: TestServers, template_database: str) -> Iterator[str]:
    """Of these tests: a digest sees all that happened."""
    with servers.copied(test_servers.database_url, template_database) as url:
        yield url


async def sent(desk: Desk) -> int | None:
    async with desk.pool.acquire() as db, db.transaction():
        return await digest.send(db, desk.journal, desk.clock.now())


async def test_a_quiet_day_says_that_nothing_needs_anybody(desk: Desk) -> None:
    await desk.channel("mail", min_severity="critical")
    await sent(desk)
    await desk.work()
    [(_, message)] = desk.box.taken
    assert message.title.endswith("nothing needs you")
    assert "There is no account." in message.body
    assert "There is no backup." in message.body


async def test_a_day_has_one_digest_and_nobody_hears_that_it_is_over(desk: Desk) -> None:
    await desk.channel("mail")
    first = await sent(desk)
    assert (first is None, await sent(desk)) == (False, None)
    await desk.work()
    desk.wait(hours=1)
    await desk.work()
    assert len(desk.box.taken) == 1
    assert await desk.open_keys() == set()


async def test_the_digest_counts_what_was_raised_traded_and_saved(desk: Desk) -> None:
    account = await desk.account()
    now = desk.clock.now()
    for seq, kind in enumerate(("order_approved", "order_filled", "order_denied"), start=1):
        await desk.pool.execute(
            "INSERT INTO trading_events (stream, seq, event_type, occurred_at, recorded_at,"
            " payload, hash) VALUES ($1, $2, $3, $4, $4, '{}', $5)",
            f"account:{account}",
            seq,
            kind,
            now - timedelta(hours=1),
            bytes(32),
        )
    await desk.pool.execute(
        "INSERT INTO backups (path, status, size_bytes, finished_at)"
        " VALUES ('b', 'finished', 1, $1)",
        now - timedelta(hours=3),
    )
    await desk.alert("full", Severity.CRITICAL)
    for number in range(11):
        await desk.alert(f"small {number}", Severity.WARNING)
    async with desk.pool.acquire() as db:
        lines = await digest.written(db, now)
    text = "\n".join(lines)
    assert lines[0] == "1 alert needs you"
    assert "1 orders, 1 fills, 1 denied, 0 round trips closed (+0.00); cash 1000.00." in text
    assert "Alerts raised: 1 critical, 11 warning. Open: 12." in text
    assert "- [critical] full" in text
    assert "- and 2 more" in text
    assert "The last backup finished 3 h ago." in text


async def test_the_job_sends_the_digest_of_the_day_it_was_due(
    desk: Desk, alerting_url: str
) -> None:
    await desk.channel("mail")
    context = JobContext(
        run_id=1, scheduled_for=desk.clock.now(), attempt=1, settings=get_settings(),
        url=alerting_url, pool=desk.pool, journal=desk.journal, clock=desk.clock, worker="w",
    )  # fmt: skip
    results: list[Any] = [await job.run(context, {}) for _ in range(2)]
    assert [one["is_new"] for one in results] == [True, False]
    assert orjson.dumps(results)
    await desk.work()
    assert len(desk.box.taken) == 1
