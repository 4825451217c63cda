"""Conditions become alerts when they last, stay one alert, and clear when they are over."""

import asyncio
from collections.abc import Mapping

import asyncpg
import pytest

from app.alerting.conditions import Condition, Look
from app.alerting.rules import Finding, Rule, Source
from app.alerting.thresholds import PREFIX, Thresholds, checked, loaded
from app.alerting.watch import Watch
from app.core.errors import InvalidInput, NotFound
from app.domain.events import Severity
from app.worker.alerts import opened
from tests.alerting.conftest import Desk


class Sight:
    """A condition of a test: what it finds is what the test says."""

    def __init__(self, name: str = "leak", patience: str | None = None) -> None:
        self.found: list[Finding] = []
        self.error: Exception | None = None
        self.looks = 0
        self.looked = asyncio.Event()
        self.rule = Rule(
            name=name, title="A leak", source=Source.METRIC, category="system",
            severity=Severity.ERROR, clears="By itself.", patience=patience,
        )  # fmt: skip

    async def find(self, look: Look) -> list[Finding]:
        self.looks += 1
        self.looked.set()
        if self.error is not None:
            raise self.error
        return self.found

    def says(self, *keys: str, detail: str = "", **more: object) -> None:
        self.found = [
            Finding(**{"key": key, "title": key, "detail": detail, **more})  # type: ignore[arg-type]  # a test's own words
            for key in keys
        ]


async def healthy() -> Mapping[str, str] | None:
    return {"database": "healthy"}


def watching(desk: Desk, sight: Sight, every: float = 0.0) -> Watch:
    condition = Condition(rule=sight.rule, find=sight.find, every_seconds=every)
    return Watch(desk.pool, desk.journal, healthy, opened, desk.clock, [condition])


async def rows(desk: Desk) -> list[tuple[str, int, str, str]]:
    found = await desk.pool.fetch(
        "SELECT key, occurrences, severity, detail FROM alerts WHERE resolved_at IS NULL ORDER BY 1"
    )
    return [tuple(row) for row in found]


async def test_what_is_found_is_one_alert_while_it_lasts_and_clears_when_it_is_over(
    desk: Desk,
) -> None:
    sight = Sight()
    watch = watching(desk, sight)
    sight.says("leak:1", "leak:2", detail="drip")
    for _ in range(3):
        await watch.look()
        desk.wait(seconds=61)
    assert await rows(desk) == [("leak:1", 1, "error", "drip"), ("leak:2", 1, "error", "drip")]
    sight.says("leak:2", detail="pour", severity=Severity.CRITICAL)
    await watch.look()
    assert await rows(desk) == [("leak:2", 1, "critical", "pour")]
    sight.says()
    await watch.look()
    assert await rows(desk) == []
    by = await desk.pool.fetchval("SELECT resolved_by FROM alerts WHERE key = 'leak:1'")
    assert by == "system"


async def test_what_merely_lasts_is_written_down_again_only_when_it_says_something_else(
    desk: Desk,
) -> None:
    sight = Sight()
    watch = watching(desk, sight)
    sight.says("leak:1", detail="drip")
    await watch.look()
    first = await desk.pool.fetchval("SELECT last_seen_at FROM alerts")
    desk.wait(seconds=15)
    await watch.look()
    assert await desk.pool.fetchval("SELECT last_seen_at FROM alerts") == first
    sight.says("leak:1", detail="pour")
    await watch.look()
    assert await rows(desk) == [("leak:1", 1, "error", "pour")]
    sight.says("leak:1", detail="pour", severity=Severity.CRITICAL)
    await watch.look()
    assert await rows(desk) == [("leak:1", 1, "critical", "pour")]


async def test_a_look_that_fails_neither_raises_nor_clears(desk: Desk) -> None:
    sight = Sight()
    watch = watching(desk, sight)
    sight.says("leak:1")
    await watch.look()
    sight.error = asyncpg.PostgresError("away")
    await watch.look()
    assert [row[0] for row in await rows(desk)] == ["leak:1"]


