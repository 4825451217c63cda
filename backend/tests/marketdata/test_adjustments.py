"""Adjusted prices: small columns, and against LEAN's factor files and Yahoo's adjusted closes."""

import csv
import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from app.domain.market import Timeframe
from app.marketdata.action_files import read_actions
from app.marketdata.adjustments import (
    Adjustment,
    adjusted,
    adjustment_of,
    adjustments,
    due_session,
    factors,
    rebased,
    segments,
    turning_sessions,
)
from app.marketdata.batch import BarBatch
from app.marketdata.calendar import trading_calendar
from app.marketdata.files import BarFile
from app.marketdata.ports import Action
from app.marketdata.shapes import Hints
from tests.factories import make_batch

D = Decimal
CALENDAR = trading_calendar("XNYS")
FRIDAY, MONDAY, TUESDAY = date(2024, 3, 1), date(2024, 3, 4), date(2024, 3, 5)


def columns(closes: list[float]) -> dict[str, np.ndarray]:
    """Daily bars from Friday on."""
    batch = make_batch(closes, timeframe=Timeframe.D1)
    return {**batch.columns(), "session": CALENDAR.ordinals(batch.start)}


def split(day: date, ratio: float, since: date | None = None) -> Adjustment:
    return Adjustment(day.toordinal(), 0.0, ratio, (since or day).toordinal())


def dividend(day: date, amount: float) -> Adjustment:
    return Adjustment(day.toordinal(), amount, 1.0, day.toordinal())


def test_rows_before_a_split_are_seen_in_new_shares() -> None:
    raw = columns([100, 50, 52])
    seen = rebased(raw, [split(MONDAY, 2)], MONDAY.toordinal())
    assert seen["close"].tolist() == [50, 50, 52]
    assert seen["volume"].tolist() == [200, 100, 100]
    assert raw["close"].tolist() == [100, 50, 52]


def test_a_row_before_the_split_knows_nothing_of_it() -> None:
    raw = columns([100, 50, 52])
    assert rebased(raw, [split(MONDAY, 2)], FRIDAY.toordinal()) is raw


def test_what_becomes_known_late_is_seen_late() -> None:
    raw, late = columns([100, 50, 52]), [split(MONDAY, 2, since=TUESDAY)]
    assert rebased(raw, late, MONDAY.toordinal()) is raw
    assert rebased(raw, late, TUESDAY.toordinal())["close"].tolist() == [50, 50, 52]


def test_a_dividend_takes_its_share_of_the_close_before() -> None:
    seen = rebased(columns([100, 99]), [dividend(MONDAY, 2)], MONDAY.toordinal())
    assert seen["close"].tolist() == [98, 99]
    assert seen["volume"].tolist() == [100, 100]


def test_a_dividend_on_the_day_of_a_split_is_told_in_new_shares() -> None:
    both = sorted([dividend(MONDAY, 1), split(MONDAY, 2)])
    seen = rebased(columns([100, 49]), both, MONDAY.toordinal())
    assert seen["close"].tolist() == [pytest.approx(49), 49]


def test_more_cash_than_the_share_was_worth_changes_nothing() -> None:
    assert dividend(MONDAY, 100).factor(99.0) == 1.0


def test_without_rows_there_is_nothing_to_see() -> None:
    nothing = {name: column[:0] for name, column in columns([1]).items()}
    assert rebased(nothing, [split(MONDAY, 2)], MONDAY.toordinal()) is nothing


def test_segments_begin_with_sessions_that_know_more() -> None:
    sessions = np.array([1.0, 1.0, 2.0, 4.0, 4.0])
    assert list(segments(sessions, 0, 5, [0, 1, 2, 3, 9])) == [2, 3]
    assert list(segments(sessions, 5, 5, [2])) == []
    assert turning_sessions([split(MONDAY, 2), dividend(MONDAY, 1)]) == [MONDAY.toordinal()]


def known(day: date, **given: object) -> Action:
    fields = {"symbol": "AAPL", "kind": "split", "ex_date": day, "ratio": D(2)}
    return Action(**{**fields, **given})  # type: ignore[arg-type]  # what a test gives


def test_an_action_is_due_with_the_next_session_that_may_know_it() -> None:
    def due(day: date, at: datetime | None = None) -> date:
        session = due_session(known(day, known_at=at), CALENDAR)
        assert session is not None
        return session.day

    assert due(MONDAY) == MONDAY
    assert due(date(2024, 3, 2)) == MONDAY  # a Saturday
    assert due(MONDAY, datetime(2024, 3, 4, 14, tzinfo=UTC)) == MONDAY
    assert due(MONDAY, datetime(2024, 3, 4, 18, tzinfo=UTC)) == TUESDAY
    assert due(MONDAY, datetime(2024, 6, 1, 18, tzinfo=UTC)) == date(2024, 6, 3)
    assert due_session(known(date(2105, 6, 1)), CALENDAR) is None


def test_only_what_changes_prices_adjusts_them() -> None:
    assert adjustment_of(known(MONDAY, kind="symbol_change"), MONDAY) is None
    spun = known(MONDAY, kind="spin_off", ratio=None, amount=D(3))
    assert adjustments([spun, known(date(2105, 6, 1))], CALENDAR) == [
        Adjustment(MONDAY.toordinal(), 3.0, 1.0, MONDAY.toordinal())
    ]


