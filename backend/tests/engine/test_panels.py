"""Panels: a tape and a window give the same rows, bit for bit, wherever they begin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import InvalidInput
from app.domain.market import Bar, Timeframe
from app.engine.history import Tapes, Windows
from app.engine.panels import PanelTape, PanelWindow
from app.engine.series import Series
from app.research.market import series_of
from app.strategies.base import Columns, Row
from app.strategies.panel import Panel, PanelStrategy
from tests.markets import CALENDAR, random_batches


@dataclass
class Sums(PanelStrategy):
    """Running sums of every timeframe from their first bar on: they tell where each began."""

    length: int = 4
    days: int = 2
    hours: int = 3
    fails_at: float = -1.0
    timeframes = ("1h", "1d")

    @property
    def lookback(self) -> int:
        return self.length

    @property
    def lookbacks(self) -> Mapping[str, int]:
        return {"1h": self.hours, "1d": self.days}

    def prepare(self, panel: Panel) -> Mapping[str, Columns]:
        first = panel[panel.symbols[0]].bars["volume"]
        if self.fails_at in first:
            raise ArithmeticError("no such volume")
        return {symbol: self.columns_of(panel, symbol) for symbol in panel.symbols}

    @staticmethod
    def columns_of(panel: Panel, symbol: str) -> Columns:
        view = panel[symbol]
        found: dict[str, np.ndarray] = {
            "rows": np.arange(len(panel), dtype=np.float64),
            "new": view.is_new.astype(np.float64),
            "exposure": np.sign(view.aligned(np.cumsum(view.bars["open"]))),
        }
        for timeframe in (panel.timeframe, "1h", "1d"):
            longer = panel[symbol, timeframe]
            for name in ("close", "volume", "session", "high"):
                found[f"{name} {timeframe}"] = longer.aligned(np.cumsum(longer.bars[name]))
        return found


def holes(timeframe: Timeframe, length: int, seed: int = 3, late: int = 60) -> list[Series]:
    """Three symbols, of which one trades seldom and one is listed late."""
    often, seldom, young = random_batches(seed, timeframe, length, 3)
    random = np.random.default_rng(seed)
    batches = [often, seldom[random.random(len(seldom)) < 0.1], young[late:]]
    return [series_of(batch, CALENDAR) for batch in batches]


Slice = tuple[date, list[Bar]]


def slices(series: Sequence[Series]) -> list[Slice]:
    found = [
        (one.bar(i), date.fromordinal(int(one.columns["session"][i])))
        for one in series
        for i in range(len(one))
    ]
    found.sort(key=lambda pair: (pair[0].end, pair[0].symbol))
    grouped = [list(group) for _, group in groupby(found, key=lambda pair: pair[0].end)]
    return [(group[0][1], [bar for bar, _ in group]) for group in grouped]


def values(row: Mapping[str, Row] | None) -> object:
    """Every column of every symbol, to the bit."""
    if row is None:
        return None
    return {
        symbol: {name: np.float64(one[name]).tobytes() for name in one.columns}
        for symbol, one in row.items()
    }


def tape_of(series: Sequence[Series], **given: float) -> PanelTape:
    strategy = Sums(**given)  # type: ignore[arg-type]  # its fields are numbers
    return PanelTape(strategy, series, series[0].timeframe, CALENDAR)


def through_a_window(window: PanelWindow, given: Sequence[Slice]) -> list[object]:
    return [values(window.advance(bars, day)) for day, bars in given]


@pytest.mark.parametrize(
    ("timeframe", "length"),
    [(Timeframe.M1, 1300), (Timeframe.M5, 700), (Timeframe.M15, 300), (Timeframe.H1, 300)],
)
def test_a_tape_and_a_window_give_the_same_rows(timeframe: Timeframe, length: int) -> None:
    series = holes(timeframe, length)
    tape = tape_of(series)
    window = Windows(CALENDAR).panel(Sums(), ["S0", "S1", "S2"], timeframe)
    on_tape = [values(tape.row(i)) for i in range(len(tape.ends))]
    assert len(tape.blocks) > 1
    assert on_tape[2] is None
    assert on_tape[3] is not None
    assert through_a_window(window, slices(series)) == on_tape


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([(Timeframe.M1, 1300), (Timeframe.M5, 700), (Timeframe.H1, 300)]),
    st.integers(0, 10**6),
    st.floats(0, 1),
    st.integers(0, 40),
    st.integers(1, 30),
    st.integers(0, 6),
)
def test_a_window_that_starts_late_gives_the_same_rows(
    market: tuple[Timeframe, int], seed: int, share: float, late: int, length: int, days: int
) -> None:
    series = holes(*market, seed, late)
    given_ = {"length": length, "days": days, "hours": days + 1}
    tape, every = tape_of(series, **given_), slices(series)
    known = min(int(share * len(every)), len(every) - 1)
    windows = Windows(CALENDAR)
    for one in series:
        windows.preload(one)
    window = windows.panel(Sums(**given_), ["S0", "S1", "S2"], market[0])
    rows = through_a_window(window, every[known : known + 60])
    assert rows == [values(tape.row(i)) for i in range(known, known + len(rows))]


def test_a_panel_finds_a_row_wherever_it_is() -> None:
    series = holes(Timeframe.M1, 900)
    tape = Tapes(series, CALENDAR).panel(Sums(), ["S0", "S1", "S2"], Timeframe.M1)
    every = slices(series)
    for index in (700, 5, 701, len(every) - 1):
        row = tape.advance(every[index][1], every[index][0])
        assert row is not None
        first = every[index][1][0]
        assert row[first.symbol]["close"] == first.close
    assert tape.symbols == ("S0", "S1", "S2")


def test_a_block_that_prepare_fails_on_is_tried_row_by_row() -> None:
    series = holes(Timeframe.M1, 60, late=5)
    bad = float(series[0].columns["volume"][20])
    every = slices(series)
    tape = tape_of(series, fails_at=bad)
    window = Windows().panel(Sums(fails_at=bad), ["S0", "S1", "S2"], Timeframe.M1)
    good = int(np.searchsorted(tape.ends, series[0].end[20]))
    assert through_a_window(window, every[:good]) == [values(tape.row(i)) for i in range(good)]
    with pytest.raises(ArithmeticError):
        tape.row(good)
    with pytest.raises(ArithmeticError):
        window.advance(every[good][1], every[good][0])
    assert np.isinf(tape.exposures()["S0"][3:]).all()


def test_there_is_no_exposure_before_the_first_bar_of_a_symbol() -> None:
    series = holes(Timeframe.M1, 300)
    tape = tape_of(series)
    young = tape.exposures()["S2"]
    listed = int(np.searchsorted(tape.ends, series[2].end[0]))
    assert np.isnan(young[:listed]).all()
    assert (young[listed:390] == 1).all()


@dataclass
class Wrong(Sums):
    """Gives columns that no panel may."""

    way: str = "short"

    def prepare(self, panel: Panel) -> Mapping[str, Columns]:
        if self.way == "short":
            return {"S0": {"exposure": np.zeros(len(panel) - 1)}}
        if self.way == "strange":
            return {"XYZ": {"exposure": np.zeros(len(panel))}}
        return {"S0": {"exposure": np.zeros(len(panel))}, "S1": {"other": np.ones(len(panel))}}


@pytest.mark.parametrize(("way", "what"), [("short", "must have 60 rows"), ("strange", "of XYZ")])
def test_columns_that_are_not_the_panels_are_refused(way: str, what: str) -> None:
    series = holes(Timeframe.M1, 60, late=0)
    tape = PanelTape(Wrong(way=way), series, Timeframe.M1, CALENDAR)
    with pytest.raises(ValueError, match=what):
        tape.row(59)


def test_a_symbol_without_an_exposure_column_is_looked_at() -> None:
    tape = PanelTape(Wrong(way=""), holes(Timeframe.M1, 60, late=0), Timeframe.M1, CALENDAR)
    found = tape.exposures()
    assert (found["S0"][3:] == 0).all()
    assert np.isinf(found["S1"][3:]).all()


def test_the_own_timeframe_may_be_one_of_the_longer() -> None:
    needed = Sums(length=1, days=7).bars_needed(Timeframe.H1)
    assert needed == {Timeframe.H1: 3, Timeframe.D1: 7}
    with pytest.raises(InvalidInput, match="1h bars, which cannot be made of 1d") as caught:
        Sums().bars_needed(Timeframe.D1)
    assert caught.value.field == "timeframe"
