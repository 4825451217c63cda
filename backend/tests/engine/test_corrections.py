"""Corrected bars: histories begin anew with what is stored; nothing else changes."""

import pytest

from app.domain.events import BarsCorrected
from app.domain.market import Timeframe
from app.engine.history import Series
from app.marketdata.calendar import trading_calendar
from tests.factories import make_batch
from tests.trading import OPEN, World


def corrected(world: World, symbol: str = "AAPL") -> None:
    """The first stored bar is another, and the engine is told."""
    for name in ("AAPL", "SPY"):
        stored = make_batch([101.5, 102.0], symbol=name)
        sessions = trading_calendar("XNYS").ordinals(stored.start)
        world.windows.preload(Series.of(stored, sessions))
    world.step(
        BarsCorrected(
            symbol=symbol, timeframe=Timeframe.M1, start=OPEN, end=OPEN, bars=1, source="x", at=OPEN
        )
    )


def closes(world: World) -> list[float]:
    history = world.engine.runtimes[1].histories["AAPL"]
    return history._columns["close"][: history._size].tolist()  # type: ignore[attr-defined]  # a window's


def test_a_history_is_made_anew_of_what_is_stored() -> None:
    world = World()
    world.deploy()
    world.bar(101)
    world.bar(102)
    before = world.held(), len(world.names())
    corrected(world)
    assert (world.held(), len(world.names()) - 1) == before
    world.bar(103)
    assert closes(world) == [101.5, 102.0, 103.0]


def test_histories_of_other_symbols_are_left_alone() -> None:
    world = World()
    world.deploy()
    world.bar(101)
    world.bar(102)
    corrected(world, "MSFT")
    world.bar(103)
    assert closes(world) == [101.0, 102.0, 103.0]


@pytest.mark.parametrize("symbol", ["AAPL", "SPY"])
def test_a_panel_is_made_anew_as_a_whole(symbol: str) -> None:
    world = World()
    world.deploy("AAPL", "SPY", strategy="seesaw")
    world.bar(101, SPY=400)
    world.bar(102, SPY=401)
    before = world.engine.runtimes[1].history  # type: ignore[attr-defined]  # a panel's
    corrected(world, symbol)
    world.bar(103, SPY=402)
    assert world.engine.runtimes[1].history is not before  # type: ignore[attr-defined]  # a panel's
