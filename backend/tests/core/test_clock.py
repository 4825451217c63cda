"""Time is UTC, exact to the microsecond, and never runs backwards."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import clock

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_now_is_utc_and_close_to_the_machine() -> None:
    assert clock.now().tzinfo is UTC
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert clock.system.monotonic() <= clock.system.monotonic()


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    hand = clock.ManualClock(NOON)
    assert (hand.now(), hand.monotonic()) == (NOON, 0.0)
    hand.move_to(NOON + timedelta(seconds=90))
    assert (hand.now(), hand.monotonic()) == (NOON + timedelta(seconds=90), 90.0)


def test_a_manual_clock_refuses_the_past() -> None:
    with pytest.raises(ValueError, match="cannot go back"):
        clock.ManualClock(NOON).move_to(NOON - timedelta(seconds=1))


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        clock.ManualClock(NOON.replace(tzinfo=None))
    with pytest.raises(ValueError, match="no time zone"):
        clock.to_ns(NOON.replace(tzinfo=None))


def test_another_zone_becomes_utc() -> None:
    new_york = NOON.astimezone(timezone(-timedelta(hours=5)))
    assert clock.ManualClock(new_york).now().tzinfo is UTC
    assert clock.to_ns(new_york) == clock.to_ns(NOON)


@given(st.datetimes(timezones=st.just(UTC)))
def test_nanoseconds_and_back_keep_every_microsecond(at: datetime) -> None:
    assert clock.from_ns(clock.to_ns(at)) == at
