"""Which backups are kept."""

from datetime import UTC, datetime, timedelta

from app.db.backup_retention import made_at, outdated

NEWEST = datetime(2026, 11, 20, 3, tzinfo=UTC)


def name(at: datetime) -> str:
    return f"tradewright-{at:%Y%m%dT%H%M%SZ}-0a1b2c3d.backup"


def days_ago(*days: float) -> list[str]:
    return [name(NEWEST - timedelta(days=count)) for count in days]


def test_the_name_says_when() -> None:
    assert made_at(name(NEWEST)) == NEWEST
    foreign = ("notes.txt", "tradewright-20261120T030000Z-0a1b2c3d.partial", "x.backup")
    assert [made_at(one) for one in foreign] == [None, None, None]
    assert made_at("tradewright-20261399T030000Z-0a1b2c3d.backup") is None


def test_the_newest_of_so_many_days_and_weeks_are_kept() -> None:
    nights = days_ago(*range(60))
    gone = outdated(nights, daily=7, weekly=4)
    kept = [one for one in nights if one not in gone]
    # 2026-11-20 is a Friday: weeks end on Sundays, 5 and 12 days before, and so on
    assert kept == days_ago(0, 1, 2, 3, 4, 5, 6, 12, 19)
    assert gone == sorted(gone)


def test_of_a_day_the_newest_stays() -> None:
    morning, evening = days_ago(3.0, 2.5)
    assert outdated([evening, *days_ago(0), morning], daily=7, weekly=0) == [morning]


def test_nothing_of_the_last_day_goes() -> None:
    assert outdated(days_ago(0, 0.1, 0.2, 1), daily=1, weekly=0) == []


def test_after_a_long_pause_nothing_goes_for_being_old() -> None:
    assert outdated(days_ago(0, 400, 800), daily=3, weekly=0) == []


def test_files_of_others_are_left_alone() -> None:
    assert outdated([*days_ago(0), "my-own.backup"], daily=1, weekly=0) == []
    assert outdated([], daily=1, weekly=1) == []
