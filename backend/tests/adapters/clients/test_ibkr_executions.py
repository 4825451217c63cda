"""Fills of Interactive Brokers: one each, corrected, busted, charged late, told after a restart."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.adapters.clients.ibkr_executions import (
    SETTLING_SECONDS,
    Executions,
    ancestors,
    split,
)
from app.core.clock import ManualClock
from app.domain.events import ExecutionBusted, ExecutionCorrected, OrderFilled
from tests.trading import OPEN, make_execution

FIRST, SECOND, THIRD = (f"0000e0d5.1e6b8c5f.01.{n:02}" for n in (1, 2, 3))


class Told:
    """The table under test, and what it told."""

    def __init__(self, patience: float = 60.0) -> None:
        self.clock = ManualClock(OPEN)
        self.told: list[Any] = []
        self.fills = Executions(self.told.append, self.clock, patience_seconds=patience)

    def hear(self, identity: str = FIRST, quantity: float = 10, price: float = 100) -> None:
        self.fills.hear(make_execution(quantity, price, execution_id=identity))

    def filled(self, fee: float = 1.0) -> None:
        """A first fill with its commission."""
        self.hear()
        self.fills.commission(FIRST, fee)

    def kinds(self) -> list[type]:
        return [type(one) for one in self.told]


@pytest.fixture
async def one() -> Told:
    return Told()


def test_versions_of_a_fill_share_a_name() -> None:
    assert split(SECOND) == ("0000e0d5.1e6b8c5f.01", 2)
    assert split("odd") == ("odd", 1)
    assert ancestors(FIRST) == []
    assert ancestors(THIRD) == [FIRST, f"{FIRST}:fee1", SECOND, f"{SECOND}:fee1"]


async def test_what_a_list_lacks_though_it_goes_back_so_far_is_gone(one: Told) -> None:
    for name in ("a.01.01", "b.01.01", "c.01.01"):
        one.hear(name)
    one.fills.flush()
    known = one.fills.names()
    one.hear("d.01.01")  # while the list was on its way
    one.fills.flush()
    assert one.fills.compare(known, []) is None
    assert len(one.fills.take()) == 4
    assert one.fills.compare(known, ["a.01.01", "c.01.02", "?"]) == OPEN
    assert [fill.execution_id[0] for fill in one.fills.take()] == ["a", "c", "d"]
    one.fills.compare(known, ["b.01.01"])
    assert [fill.execution_id[0] for fill in one.fills.take()] == ["b", "d"]


async def test_a_fill_waits_for_its_commission(one: Told) -> None:
    one.hear()
    assert not one.told
    assert [fill.quantity for fill in one.fills.of("o1")] == [10]
    one.fills.commission(FIRST, -1.0)  # not known yet
    one.fills.commission(FIRST, 1.7976931348623157e308)  # nor now
    assert not one.told
    one.fills.commission(FIRST, -0.2)  # a rebate
    assert one.told[0].execution.commission == Decimal("-0.2")
    one.hear()
    one.fills.commission(FIRST, -0.2)
    assert one.kinds() == [OrderFilled]


async def test_a_commission_may_come_before_its_fill(one: Told) -> None:
    one.fills.commission(FIRST, 1.0)
    one.hear()
    assert [event.execution.commission for event in one.told] == [1]


async def test_nobody_waits_for_ever_for_a_commission() -> None:
    one = Told(patience=0.0)
    one.hear()
    await asyncio.sleep(0.01)
    assert one.kinds() == [OrderFilled]
    one.fills.commission(FIRST, 1.0)
    one.fills.commission(FIRST, 1.5)
    assert [event.execution.execution_id for event in one.told[1:]] == [
        f"{FIRST}:fee1",
        f"{FIRST}:fee2",
    ]
    assert [event.corrects for event in one.told[1:]] == [FIRST, f"{FIRST}:fee1"]


async def test_a_correction_replaces_what_was_told(one: Told) -> None:
    one.filled()
    one.hear(SECOND, price=99)
    one.hear(SECOND, price=99)
    one.hear(FIRST)
    (_, corrected) = one.told
    assert isinstance(corrected, ExecutionCorrected)
    assert (corrected.corrects, corrected.execution.execution_id) == (FIRST, SECOND)
    assert corrected.execution.commission == 1  # until a new one is told
    one.hear(THIRD, quantity=0)
    busted = one.told[-1]
    assert isinstance(busted, ExecutionBusted)
    assert busted.execution_id == SECOND
    assert one.fills.of("o1") == []


async def test_a_correction_of_a_fill_that_still_waits_comes_after_it(one: Told) -> None:
    one.hear()
    one.hear(SECOND, price=99)
    one.hear(FIRST)
    assert one.kinds() == [OrderFilled, ExecutionCorrected]


async def test_an_older_version_never_replaces_a_newer_one_that_waits(one: Told) -> None:
    one.fills.hear(make_execution(1, 1, execution_id=FIRST))
    one.fills.hear(make_execution(1, 1, execution_id=FIRST))
    one.fills.flush()
    assert one.kinds() == [OrderFilled]


async def test_after_a_restart_a_correction_is_told_for_all_that_it_may_replace(one: Told) -> None:
    one.fills.commission(SECOND, 1.0)
    one.hear(SECOND, price=99)
    assert [event.corrects for event in one.told] == [FIRST, f"{FIRST}:fee1"]
    assert {event.execution.execution_id for event in one.told} == {SECOND}
    other = Told()
    other.hear(SECOND, quantity=0)
    assert [event.execution_id for event in other.told] == [FIRST, f"{FIRST}:fee1"]


async def test_fills_of_others_are_remembered_and_told_by_the_book(one: Told) -> None:
    one.fills.hear(make_execution(5, 10, execution_id=FIRST), is_news=False)
    one.fills.commission(FIRST, 1.0)
    one.fills.hear(make_execution(6, 10, execution_id=SECOND), is_news=False)
    assert not one.told
    one.clock.move_to(OPEN + timedelta(seconds=SETTLING_SECONDS))
    (taken,) = one.fills.take()
    assert (taken.execution_id, int(taken.quantity), int(taken.commission)) == (SECOND, 6, 1)
    one.fills.hear(make_execution(7, 10, execution_id=THIRD), is_news=False)
    assert one.kinds() == [ExecutionCorrected]


async def test_a_correction_that_is_still_on_its_way_is_not_in_the_book(one: Told) -> None:
    one.filled()
    one.hear(SECOND, price=99)
    assert [fill.execution_id for fill in one.fills.take()] == [FIRST]
    one.clock.move_to(OPEN + timedelta(seconds=SETTLING_SECONDS))
    assert [fill.execution_id for fill in one.fills.take()] == [SECOND]
    assert not one.fills.take(since=OPEN + timedelta(seconds=1))


async def test_old_fills_are_forgotten(one: Told) -> None:
    one.filled()
    one.fills.forget()
    assert one.fills.take()
    one.clock.move_to(OPEN + timedelta(days=4))
    one.fills.forget()
    assert not one.fills.take()
