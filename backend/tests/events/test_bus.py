"""The bus on a real database: exactly once, in order, whoever raises, hangs, dies or is away."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from app.core.clock import system
from app.core.tasks import end
from app.db.session import create_pool
from app.domain.ports import Entry
from app.events.bus import CommittedEvent, EventHandler
from app.events.lanes import Waiting
from app.repositories import handler_deliveries
from app.repositories.handler_deliveries import HandlerDeliveries
from app.repositories.journal import SharedJournal
from tests.events.bus_world import KEY, PATIENCE, BusWorld, Noting, is_current, lost
from tests.waiting import until

ENOUGH = 1.5
"Seconds for one event, its writes to a busy database included; what hangs is cut off after them."


@pytest.fixture
async def bus_world(database_url: str) -> AsyncIterator[BusWorld]:
    pool = await create_pool(database_url, max_size=12)
    world = BusWorld(pool, database_url)
    await world.prepare()
    yield world
    await pool.close()


class Poisoned(Noting):
    """Raises for one feed until it is cured."""

    async def trouble(self, event: CommittedEvent) -> None:
        if event.payload.get("feed") == "bad" and not self.cured:
            raise ValueError("cannot digest password=swordfish")


class Hanging(Noting):
    """Does not come back from one feed."""

    async def trouble(self, event: CommittedEvent) -> None:
        if event.payload.get("feed") == "bad":
            await asyncio.Event().wait()


class Deaf(Noting):
    """Does not even come back when it is cancelled; its grave is open until the test ends it."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self.end = asyncio.Event()

    async def trouble(self, event: CommittedEvent) -> None:
        while event.payload.get("feed") == "bad" and not self.end.is_set():
            try:
                await self.end.wait()
            except asyncio.CancelledError:
                continue


async def test_what_is_committed_is_handled_once_and_in_order(bus_world: BusWorld) -> None:
    handler = Noting()
    async with bus_world.running(handler) as bus:
        last = await bus_world.append(*("a", "b") * 20)
        await bus_world.has_noted(40)
        assert await bus_world.noted(key="a") == list(range(1, last + 1, 2))
        assert await bus_world.noted(key="b") == list(range(2, last + 1, 2))
        told = bus.statistics()["noting"]
        assert (told["published"], told["handled"], told["failed"], told["lag"]) == (40, 40, 0, 0)
        assert told["by_type"]["feed_connected"]["count"] == 40
        assert told["by_lane"]["normal"]["count"] == 40


async def test_a_handler_gets_the_types_it_wants_and_remembers_the_others_as_passed(
    bus_world: BusWorld,
) -> None:
    handler = Noting(types=frozenset({"broker_disconnected"}))
    async with bus_world.running(handler):
        await bus_world.append("a")
        await bus_world.journal.append([Entry(lost("paper"))])
        await bus_world.has_noted(1)
        assert await bus_world.noted() == [2]
    assert (await bus_world.deliveries.enroll(handler))["system"] == 2


async def test_a_new_handler_begins_at_the_present_or_at_the_beginning(
    bus_world: BusWorld,
) -> None:
    await bus_world.append("a", "a")
    young = Noting(name="young")
    old = Noting(name="old", from_beginning=True)
    async with bus_world.running(young, old):
        await bus_world.append("a")
        await bus_world.has_noted(3, "old")
        await bus_world.has_noted(1, "young")
    assert (await bus_world.noted("old"), await bus_world.noted("young")) == ([1, 2, 3], [3])


async def test_a_stream_that_appears_later_is_handled_from_its_first_event(
    bus_world: BusWorld,
) -> None:
    async with bus_world.running(Noting()):
        pass
    other = SharedJournal(bus_world.pool, KEY, "account:7")
    await other.append([Entry(lost("paper"))])
    async with bus_world.running(Noting()):
        await bus_world.has_noted(1)
    assert await bus_world.noted(key="account:7") == [1]


