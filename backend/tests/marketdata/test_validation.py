"""Bad rows are found and named; good rows are kept."""

from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch, concatenate
from app.marketdata.calendar import trading_calendar
from app.marketdata.validation import EXPLANATIONS, Reason, explained, validate
from tests.factories import make_batch, ns

XNYS = trading_calendar("XNYS")
MINUTE = 60 * 10**9


def broken(column: str, value: float, row: int = 5) -> BarBatch:
    batch = make_batch([100.0 + i for i in range(20)])
    batch.rows[column][row] = value
    return batch


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("close", np.nan, Reason.NOT_A_NUMBER),
        ("volume", np.inf, Reason.NOT_A_NUMBER),
        ("low", 0, Reason.NOT_POSITIVE),
        ("open", -1, Reason.NOT_POSITIVE),
        ("volume", -1, Reason.NEGATIVE_VOLUME),
        ("high", 99, Reason.HIGH_LOW),
        ("high", 1050, Reason.JUMP),
        ("low", 10, Reason.JUMP),
        ("end", 0, Reason.BAD_TIME),
        ("start", ns("2024-03-02 15:00"), Reason.NO_TRADING_DAY),
        ("start", ns("2024-03-01 14:35:30"), Reason.OFF_GRID),
    ],
)
def test_a_bad_value_is_named_and_the_rest_kept(column: str, value: float, reason: Reason) -> None:
    batch = broken(column, value)
    if column == "start":
        batch.rows["end"][5] = batch.rows["start"][5] + MINUTE
    verdict = validate(batch, XNYS)
    assert len(verdict.good) == 19
    assert reason in verdict.reasons()[0]
    assert verdict.bad.rows[column][0] == pytest.approx(value, nan_ok=True)


def test_every_reason_has_an_explanation() -> None:
    assert set(EXPLANATIONS) == set(Reason)


def test_a_bar_that_is_not_over_is_from_the_future() -> None:
    batch = make_batch([1, 1])
    assert validate(batch, XNYS, now=ns("2024-03-01 14:31")).counts() == {Reason.FUTURE: 1}
    assert validate(batch, XNYS, now=ns("2024-03-01 14:32")).counts() == {}


def test_an_exact_repetition_is_dropped_and_a_conflict_quarantined() -> None:
    batch = make_batch([100, 101, 102])
    other = make_batch([100, 101, 105])
    verdict = validate(concatenate([batch, batch[slice(0, 1)], other[slice(2, 3)]]), XNYS)
    assert verdict.good.bars() == batch.bars()
    assert (verdict.repeated, verdict.counts()) == (1, {Reason.DUPLICATE: 1})


def test_order_matters_in_a_stream_only() -> None:
    batch = make_batch([1, 1, 1])
    mixed = concatenate([batch[slice(1, 3)], batch[slice(0, 1)]])
    assert validate(mixed, XNYS).counts() == {}
    assert validate(mixed, XNYS, in_order=True).counts() == {Reason.OUT_OF_ORDER: 1}
    newest = int(batch.start[2])
    late = validate(batch[slice(0, 1)], XNYS, in_order=True, newest=newest)
    assert late.counts() == {Reason.OUT_OF_ORDER: 1}


def test_a_lone_row_is_compared_with_what_came_before() -> None:
    spike = make_batch([1000])
    assert validate(spike, XNYS).counts() == {}
    verdict = validate(spike, XNYS, before=np.full(30, 100.0))
    assert verdict.counts() == {Reason.JUMP: 1}


def test_a_split_is_a_new_level_and_passes() -> None:
    closes = [700.0] * 30 + [100.0] * 30
    batch = make_batch(closes, timeframe=Timeframe.D1, day=date(2014, 5, 1))
    batch.rows["high"] = batch.rows["low"] = batch.rows["open"] = batch.rows["close"]
    assert validate(batch, XNYS).counts() == {}


def test_other_columns_are_refused() -> None:
    rows = np.zeros(1, dtype=[("price", "<f8")])
    with pytest.raises(TypeError, match="price"):
        validate(BarBatch("AAPL", Timeframe.M1, rows), XNYS)


def test_nothing_is_nothing() -> None:
    assert len(validate(BarBatch.empty("AAPL", Timeframe.M1), XNYS, in_order=True).good) == 0


@given(
    st.lists(st.floats(-0.02, 0.02), min_size=40, max_size=200),
    st.sets(st.integers(0, 39), max_size=4),
    st.sampled_from(["zero", "nan", "ten", "negative"]),
)
def test_every_bad_row_is_caught_and_no_good_one(
    steps: list[float], where: set[int], kind: str
) -> None:
    batch = make_batch(list(100 * np.exp(np.cumsum(steps))))
    factor = {"zero": 0.0, "nan": np.nan, "ten": 10.0, "negative": -1.0}[kind]
    rows = sorted(where)
    for name in ("open", "high", "low", "close"):
        batch.rows[name][rows] *= factor
    verdict = validate(batch, XNYS)
    assert verdict.bad.start.tolist() == batch.start[rows].tolist()
    assert len(verdict.good) == len(batch) - len(rows)


@given(
    st.lists(st.floats(-0.02, 0.02), min_size=40, max_size=120),
    st.dictionaries(st.integers(0, 39), st.sampled_from([0.1, 10.0, -1.0, np.nan]), max_size=6),
    st.sets(st.integers(1, 119)),
)
def test_the_verdict_on_a_stream_does_not_depend_on_how_it_was_cut(
    steps: list[float], bad: dict[int, float], cuts: set[int]
) -> None:
    batch = make_batch(list(100 * np.exp(np.cumsum(steps))))
    for row, factor in bad.items():
        for name in ("open", "high", "low", "close"):
            batch.rows[name][row] *= factor
    whole = validate(batch, XNYS, in_order=True)
    kept: list[bool] = []
    closes, newest = None, None
    for start, end in pairwise([0, *sorted(c for c in cuts if c < len(batch)), len(batch)]):
        part = batch[slice(start, end)]
        verdict = validate(part, XNYS, in_order=True, before=closes, newest=newest)
        closes, newest = verdict.closes, verdict.newest
        kept += verdict.kept.tolist()
    assert kept == whole.kept.tolist()


def test_a_stream_believes_a_new_level_after_some_bars() -> None:
    batch = make_batch([100.0] * 20 + [10.0] * 20)
    batch.rows["high"] = batch.rows["low"] = batch.rows["open"] = batch.rows["close"]
    assert validate(batch, XNYS, in_order=True).counts() == {Reason.JUMP: 6}


def test_a_row_of_nonsense_does_not_make_the_others_late() -> None:
    batch = make_batch([100.0] * 5)
    batch.rows["start"][1] = ns("2030-06-03 15:00")
    batch.rows["end"][1] = ns("2030-06-03 15:01")
    verdict = validate(batch, XNYS, in_order=True, now=ns("2024-03-02"))
    assert verdict.counts() == {Reason.FUTURE: 1}


def test_reasons_are_explained_and_unknown_ones_named() -> None:
    said = explained({"negative_volume": 2, "of another kind": 1})
    assert said == ["2 negative_volume: the volume is negative", "1 of another kind"]