async def test_who_needs_patience_is_told_only_when_it_lasts(desk: Desk) -> None:
    sight = Sight(patience="unwell_seconds")
    watch = watching(desk, sight)
    sight.says("leak:1")
    await watch.look()
    desk.wait(seconds=59)
    await watch.look()
    assert await rows(desk) == []
    sight.says()
    await watch.look()
    sight.says("leak:1")
    await watch.look()
    desk.wait(seconds=59)
    await watch.look()
    assert await rows(desk) == []
    desk.wait(seconds=1)
    await watch.look()
    assert [row[0] for row in await rows(desk)] == ["leak:1"]


async def test_looks_that_cost_more_are_taken_less_often(desk: Desk) -> None:
    sight = Sight()
    watch = watching(desk, sight, every=60)
    for _ in range(4):
        await watch.look()
        desk.wait(seconds=30)
    assert sight.looks == 2


async def test_what_is_about_the_past_is_told_once_even_after_it_was_resolved(desk: Desk) -> None:
    sight = Sight("new_address")
    watch = watching(desk, sight)
    sight.says("new_address:ada:1", is_once=True)
    await watch.look()
    await desk.pool.execute("UPDATE alerts SET resolved_at = now(), resolved_by = 'ada'")
    await watch.look()
    assert await rows(desk) == []
    sight.says("new_address:ada:2", is_once=True)
    await watch.look()
    sight.says()
    await watch.look()
    assert [row[0] for row in await rows(desk)] == ["new_address:ada:2"]


async def test_a_single_event_that_does_not_happen_again_settles_unless_it_is_critical(
    desk: Desk,
) -> None:
    await desk.alert("order_rejected:account:1", Severity.ERROR, rule="order_rejected")
    await desk.alert("strategy_noted:1:x", Severity.CRITICAL, rule="strategy_noted")
    await desk.alert("feed_lost:a", Severity.ERROR, rule="feed_lost")
    watch = watching(desk, Sight())
    desk.wait(hours=23)
    await watch.look()
    assert len(await desk.open_keys()) == 3
    desk.wait(hours=2)
    await watch.look()
    assert await desk.open_keys() == {"strategy_noted:1:x", "feed_lost:a"}


async def test_thresholds_are_read_at_every_look(desk: Desk) -> None:
    watch = watching(desk, Sight())
    assert (await watch.look()).look_seconds == 15
    await desk.threshold("look_seconds", 3)
    assert (await watch.look()).look_seconds == 3


async def test_the_watch_ends_when_it_is_asked_to(desk: Desk) -> None:
    sight, stopping = Sight(), asyncio.Event()
    running = asyncio.create_task(watching(desk, sight).run(stopping))
    async with asyncio.timeout(60):
        await sight.looked.wait()
        stopping.set()
        await running


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("backup_hours", 0, "cannot be 0"),
        ("backup_hours", "soon", "cannot be 'soon'"),
        ("backup_hours", None, "cannot be None"),
        ("failed_sign_ins", 2.5, "cannot be 2.5"),
        ("failed_sign_ins", True, "cannot be True"),
    ],
)
def test_a_threshold_that_cannot_be_is_refused_with_what_can(
    key: str, value: object, why: str
) -> None:
    with pytest.raises(InvalidInput, match=why) as refused:
        checked(PREFIX + key, value)
    assert "number from 1 to" in (refused.value.remedy or "")


def test_a_threshold_that_does_not_exist_is_answered_with_the_nearest() -> None:
    with pytest.raises(NotFound) as refused:
        checked("alerts.backup_hour", 3)
    assert refused.value.remedy == "Did you mean backup_hours?"


def test_what_others_keep_in_the_same_table_is_no_threshold() -> None:
    stored = {"alerts.backup_hours": 30, "max_daily_loss": "0.02", "alerts.of_an_older_version": 1}
    assert loaded(stored) == Thresholds(backup_hours=30)
    assert checked("backup_hours", "30") == 30