async def test_a_handler_that_was_away_catches_up(bus_world: BusWorld) -> None:
    async with bus_world.running(Noting()):
        await bus_world.append("a")
        await bus_world.has_noted(1)
    await bus_world.append(*"abcabc")
    async with bus_world.running(Noting()):
        await bus_world.has_noted(7)
    assert sorted(await bus_world.noted()) == [1, 2, 3, 4, 5, 6, 7]


async def test_a_poisonous_event_holds_its_key_only_and_becomes_a_dead_letter(
    bus_world: BusWorld,
) -> None:
    handler, bystander = Poisoned(attempts=3), Noting(name="bystander")
    async with bus_world.running(handler, bystander) as bus:
        await bus_world.append("bad", "good", "bad", "good")
        await bus_world.is_dead(1)
        await bus_world.is_dead(3)
        assert await bus_world.noted(key="good") == [2, 4]
        await bus_world.has_noted(4, "bystander")
        told = bus.statistics()["noting"]
        assert (told["failed"], told["retried"], told["dead"]) == (6, 4, 2)
    bad = [name for name in handler.tried if name in ("system:1", "system:3")]
    assert bad == ["system:1"] * 3 + ["system:3"] * 3, "the second waited for the first"
    alert = await bus_world.alert()
    assert alert is not None
    assert (alert["category"], alert["occurrences"]) == ("system", 2)
    assert "swordfish" not in alert["detail"]


async def test_a_dead_letter_is_not_delivered_by_an_attempt_that_took_nothing(
    bus_world: BusWorld,
) -> None:
    handler = Poisoned(attempts=1)
    async with bus_world.running(handler):
        await bus_world.append("bad")
        await bus_world.is_dead(1)
    late = [Waiting("system", 1, "bad", 0, "feed_connected")]
    async with bus_world.deliveries.attempt("noting", late) as attempt:
        assert attempt.events == []
    assert await bus_world.status(1) == "dead"
    async with (
        bus_world.deliveries.attempt("noting", late),
        bus_world.pool.acquire() as db,
        db.transaction(),
    ):
        await handler_deliveries.redrive(db, bus_world.journal, None, None, None, system.now())
    assert await bus_world.status(1) == "pending", "sent again after the attempt had looked"


async def test_a_failed_event_is_handled_before_those_behind_it(bus_world: BusWorld) -> None:
    handler = Poisoned(attempts=1_000)
    async with bus_world.running(handler):
        await bus_world.append("bad", "bad", "good")
        await until(lambda: _tried(handler, 3))
        assert await bus_world.noted(key="bad") == []
        handler.cured = True
        await bus_world.has_noted(3)
    assert await bus_world.noted(key="bad") == [1, 2]


async def _tried(handler: Noting, count: int) -> bool:
    return handler.tried.count("system:1") >= count


async def test_a_hanging_handler_is_cut_off_and_delays_its_own_key_only(
    bus_world: BusWorld,
) -> None:
    handler = Hanging(time_limit_seconds=ENOUGH, attempts=2)
    async with bus_world.running(handler, Noting(name="bystander")) as bus:
        await bus_world.append("bad", "good", "good")
        await bus_world.has_noted(2)
        await bus_world.has_noted(3, "bystander")
        await bus_world.is_dead(1)
        assert bus.statistics()["noting"]["timed_out"] == 2
    assert await bus_world.noted() == [2, 3]


async def test_a_handler_that_ignores_its_cancellation_leaves_no_effect(
    bus_world: BusWorld,
) -> None:
    handler = Deaf(time_limit_seconds=ENOUGH, attempts=1)
    try:
        async with bus_world.running(handler) as bus:
            await bus_world.append("bad", "good")
            await bus_world.is_dead(1)
            await bus_world.has_noted(1)
            assert bus.statistics()["noting"]["abandoned"] == 1
    finally:
        handler.end.set()
    assert await bus_world.noted() == [2]


