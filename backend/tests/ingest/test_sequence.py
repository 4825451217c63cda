"""Live bars in one order: each once, prints after what came before, promises kept."""

import numpy as np
import pytest

from app.domain.market import SliceOpened, Timeframe
from app.ingest.sequence import Item, Sequencer, SourcedBars
from app.marketdata.batch import BarBatch
from app.marketdata.calendar import trading_calendar
from tests.factories import FRIDAY, make_batch, ns, utc

XNYS = trading_calendar("XNYS")
OPEN = utc("2024-03-01 14:30")


@pytest.fixture
def sequencer() -> Sequencer:
    return Sequencer(("AAPL", "SPY"), Timeframe.M1, XNYS, after=OPEN)


def bar(number: int, symbol: str = "AAPL", close: float = 100.0) -> BarBatch:
    """Minute `number` of the session."""
    return make_batch([close], symbol=symbol, first=number)


def plain(items: list[Item]) -> list[object]:
    return [
        (item.at.strftime("%H:%M"), dict(item.opens))
        if isinstance(item, SliceOpened)
        else (item.symbol, item.source, len(item))
        for item in items
    ]


def test_a_bar_is_given_once_whoever_sends_it_again(sequencer: Sequencer) -> None:
    assert plain(sequencer.bars(bar(0), "alpaca")) == [("AAPL", "alpaca", 1)]
    assert sequencer.bars(bar(0), "alpaca") == []
    assert sequencer.bars(bar(0, close=101), "twelve_data") == []
    assert sequencer.repeated == 2


def test_other_values_from_the_same_source_are_a_correction(sequencer: Sequencer) -> None:
    sequencer.bars(bar(0), "alpaca")
    assert plain(sequencer.bars(bar(0, close=101), "alpaca")) == [("AAPL", "alpaca", 1)]
    assert sequencer.bars(bar(0, close=101), "alpaca") == []


def test_what_was_handled_before_a_restart_is_not_given_again() -> None:
    late = Sequencer(("AAPL",), Timeframe.M1, XNYS, after=utc("2024-03-01 14:32"))
    assert late.bars(bar(1), "alpaca") == []
    assert late.bars(bar(2), "alpaca")


def test_symbols_that_nobody_asked_for_are_left_out(sequencer: Sequencer) -> None:
    assert sequencer.bars(bar(0, "TSLA"), "alpaca") == []
    assert sequencer.first_print("TSLA", 1.0, ns("2024-03-01 14:31:05")) == []


def test_when_all_have_reported_the_next_opens(sequencer: Sequencer) -> None:
    assert sequencer.first_print("AAPL", 100.5, ns("2024-03-01 14:31:01")) == []
    sequencer.bars(bar(0), "alpaca")
    given = plain(sequencer.bars(bar(0, "SPY"), "alpaca"))
    assert given == [("SPY", "alpaca", 1), ("14:31", {"AAPL": 100.5})]
    assert plain(sequencer.first_print("SPY", 500.0, ns("2024-03-01 14:31:02"))) == [
        ("14:31", {"SPY": 500.0})
    ]


def test_only_the_first_print_of_a_bar_counts(sequencer: Sequencer) -> None:
    sequencer.advance(ns("2024-03-01 14:31"))
    assert sequencer.first_print("AAPL", 100.5, ns("2024-03-01 14:31:01"))
    assert sequencer.first_print("AAPL", 100.6, ns("2024-03-01 14:31:02")) == []
    assert sequencer.first_print("AAPL", 100.4, ns("2024-03-01 14:30:59")) == []


def test_the_clock_promises_what_did_not_come(sequencer: Sequencer) -> None:
    sequencer.bars(bar(0), "alpaca")
    assert plain(sequencer.advance(ns("2024-03-01 14:31:20"))) == [("14:31", {})]
    assert sequencer.advance(ns("2024-03-01 14:31:40")) == []
    assert sequencer.promised == ns("2024-03-01 14:31")


def test_prints_of_a_bar_that_is_over_are_forgotten(sequencer: Sequencer) -> None:
    sequencer.first_print("AAPL", 100.5, ns("2024-03-01 14:31:01"))
    assert plain(sequencer.advance(ns("2024-03-01 14:33"))) == [("14:33", {})]


def test_a_late_bar_is_given_all_the_same(sequencer: Sequencer) -> None:
    sequencer.advance(ns("2024-03-01 14:35"))
    assert plain(sequencer.bars(bar(1), "alpaca")) == [("AAPL", "alpaca", 1)]


def test_the_last_promise_of_a_day_is_its_close(sequencer: Sequencer) -> None:
    assert plain(sequencer.advance(ns("2024-03-01 22:00"))) == [("21:00", {})]
    assert sequencer.advance(ns("2024-03-02 12:00")) == []
    assert sequencer.advance(ns("2024-03-04 13:00")) == []
    assert plain(sequencer.advance(ns("2024-03-04 14:31"))) == [("14:31", {})]


def test_extended_hours_are_promised_where_they_are_wanted() -> None:
    whole = Sequencer(
        ("AAPL",), Timeframe.M1, XNYS, after=utc("2024-03-01 21:00"), extended_hours=True
    )
    assert plain(whole.advance(ns("2024-03-01 22:00"))) == [("22:00", {})]


def test_new_bars_wait_for_older_ones_that_are_fetched(sequencer: Sequencer) -> None:
    sequencer.hold()
    assert sequencer.bars(bar(5), "alpaca") == []
    assert sequencer.bars(make_batch([1.0] * 5, symbol="SPY"), "databento") == []
    assert sequencer.bars(make_batch([1.0] * 5), "databento") == []
    assert sequencer.advance(ns("2024-03-01 14:36")) == []
    given = [item for item in sequencer.release() if isinstance(item, SourcedBars)]
    ends = [int(item.end[0]) for item in given]
    assert ends == sorted(ends)
    assert len(given) == 11
    assert not sequencer.is_held


def test_an_unknown_average_price_is_no_correction(sequencer: Sequencer) -> None:
    first = bar(0)
    assert np.isnan(first.rows["vwap"]).all()
    sequencer.bars(first, "alpaca")
    assert sequencer.bars(bar(0), "alpaca") == []


def test_memory_of_given_bars_is_bounded(
    sequencer: Sequencer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ingest.sequence.REMEMBERED", 3)
    sequencer.bars(make_batch([1.0] * 5, day=FRIDAY), "alpaca")
    assert len(sequencer._given["AAPL"]) == 3
