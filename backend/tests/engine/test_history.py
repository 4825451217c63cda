"""Tape and window: blocks of the calendar, the same rows, bit for bit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from app.domain.market import Timeframe
from app.engine.history import (
    NAMES,
    Series,
    Tape,
    Tapes,
    Window,
    Windows,
    block_key,
    first_needed,
)
from app.marketdata.batch import to_ns
from app.research.market import series_of
from app.strategies.base import Columns, Row, Strategy
from tests.markets import CALENDAR, random_batches
from tests.trading import OPEN


@dataclass
class Sums(Strategy):
    """Running sums from the array's first bar on: they tell where it began."""

    length: int = 4
    fails_at: float = -1.0

    @property
    def lookback(self) -> int:
        return self.length

    def prepare(self, bars: Columns) -> Columns:
        if self.fails_at in bars["volume"]:
            raise ArithmeticError("no such volume")
        return {"total": np.cumsum(bars["close"]), "exposure": np.sign(np.cumsum(bars["open"]))}


def series(timeframe: Timeframe, length: int) -> Series:
    batch = random_batches(3, timeframe, length, 1)[0]
    return series_of(batch, CALENDAR)


def through_a_window(window: Window, given: Series) -> list[Row | None]:
    days = [date.fromordinal(int(day)) for day in given.columns["session"]]
    return [window.advance(given.bar(i), days[i]) for i in range(len(given))]


def values(rows: Sequence[Row | None]) -> list[tuple[float, float] | None]:
    return [row and (row["total"], row["close"]) for row in rows]


@pytest.mark.parametrize(
    ("timeframe", "length"),
    [
        (Timeframe.M1, 900),
        (Timeframe.M15, 200),
        (Timeframe.H1, 300),
        (Timeframe.D1, 600),
    ],
)
def test_a_tape_and_a_window_give_the_same_rows(timeframe: Timeframe, length: int) -> None:
    given = series(timeframe, length)
    tape, window = Tape(Sums(), given), Window(Sums(), "S0", timeframe)
    assert len(tape.blocks) > 1
    on_tape = [tape.row(i) for i in range(len(given))]
    assert values(on_tape) == values(through_a_window(window, given))
    assert on_tape[2] is None
    assert on_tape[3] is not None


@pytest.mark.parametrize("known", [0, 1, 3, 395, 500, 899])
def test_a_window_that_starts_late_gives_the_same_rows(known: int) -> None:
    given = series(Timeframe.M1, 900)
    known = min(known, len(given) - 1)
    windows = Windows()
    windows.preload(given)
    late = windows(Sums(), "S0", Timeframe.M1)
    rows = through_a_window(late, given.rows(known, len(given)))
    tape = Tape(Sums(), given)
    assert values(rows) == values([tape.row(i) for i in range(known, len(given))])


def test_a_window_without_bars_begins_with_the_first() -> None:
    windows = Windows()
    windows.preload(series(Timeframe.M1, 50).rows(0, 0))
    window = windows(Sums(), "S0", Timeframe.M1)
    assert windows(Sums(), "OTHER", Timeframe.M1) is not window
    rows = through_a_window(window, series(Timeframe.M1, 50))
    assert rows[0] is None


def test_a_block_begins_where_the_calendar_says() -> None:
    day = date(2024, 3, 7)  # a Thursday
    assert block_key(Timeframe.S1, day) == block_key(Timeframe.M1, day) == day
    assert block_key(Timeframe.M5, day) == block_key(Timeframe.M15, day) == date(2024, 3, 4)
    assert block_key(Timeframe.H1, day) == date(2024, 3, 1)
    assert block_key(Timeframe.D1, day) == date(2024, 1, 1)
    assert first_needed(Timeframe.H1, OPEN) == date(2024, 3, 1)
    assert first_needed(Timeframe.H1, day) == date(2024, 3, 1)


@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_blocks_are_those_of_the_trading_calendar(timeframe: Timeframe) -> None:
    sessions = CALENDAR.sessions(to_ns(OPEN), to_ns(OPEN) + 500 * 86_400 * 10**9)
    ours = [block_key(timeframe, session.day) for session in sessions]
    theirs = [CALENDAR.block_start(timeframe, session.open) for session in sessions]
    assert [a == b for a, b in pairwise(ours)] == [a == b for a, b in pairwise(theirs)]


def test_prepare_is_given_bars_and_their_session() -> None:
    seen: list[Columns] = []

    @dataclass
    class Seeing(Sums):
        def prepare(self, bars: Columns) -> Columns:
            seen.append(bars)
            return super().prepare(bars)

    Tape(Seeing(), series(Timeframe.M1, 800)).exposures()
    assert all(tuple(bars) == NAMES for bars in seen)
    assert len(seen[0]["close"]) < len(seen[1]["close"]) + 4
    assert len(set(seen[1]["session"][4:])) == 1


def test_a_block_that_prepare_fails_on_is_tried_bar_by_bar() -> None:
    given = series(Timeframe.M1, 60)
    bad = float(given.columns["volume"][20])
    tape, window = Tape(Sums(fails_at=bad), given), Window(Sums(fails_at=bad), "S0", Timeframe.M1)
    assert values([tape.row(i) for i in range(20)]) == values(
        through_a_window(window, given.rows(0, 20))
    )
    with pytest.raises(ArithmeticError):
        tape.row(20)
    assert np.isinf(tape.exposures()[3:]).all()


def test_exposures_begin_after_the_lookback() -> None:
    exposures = Tape(Sums(), series(Timeframe.M1, 500)).exposures()
    assert np.isnan(exposures[:3]).all()
    assert (exposures[3:] == 1).all()


def test_a_tape_finds_a_bar_wherever_it_is() -> None:
    given = series(Timeframe.M1, 900)
    tape = Tapes([given])(Sums(), "S0", Timeframe.M1)
    day = date.fromordinal(int(given.columns["session"][700]))
    for index in (700, 3, 701, len(given) - 1):
        row = tape.advance(given.bar(index), day)
        assert row is not None
        assert row["close"] == given.columns["close"][index]