async def test_a_batch_is_one_transaction_and_its_poison_is_singled_out(
    bus_world: BusWorld,
) -> None:
    class Picky(Noting):
        async def trouble(self, event: CommittedEvent) -> None:
            if event.seq == 5:
                raise ValueError("not this one")

    handler = Picky(batch=10, slots=1, attempts=2, from_beginning=True)
    await bus_world.append(*"aaaaaaaa")
    async with bus_world.running(handler):
        await bus_world.is_dead(5)
        await bus_world.has_noted(7)
    assert await bus_world.noted() == [1, 2, 3, 4, 6, 7, 8]


async def test_a_transaction_that_a_handler_spoilt_is_its_failure(bus_world: BusWorld) -> None:
    class Careless(Noting):
        async def handle(self, event: CommittedEvent, db: asyncpg.Connection) -> None:
            try:
                await db.execute("SELECT 1 / 0")
            except asyncpg.DivisionByZeroError:
                return  # as if nothing had happened: the transaction cannot be committed

    async with bus_world.running(Careless(attempts=2)):
        await bus_world.append("a")
        await bus_world.is_dead(1)


async def test_an_event_without_a_key_fails_alone(bus_world: BusWorld) -> None:
    class Strict(Noting):
        def key(self, event: CommittedEvent) -> str:
            return str({"good": "good"}[event.payload["feed"]])

    async with bus_world.running(Strict(attempts=1)):
        await bus_world.append("bad", "good")
        await bus_world.is_dead(1)
        await bus_world.has_noted(1)
    assert await bus_world.noted() == [2]


async def test_a_handler_that_broke_is_begun_again(
    bus_world: BusWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = asyncio.Event()
    save = HandlerDeliveries.save

    async def breaks_once(self: HandlerDeliveries, handler: str, at: dict[str, int]) -> None:
        if not broken.is_set():
            broken.set()
            raise RuntimeError("a bug of ours")
        await save(self, handler, at)

    monkeypatch.setattr("app.events.runner.SAVE_SECONDS", 0.0)
    monkeypatch.setattr(HandlerDeliveries, "save", breaks_once)
    handler = Noting(types=frozenset({"broker_disconnected"}))
    async with bus_world.running(handler):
        await bus_world.append("a")  # of no concern: only the cursor is stored
        await broken.wait()
        await bus_world.journal.append([Entry(lost("paper"))])
        await bus_world.has_noted(1)
    assert await bus_world.noted() == [2]


async def test_two_buses_share_the_handlers_and_one_takes_over(bus_world: BusWorld) -> None:
    first, second = Noting(), Noting()
    async with bus_world.running(first):
        other = bus_world.bus(second)
        task = asyncio.create_task(other.run())
        await bus_world.append("a", "b")
        await bus_world.has_noted(2)
        assert other.statistics() == {}
    await bus_world.append("a", "b")
    await bus_world.has_noted(4)
    await end([task])
    assert (len(first.tried), len(second.tried)) == (2, 2)
    assert sorted(await bus_world.noted()) == [1, 2, 3, 4]


async def test_what_another_process_has_handled_is_not_handled_again(bus_world: BusWorld) -> None:
    handler = Noting()
    await bus_world.deliveries.enroll(handler)
    last = await bus_world.append("a")
    taken = await bus_world.deliveries.hand_out(handler, "system", 0, last)
    async with bus_world.deliveries.attempt(handler.name, taken) as attempt:
        await handler.handle(attempt.events[0], attempt.db)
    async with bus_world.deliveries.attempt(handler.name, taken) as attempt:
        assert attempt.events == []
    assert await bus_world.deliveries.hand_out(handler, "system", 0, last) == []
    assert await bus_world.deliveries.prune(timedelta(hours=1)) == 0
    assert await bus_world.deliveries.prune(timedelta(hours=-1)) == 1
    assert await bus_world.deliveries.hand_out(handler, "system", 0, last) == []
    assert await bus_world.noted() == [1]


async def test_the_database_cut_off_loses_and_doubles_nothing(bus_world: BusWorld) -> None:
    spared = {"application_name": "spared"}
    async with asyncpg.create_pool(
        bus_world.url, min_size=1, max_size=2, server_settings=spared
    ) as pool:
        bus_world.pool, bus_world.journal = pool, SharedJournal(pool, KEY)  # the test's own
        async with bus_world.running(Noting()) as bus:
            for _ in range(3):
                await bus_world.append(*"abcd" * 5)
                await _cut_everybody_off(bus_world)
            await bus_world.append("a")
            await bus_world.has_noted(61)
            await until(lambda: is_current(bus, 1), PATIENCE)
        noted, of_b = await bus_world.noted(), await bus_world.noted(key="b")
    assert sorted(noted) == list(range(1, 62))
    assert of_b == sorted(of_b)


async def _cut_everybody_off(bus_world: BusWorld) -> None:
    connection = await bus_world.connect()
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND application_name <> 'spared'"
    )
    await connection.close()


