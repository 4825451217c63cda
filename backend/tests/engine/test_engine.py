"""The engine as a whole: checkpoints, time, sessions and what may be asked of it."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from app.core.errors import ConfigurationError
from app.domain.events import SessionClosed, SessionOpened, SliceClosed
from app.domain.limits import UNLIMITED
from app.domain.market import Timeframe
from app.engine.state import EngineState
from tests.trading import DAY, MINUTE, OPEN, World, make_bar, make_execution

D = Decimal


def busy() -> World:
    world = World(limits=msgspec.structs.replace(UNLIMITED, max_drawdown=D("0.5")))
    world.deploy(stop=0.05)
    world.deploy("MSFT", number=2)
    world.bar(110, MSFT=105)
    world.bar(110, MSFT=105)
    world.command("deployment_pause", deployment_id=2)
    world.bar(109, MSFT=105)
    return world


def test_a_checkpoint_survives_its_bytes() -> None:
    world = busy()
    state = world.engine.state()
    assert msgspec.json.decode(msgspec.json.encode(state), type=EngineState) == state


def test_a_restored_engine_goes_on_as_the_old_one() -> None:
    world, other = busy(), World()
    other.engine.restore(world.engine.state())
    assert other.engine.state() == world.engine.state()
    assert other.engine.now == world.now == other.engine.slice_end
    slice_ = SliceClosed(
        end=world.now + MINUTE,
        session=DAY,
        base=Timeframe.M1,
        bars=(make_bar("AAPL", 100, world.now), make_bar("MSFT", 110, world.now)),
    )
    assert other.engine.handle(slice_) == world.engine.handle(slice_)


def test_a_checkpoint_is_not_touched_by_what_comes_later() -> None:
    world = busy()
    state = world.engine.state()
    kept = msgspec.json.encode(state)
    world.order("buy", 10, "MSFT")
    world.bar(100, MSFT=100)
    assert msgspec.json.encode(state) == kept


def test_a_checkpoint_of_another_format_is_refused() -> None:
    state = msgspec.structs.replace(World().engine.state(), format=0)
    with pytest.raises(ConfigurationError, match="format 0"):
        World().engine.restore(state)


def test_an_account_that_only_sees_slices_still_has_days() -> None:
    world = World(sessions=False)
    world.bar(110)
    assert world.engine.book.session == DAY
    assert world.engine.book.is_open is None
    world.order("buy", 10)
    world.bar(110)
    assert world.held(ledger="manual") == 10


def test_a_new_session_remembers_what_the_day_began_with() -> None:
    world = World()
    world.deploy()
    world.bar(110)
    world.bar(110)
    world.bar(105)
    world.next_session()
    assert world.engine.book.day_start == 100_000 - 90 * 5
    assert world.engine.book.unsettled == 0


def test_closed_orders_are_forgotten_after_a_week() -> None:
    world = World()
    world.bar(100)
    old = world.order("buy", 1)["client_order_id"]
    world.bar(100)
    world.next_session()
    world.bar(100)
    world.order("buy", 1)
    assert old in world.engine.book.records
    world.now += timedelta(days=8)
    world.step(SessionOpened(session=world.now.date(), at=world.now))
    world.bar(100)
    world.order("buy", 1)
    world.now += timedelta(days=1)
    world.step(SessionOpened(session=world.now.date(), at=world.now))
    assert old not in world.engine.book.records


def test_prices_come_from_the_first_fill_where_no_bar_was_seen() -> None:
    world = World()
    world.engine.book.apply(make_execution(10, 50, symbol="NEW"), None)
    assert world.engine.book.price("NEW") == 50
    assert world.engine.equity == 100_000


def test_the_drawdown_is_measured_while_a_limit_is_set() -> None:
    world = World()
    world.deploy()
    world.bar(110)
    world.bar(105)
    world.bar(108)
    assert world.engine.book.peak == 100_000
    world.command("limits_change", limits={"max_drawdown": "0.5"})
    assert world.engine.book.peak == world.engine.equity > 100_000
    world.bar(109)
    assert world.engine.book.peak == world.engine.equity
    before = world.engine.book.peak
    world.command("limits_change", limits={"max_drawdown": "0.4"})
    world.bar(108)
    assert world.engine.book.peak == before


def test_time_never_goes_back() -> None:
    world = World()
    world.bar(100)
    now = world.engine.now
    world.step(SessionClosed(session=DAY, at=OPEN))
    assert world.engine.now == now


def test_quiet_slices_can_be_passed_over() -> None:
    world = World(limits=msgspec.structs.replace(UNLIMITED, max_drawdown=D("0.5")))
    world.deploy()
    world.bar(110)
    world.bar(105)
    end = world.now + 10 * MINUTE
    world.engine.pass_over(end, [("AAPL", 107.0, end)], [{"AAPL": 120.0}, {"AAPL": 110.0}])
    assert world.engine.slice_end == world.engine.now == end
    assert world.engine.book.peak == 100_000 + 90 * 15
    assert world.engine.equity == 100_000 + 90 * 2
    assert world.engine.cash == 100_000 - 90 * 105
    assert world.engine.trading_state == "active"
    world.engine.book.apply(make_execution(1, 10, symbol="X"), None)
    assert world.engine.book.worth({"AAPL": 105.0}) == 100_000
