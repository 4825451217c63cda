"""What was missed is asked of each provider in turn, until somebody answers."""

import asyncio
from datetime import datetime, timedelta

import pytest

from app.core.clock import ManualClock
from app.core.errors import NotFound, TransientError
from app.domain.market import Timeframe
from app.ingest.catch_up import CatchUp
from app.ingest.link import Link, LinkState, Polled
from app.marketdata.batch import BarBatch
from app.marketdata.calendar import trading_calendar
from tests.factories import make_batch, ns, utc

XNYS = trading_calendar("XNYS")
HELD = make_batch([100.0] * 60)


class History:
    """A provider that has an hour of bars, or an error."""

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name, self.error = name, error
        self.held = HELD
        self.asked: list[tuple[datetime, datetime]] = []

    async def history(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> BarBatch:
        self.asked.append((start, end))
        if self.error is not None:
            raise self.error
        return self.held

    async def close(self) -> None: ...


class World:
    """Two providers, and a clock that is moved."""

    def __init__(self, at: str, *errors: Exception | None) -> None:
        self.clock = ManualClock(utc(at))
        self.providers = [History(f"p{i}", error) for i, error in enumerate(errors)]
        sources = [Polled(provider, self.clock, 60) for provider in self.providers]
        self.links = [
            Link(i, provider, source, source.channels)
            for i, (provider, source) in enumerate(zip(self.providers, sources, strict=True))
        ]
        self.catch_up = CatchUp(self.links, self.clock, XNYS)

    def missed(self, start: str, until: str) -> bool:
        return self.catch_up.begin({"AAPL": (ns(start), ns(until))})

    async def settled(self) -> None:
        await asyncio.gather(*self.catch_up.tasks)

    def pass_time(self, **by: float) -> None:
        self.clock.move_to(self.clock.now() + timedelta(**by))
        self.catch_up.try_again()

    def found(self) -> list[tuple[int, str]]:
        return [(len(batch), source) for batch, source in self.catch_up.fetched()]


async def test_the_minutes_that_are_missing_come_from_the_best() -> None:
    world = World("2024-03-01 14:40:30", None, None)
    assert world.missed("2024-03-01 14:32", "2024-03-01 14:40")
    assert world.catch_up.is_busy
    await world.settled()
    assert world.found() == [(8, "p0")]
    assert not world.catch_up.owed
    assert world.providers[0].asked == [(utc("2024-03-01 14:32"), utc("2024-03-01 14:40"))]


@pytest.mark.parametrize("error", [TransientError("busy", api_name="p0"), NotFound("unknown")])
async def test_who_cannot_answer_is_passed_over(error: Exception) -> None:
    world = World("2024-03-01 14:40:30", error, None)
    world.missed("2024-03-01 14:32", "2024-03-01 14:40")
    await world.settled()
    assert world.found() == [(8, "p1")]


async def test_who_refused_us_or_does_not_know_the_symbol_is_not_asked() -> None:
    world = World("2024-03-01 14:40:30", None, None)
    world.links[0].state = LinkState.REFUSED
    world.links[1].unknown.add("AAPL")
    world.missed("2024-03-01 14:32", "2024-03-01 14:40")
    await world.settled()
    assert [provider.asked for provider in world.providers] == [[], []]


async def test_a_span_that_nobody_answers_for_is_told_once_and_asked_again() -> None:
    world = World("2024-03-01 14:40:30", TransientError("busy", api_name="p0"))
    world.missed("2024-03-01 14:32", "2024-03-01 14:40")
    await world.settled()
    span = (ns("2024-03-01 14:32"), ns("2024-03-01 14:40"))
    assert world.catch_up.unanswered() == [("AAPL", span)]
    world.pass_time(seconds=5)
    await world.settled()
    assert world.catch_up.unanswered() == []
    world.providers[0].error = None
    world.pass_time(seconds=15)
    await world.settled()
    assert world.found() == [(8, "p0")]
    assert not world.catch_up.owed


async def test_a_minute_in_the_making_is_fetched_when_it_is_over() -> None:
    world = World("2024-03-01 14:40:30", None)
    assert not world.missed("2024-03-01 14:40", "2024-03-01 14:41")
    world.pass_time(seconds=34)
    assert not world.catch_up.is_busy
    world.pass_time(seconds=2)
    await world.settled()
    assert world.found() == [(1, "p0")]


async def test_closed_hours_are_not_asked_for() -> None:
    world = World("2024-03-04 14:26", None)
    assert not world.missed("2024-03-01 21:00", "2024-03-04 14:27")
    assert not world.catch_up.owed


async def test_a_second_outage_widens_the_span() -> None:
    world = World("2024-03-01 14:50:30", TransientError("busy", api_name="p0"))
    world.missed("2024-03-01 14:40", "2024-03-01 14:45")
    await world.settled()
    world.providers[0].error = None
    world.missed("2024-03-01 14:46", "2024-03-01 14:50")
    await world.settled()
    assert world.providers[0].asked[-1] == (utc("2024-03-01 14:40"), utc("2024-03-01 14:50"))


def test_extended_hours_count_where_they_are_wanted() -> None:
    catch_up = CatchUp([], ManualClock(utc("2024-03-01 22:00")), XNYS, extended_hours=True)
    assert len(catch_up._grid(ns("2024-03-01 21:00"), ns("2024-03-01 21:10"))) == 10


async def test_a_newest_minute_that_history_has_only_later_is_asked_for_again() -> None:
    world = World("2024-03-01 15:30:30", None)  # HELD ends at 15:30
    world.providers[0].held = HELD[:59]
    world.missed("2024-03-01 15:27", "2024-03-01 15:30")
    await world.settled()
    assert world.found() == [(2, "p0")]
    assert world.catch_up.owed == {"AAPL": (ns("2024-03-01 15:29"), ns("2024-03-01 15:30"))}
    world.providers[0].held = HELD
    world.pass_time(seconds=5)
    await world.settled()
    assert world.found() == [(1, "p0")]
    assert not world.catch_up.owed


async def test_a_minute_in_which_nobody_traded_is_not_asked_for_for_ever() -> None:
    world = World("2024-03-01 15:30:10", None)
    world.providers[0].held = HELD[:59]
    world.missed("2024-03-01 15:27", "2024-03-01 15:30")
    for _ in range(4):
        await world.settled()
        world.pass_time(seconds=15)
    assert len(world.providers[0].asked) == 3
    assert not world.catch_up.owed
    assert world.catch_up.unanswered() == []


async def test_an_adapter_that_breaks_is_asked_again() -> None:
    world = World("2024-03-01 14:40:30", KeyError("bars"))
    world.missed("2024-03-01 14:32", "2024-03-01 14:40")
    await world.settled()
    world.providers[0].error = None
    world.pass_time(seconds=5)
    await world.settled()
    assert world.found() == [(8, "p0")]