async def test_a_dead_letter_is_sent_again_and_its_alert_is_over(bus_world: BusWorld) -> None:
    handler = Poisoned(attempts=1)
    async with bus_world.running(handler):
        await bus_world.append("bad", "good")
        await bus_world.is_dead(1)
        handler.cured = True
        async with bus_world.pool.acquire() as db, db.transaction():
            again = await handler_deliveries.redrive(
                db, bus_world.journal, "noting", "system", 1, system.now()
            )
        assert again == {"noting": 1}
        await bus_world.has_noted(2)
    assert await bus_world.noted(key="bad") == [1]
    assert await bus_world.alert() is None
    assert await bus_world.status(1) == "delivered"


async def test_a_key_beyond_memory_goes_on_in_order(
    bus_world: BusWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.events.runner.MOST_OF_A_KEY", 5)
    monkeypatch.setattr("app.events.lanes.Lanes.__init__.__defaults__", (5,))
    await bus_world.append(*("a" * 23))
    async with bus_world.running(Noting(from_beginning=True, batch=3)):
        await bus_world.has_noted(23)
    assert await bus_world.noted() == list(range(1, 24))


async def test_a_stop_finishes_what_is_at_work(bus_world: BusWorld) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    class Slow(Noting):
        async def trouble(self, event: CommittedEvent) -> None:
            begun.set()
            await go.wait()

    bus, stopping = bus_world.bus(Slow()), asyncio.Event()
    task = asyncio.create_task(bus.run(stopping))
    await until(lambda: is_current(bus, 1))
    await bus_world.append("a")
    await begun.wait()
    stopping.set()
    await bus_world.append("a")
    go.set()
    await task
    assert await bus_world.noted() == [1]


async def test_two_handlers_of_one_name_are_refused(bus_world: BusWorld) -> None:
    with pytest.raises(ValueError, match="share a name: noting, noting"):
        bus_world.bus(Noting(), Noting())


def test_waits_double_up_to_the_longest_and_are_spread() -> None:
    handler = Noting(first_wait_seconds=1.0, longest_wait_seconds=10.0)
    assert [handler.wait_seconds(failures, 1.0) for failures in (1, 2, 3, 9, 5_000)] == [
        1.0, 2.0, 4.0, 10.0, 10.0,
    ]  # fmt: skip
    assert handler.wait_seconds(2, 0.0) == 1.0


async def test_an_event_tells_whose_it_is(bus_world: BusWorld) -> None:
    other = SharedJournal(bus_world.pool, KEY, "account:7")
    await other.append([Entry(lost("paper"))])
    found: list[CommittedEvent] = []

    class Keeping(EventHandler):
        name = "keeping"
        from_beginning = True

        async def handle(self, event: CommittedEvent, db: asyncpg.Connection) -> None:
            found.append(event)

    async with bus_world.running(Keeping()):
        await until(lambda: _is_there(found))
    event = found[0]
    assert (event.id, event.account_id, event.at) == ("account:7:1", 7, event.occurred_at)
    shown = event.to_dict()
    assert (shown["payload"]["broker"], shown["priority"]) == ("paper", "critical")


async def _is_there(found: list[CommittedEvent]) -> bool:
    return bool(found)
