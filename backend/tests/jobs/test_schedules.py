"""When jobs are due: cron through the changes of clocks, and markets with their half days."""

from datetime import UTC, datetime

import pytest

from app.core import system_config
from app.core.backup import BackupOptions
from app.jobs.schedules import AtMarket, Cron, Daily, Schedule

NEW_YORK = "America/New_York"


def after(schedule: Schedule, instant: str, count: int = 3) -> list[str]:
    """So many due times after an instant, each as minutes of UTC."""
    at, found = datetime.fromisoformat(instant).replace(tzinfo=UTC), []
    for _ in range(count):
        at = schedule.after(at)
        found.append(at.strftime("%m-%d %H:%M"))
    return found


def test_cron_is_utc_unless_it_says_otherwise() -> None:
    assert after(Cron("30 2 * * *"), "2026-01-05T02:30:00") == [
        "01-06 02:30", "01-07 02:30", "01-08 02:30",
    ]  # fmt: skip


def test_a_due_time_is_strictly_later_than_what_was_asked() -> None:
    assert after(Cron("*/5 * * * *"), "2026-01-05T02:30:00", 1) == ["01-05 02:35"]
    assert after(Cron("*/5 * * * *"), "2026-01-05T02:29:59", 1) == ["01-05 02:30"]


def test_a_time_of_day_that_people_change_counts_from_the_next_look_on() -> None:
    daily = Daily(BackupOptions, "time", NEW_YORK)
    assert daily.words == "30 1 * * * (America/New_York)"
    assert after(daily, "2026-01-05T12:00:00", 2) == ["01-06 06:30", "01-07 06:30"]
    try:
        assert system_config.offer({"backups.time": "05:07"}) == []
        assert after(daily, "2026-01-05T12:00:00", 2) == ["01-06 10:07", "01-07 10:07"]
    finally:
        system_config.offer({})


def test_an_hour_that_does_not_exist_runs_at_the_first_minute_that_does() -> None:
    assert after(Cron("30 2 * * *", NEW_YORK), "2026-03-07T12:00:00") == [
        "03-08 07:00", "03-09 06:30", "03-10 06:30",
    ]  # fmt: skip


def test_an_hour_that_comes_twice_runs_once_when_it_is_named() -> None:
    assert after(Cron("30 1 * * *", NEW_YORK), "2026-10-31T12:00:00") == [
        "11-01 05:30", "11-02 06:30", "11-03 06:30",
    ]  # fmt: skip


def test_what_runs_every_hour_runs_in_both() -> None:
    assert after(Cron("30 * * * *", NEW_YORK), "2026-11-01T04:40:00") == [
        "11-01 05:30", "11-01 06:30", "11-01 07:30",
    ]  # fmt: skip


def test_after_the_open_keeps_new_yorks_clock_when_it_changes() -> None:
    assert after(AtMarket("open", 5), "2026-03-06T12:00:00") == [
        "03-06 14:35", "03-09 13:35", "03-10 13:35",
    ]  # fmt: skip


def test_before_the_close_knows_half_days_and_holidays() -> None:
    """Thanksgiving 2026 is the 26th; on the 27th New York closes at one."""
    assert after(AtMarket("close", -10), "2026-11-24T22:00:00") == [
        "11-25 20:50", "11-27 17:50", "11-30 20:50",
    ]  # fmt: skip


@pytest.mark.parametrize("minutes", [-600, -1, 0, 1, 90, 600])
def test_every_session_of_a_year_is_due_once_and_in_order(minutes: int) -> None:
    schedule = AtMarket("close", minutes)
    at, end = datetime(2025, 12, 31, tzinfo=UTC), datetime(2027, 1, 2, tzinfo=UTC)
    found = []
    while (at := schedule.after(at)) < end:
        found.append(at)
    days = {one.strftime("%Y-%m-%d") for one in found}
    assert len(found) == len(days)
    assert len([one for one in found if one.year == 2026]) == 251


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (Cron("0 3 * * *"), "0 3 * * * (UTC)"),
        (AtMarket("open", 5), "5 min after the open of XNYS"),
        (AtMarket("close", -10), "10 min before the close of XNYS"),
        (AtMarket("close"), "at the close of XNYS"),
    ],
)
def test_a_schedule_can_be_read(schedule: Schedule, words: str) -> None:
    assert schedule.words == words
