"""Tests of IBKR's codes and of its planned outages."""

from datetime import time

import pytest

from app.adapters.clients.ibkr_errors import (
    failure,
    is_about_permission,
    maintenance,
    planned_outage,
)
from app.core.errors import APIError, FeedLost, FeedRefused, NotFound, TransientError
from tests.factories import utc

RESTART = time(23, 45)
HISTORY = "Historical Market Data Service error message:"


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        (200, "No security definition has been found for the request", NotFound),
        (162, f"{HISTORY}HMDS query returned no data: AAPL@SMART Trades", NotFound),
        (162, f"{HISTORY}Historical data request pacing violation", TransientError),
        (162, f"{HISTORY}No market data permissions for ISLAND STK", FeedRefused),
        (162, f"{HISTORY}API historical data query cancelled: 5", TransientError),
        (162, f"{HISTORY}Trading TWS session is connected from a different IP address", FeedLost),
        (162, f"{HISTORY}something new", APIError),
        (354, "Requested market data is not subscribed.", FeedRefused),
        (10089, "Requested market data requires additional subscription for API.", FeedRefused),
        (10197, "No market data during competing live session", FeedLost),
        (101, "Max number of tickers has been reached", FeedRefused),
        (100, "Max rate of messages per second has been exceeded", TransientError),
        (420, "Invalid Real-time Query.Historical data request pacing violation", TransientError),
        (1100, "Connectivity between IB and Trader Workstation has been lost.", FeedLost),
        (504, "Not connected", FeedLost),
        (321, "Error validating request", APIError),
    ],
)
def test_a_code_becomes_the_error_that_says_what_to_do(
    code: int, said: str, kind: type[Exception]
) -> None:
    error = failure(code, said, "AAPL")
    assert type(error) is kind
    assert said in str(error)
    assert isinstance(error, APIError | NotFound)
    assert error.context["code"] == code


def test_what_was_asked_for_is_named() -> None:
    assert failure(200, "no", "ZZZZ").context["symbol"] == "ZZZZ"  # type: ignore[attr-defined]


def test_a_missing_subscription_is_told_from_other_refusals() -> None:
    assert is_about_permission(failure(354, "not subscribed", "AAPL"))
    assert not is_about_permission(failure(101, "too many", "AAPL"))


def test_an_unknown_symbol_is_doubted_while_servers_restart() -> None:
    error = failure(200, "No security definition", "AAPL", "IBKR's nightly reset")
    assert isinstance(error, FeedLost)
    assert "may be due to IBKR's nightly reset" in str(error)


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("2026-03-04 17:00", None),
        ("2026-03-04 05:14", None),
        ("2026-03-04 05:15", "nightly reset"),
        ("2026-03-04 06:44", "nightly reset"),
        ("2026-03-04 06:45", None),
        ("2026-07-08 04:15", "nightly reset"),
        ("2026-03-07 04:00", "weekend maintenance"),
        ("2026-03-07 07:59", "weekend maintenance"),
        ("2026-03-07 08:00", None),
        ("2026-03-05 04:45", "restart at 23:45"),
        ("2026-03-05 04:54", "restart at 23:45"),
        ("2026-03-05 04:55", None),
        ("2026-03-08 05:30", "nightly reset"),
        ("2026-03-08 07:00", "weekly sign-in"),
        ("2026-03-08 23:00", "weekly sign-in"),
        ("2026-03-09 13:30", None),
    ],
)
def test_outages_are_planned_by_the_clock_of_new_york(at: str, why: str | None) -> None:
    outage = planned_outage(utc(at), RESTART)
    assert (outage is None) == (why is None)
    assert why is None or why in str(outage)


def test_a_restart_may_cross_midnight() -> None:
    assert planned_outage(utc("2026-03-05 05:03"), time(23, 55)) is not None


def test_the_sign_in_is_no_maintenance() -> None:
    assert maintenance(utc("2026-03-08 17:00")) is None