# -------------------------------------------------------------------------- against real files


def daily(folder: Path, symbol: str) -> BarBatch:
    path = folder / "equity_daily" / f"{symbol}.csv.gz"
    file = BarFile(path, CALENDAR, Hints(symbol=symbol, timeframe=Timeframe.D1))
    (chunk,) = file.chunks()
    return chunk.batch


def last_closes(batch: BarBatch, actions: list[Action]) -> dict[date, float]:
    days = CALENDAR.ordinals(batch.start)
    before = {a.ex_date: int(np.searchsorted(days, a.ex_date.toordinal())) - 1 for a in actions}
    return {day: float(batch.rows["close"][at]) for day, at in before.items() if at >= 0}


def ours(folder: Path, symbol: str) -> tuple[BarBatch, BarBatch, list[Action]]:
    """Raw bars, ours adjusted, and the actions that LEAN's factor file tells."""
    raw = daily(folder, symbol)
    actions = read_actions(folder / "equity_daily" / f"{symbol}.factors.csv.gz", CALENDAR).actions
    made = adjusted(raw, factors(actions, last_closes(raw, actions)), CALENDAR)
    return raw, made, actions


def lean_factors(folder: Path, symbol: str) -> list[tuple[int, float]]:
    text = gzip.decompress((folder / "equity_daily" / f"{symbol}.factors.csv.gz").read_bytes())
    rows = list(csv.DictReader(text.decode().splitlines()))
    return [
        (
            date.fromisoformat(row["last_date_applies"]).toordinal(),
            float(row["price_factor"]) * float(row["split_factor"]),
        )
        for row in rows
    ]


@pytest.mark.parametrize(("symbol", "tolerance"), [("AAPL", 2e-5), ("IBM", 4e-5), ("SPY", 4e-5)])
def test_every_close_is_what_leans_factors_make_of_it(
    shared_data: Path, symbol: str, tolerance: float
) -> None:
    """Dividends of four decimals out of factors of seven digits: a few parts in 100,000 remain."""
    raw, made, _ = ours(shared_data, symbol)
    table = lean_factors(shared_data, symbol)
    days = CALENDAR.ordinals(raw.start)
    at = np.searchsorted(np.array([day for day, _ in table]), days)
    theirs = raw.rows["close"] * np.array([factor for _, factor in table])[at]
    apart = np.abs(made.rows["close"] / theirs - 1)
    assert apart.max() < tolerance


def test_the_splits_of_apple_are_those_that_were(shared_data: Path) -> None:
    _, made, actions = ours(shared_data, "AAPL")
    splits = {one.ex_date: one.ratio for one in actions if one.kind == "split"}
    assert splits[date(2014, 6, 9)] == 7
    assert splits[date(2020, 8, 31)] == 4
    assert splits[date(2005, 2, 28)] == splits[date(2000, 6, 21)] == 2
    paid = {one.ex_date: one.amount for one in actions if one.kind == "dividend"}
    assert paid[date(2020, 8, 7)] == pytest.approx(D("0.82"), abs=D("0.0001"))
    largest = np.abs(np.diff(np.log(made.rows["close"]))).max()
    assert largest < 0.75  # a split seen as a fall would be 1.9; September 2000 was 0.73


def test_yahoo_says_the_same_of_apple(shared_data: Path) -> None:
    """Its table ends in January 2018: in the shares of then, seven for one old of before 2014.

    Where LEAN's close is Yahoo's, so is the adjusted one, to three parts in a million (figures of
    six digits). On the other days the sources know different closes (up to 1.4 %), and our
    adjusted ones differ by just as much.
    """
    raw = daily(shared_data, "AAPL")
    path = shared_data / "equity_daily" / "AAPL.factors.csv.gz"
    until = date(2018, 1, 20)
    actions = [one for one in read_actions(path, CALENDAR).actions if one.ex_date < until]
    closes = last_closes(raw, actions)
    splits = [one for one in actions if one.kind == "split"]
    days = [date.fromordinal(int(one)) for one in CALENDAR.ordinals(raw.start)]
    whole = adjusted(raw, factors(actions, closes), CALENDAR).rows["close"].tolist()
    shares = adjusted(raw, factors(splits, closes), CALENDAR).rows["close"].tolist()
    mine = {day: both for day, *both in zip(days, shares, whole, strict=True)}
    table = gzip.decompress(
        (shared_data / "equity_daily_yahoo" / "AAPL_2004_2018.csv.gz").read_bytes()
    )
    apart = []
    for row in csv.DictReader(table.decode().splitlines()):
        close, whole_close = mine.get(date.fromisoformat(row["Date"]), (None, None))
        if close is not None and whole_close is not None:
            apart.append(
                (
                    abs(close / float(row["Close"]) - 1),
                    abs(whole_close / float(row["Adj Close"]) - 1),
                )
            )
    plain, both = np.array(apart).T
    assert len(apart) > 3_000
    assert both[plain < 1e-5].max() < 3e-6
    assert np.abs(plain - both).max() < 3e-6
    assert (plain < 1e-5).sum() > 2_000
