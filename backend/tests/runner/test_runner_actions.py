"""What an account is told of corporate actions, and when, on a real PostgreSQL."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg

from app.domain.events import SessionOpened
from app.marketdata.adjustments import Adjustment
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import Action
from app.repositories import corporate_actions
from app.runner.actions import Actions
from tests.factories import FRIDAY, utc

XNYS = trading_calendar("XNYS")
MONDAY, TUESDAY = FRIDAY + timedelta(days=3), FRIDAY + timedelta(days=4)
OPEN = {
    MONDAY: SessionOpened(session=MONDAY, at=utc("2024-03-04 14:30")),
    TUESDAY: SessionOpened(session=TUESDAY, at=utc("2024-03-05 14:30")),
}


async def tell(pool: asyncpg.Pool, dataset: str, **given: Any) -> None:
    fields = {"symbol": "AAPL", "kind": "split", "ex_date": MONDAY, "ratio": Decimal(4)}
    await corporate_actions.store(pool, dataset, [Action(**{**fields, **given})], "test")


def names(found: Any) -> list[tuple[str, str, bool]]:
    return [(one.symbol, one.kind, one.is_late) for one in found]


async def test_what_is_due_comes_with_its_session_in_order(pool: asyncpg.Pool) -> None:
    await tell(pool, "replay:a", kind="dividend", ratio=None, amount=Decimal(1))
    await tell(pool, "replay:a")
    await tell(pool, "replay:a", symbol="IBM", ex_date=date(2024, 3, 2))  # a Saturday
    actions = Actions(pool, "replay:a", XNYS)
    found = await actions.due(["AAPL", "IBM"], FRIDAY, OPEN[MONDAY])
    assert names(found) == [
        ("AAPL", "split", False),
        ("AAPL", "dividend", False),
        ("IBM", "split", False),
    ]
    assert {one.at for one in found} == {OPEN[MONDAY].at}
    assert await actions.due(["AAPL"], MONDAY, OPEN[TUESDAY]) == []
    assert names(await actions.due(["IBM"], None, OPEN[MONDAY])) == [("IBM", "split", False)]


async def test_nothing_happens_on_a_simulated_market(pool: asyncpg.Pool) -> None:
    await tell(pool, "simulated")
    assert await Actions(pool, "simulated", XNYS).due(["AAPL"], FRIDAY, OPEN[MONDAY]) == []


async def test_a_session_that_was_missed_is_made_up_for(pool: asyncpg.Pool) -> None:
    await tell(pool, "replay:a")
    found = await Actions(pool, "replay:a", XNYS).due(["AAPL"], FRIDAY, OPEN[TUESDAY])
    assert names(found) == [("AAPL", "split", False)]
    assert found[0].session == TUESDAY


async def test_what_becomes_known_late_comes_late_and_says_so(pool: asyncpg.Pool) -> None:
    await tell(pool, "replay:a", known_at=datetime(2024, 3, 4, 18, tzinfo=UTC))
    actions = Actions(pool, "replay:a", XNYS)
    assert await actions.due(["AAPL"], FRIDAY, OPEN[MONDAY]) == []
    assert names(await actions.due(["AAPL"], MONDAY, OPEN[TUESDAY])) == [("AAPL", "split", True)]
    assert await actions.adjustments("AAPL") == [
        Adjustment(MONDAY.toordinal(), 0.0, 4.0, TUESDAY.toordinal())
    ]


async def test_on_the_real_market_nothing_is_known_before_it_was_stored(
    pool: asyncpg.Pool,
) -> None:
    await tell(pool, "live")
    live = Actions(pool, "live", XNYS, lived_since=MONDAY)
    assert await live.due(["AAPL"], FRIDAY, OPEN[MONDAY]) == []
    (one,) = await live.adjustments("AAPL")
    assert one.since >= datetime.now(UTC).date().toordinal()
    younger = Actions(pool, "live", XNYS, lived_since=TUESDAY)
    (one,) = await younger.adjustments("AAPL")
    assert one.since == MONDAY.toordinal()
