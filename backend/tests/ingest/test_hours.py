"""A live feed rests when its exchange does."""

import pytest

from app.ingest.hours import Hours
from app.marketdata.calendar import trading_calendar
from tests.factories import utc

XNYS = Hours(trading_calendar("XNYS"), 300)


@pytest.mark.parametrize(
    ("at", "is_open", "is_trading"),
    [
        ("2024-03-01 14:24:59", False, False),
        ("2024-03-01 14:25:00", True, False),
        ("2024-03-01 14:30:00", True, True),
        ("2024-03-01 20:59:59", True, True),
        ("2024-03-01 21:00:00", True, False),
        ("2024-03-01 21:01:59", True, False),
        ("2024-03-01 21:02:00", False, False),
        ("2024-03-02 16:00:00", False, False),
        ("2024-07-03 17:01:00", True, False),
        ("2024-07-03 17:03:00", False, False),
        ("2024-07-04 16:00:00", False, False),
    ],
)
def test_connections_are_wanted_around_the_session(
    at: str, is_open: bool, is_trading: bool
) -> None:
    assert (XNYS.is_open(utc(at)), XNYS.is_trading(utc(at))) == (is_open, is_trading)


def test_extended_hours_are_the_whole_day() -> None:
    whole = Hours(trading_calendar("XNYS"), 300, extended_hours=True)
    assert whole.is_open(utc("2024-03-01 09:00"))
    assert not whole.is_trading(utc("2024-03-01 09:00"))
    assert whole.is_extended(utc("2024-03-01 09:00"))
    assert not whole.is_extended(utc("2024-03-01 14:30"))
    assert not XNYS.is_extended(utc("2024-03-01 09:00"))
    assert not whole.is_open(utc("2024-03-02 16:00"))


def test_an_exchange_that_never_closes_is_always_open() -> None:
    whole = Hours(trading_calendar("24/7"), 300)
    assert all(whole.is_open(utc(f"2024-03-02 {hour:02}:00")) for hour in range(24))


def test_seconds_since_the_open() -> None:
    assert XNYS.trading_seconds(utc("2024-03-01 14:40")) == 600
    assert XNYS.trading_seconds(utc("2024-03-01 22:40")) == 0
    assert XNYS.trading_seconds(utc("2024-03-02 14:40")) == 0
