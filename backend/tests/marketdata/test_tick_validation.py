"""What is bad is told apart from what is good, with its reasons, however a stream is cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.marketdata.batch import QUOTE, TickBatch
from app.marketdata.calendar import trading_calendar
from app.marketdata.tick_memory import Memory
from app.marketdata.tick_validation import (
    SORTED,
    TickRules,
    far_from_median,
    validate_quotes,
    validate_ticks,
)
from app.marketdata.validation import Reason
from tests.factories import ns
from tests.ticks import OPEN, SECOND, cut, make_quotes, make_ticks, random_ticks

CALENDAR = trading_calendar("XNYS")
DEFAULTS = TickRules()
NAN, INF = float("nan"), float("inf")


def reasons(batch: TickBatch, rules: TickRules = DEFAULTS, **more: object) -> list[set[Reason]]:
    """What each row of a batch is refused for."""
    verdict = validate_ticks(batch, CALENDAR, Memory(), rules, **more)  # type: ignore[arg-type]  # given as they are
    found: list[set[Reason]] = [set() for _ in range(len(batch))]
    for position, named in zip(verdict.positions.tolist(), verdict.reasons(), strict=True):
        found[position] = set(named)
    return found


@pytest.mark.parametrize(
    ("price", "reason"),
    [(0, Reason.NOT_POSITIVE), (-1, Reason.NOT_POSITIVE), (NAN, Reason.NOT_A_NUMBER),
     (INF, Reason.NOT_A_NUMBER), (1000, Reason.JUMP), (10, Reason.JUMP)],
)  # fmt: skip
def test_a_price_that_cannot_be_is_refused(price: float, reason: Reason) -> None:
    found = reasons(make_ticks([(0, 100), (1, 100), (2, price), (3, 101)]))
    assert found == [set(), set(), {reason}, set()]


def test_a_row_may_be_refused_for_several_reasons() -> None:
    batch = make_ticks([(0, 100), (1, -5)])
    batch.rows["size"][1] = -1
    batch.rows["at"][1] = ns("2024-03-02 15:00")  # a Saturday
    assert reasons(batch)[1] == {
        Reason.NOT_POSITIVE,
        Reason.NEGATIVE_SIZE,
        Reason.NO_TRADING_DAY,
    }


def test_unknown_symbols_and_labels_are_refused() -> None:
    batch = make_ticks([(0, 100), (1, 100), (2, 100)])
    batch.rows["symbol"][1] = 4
    batch.rows["label"][2] = 9
    assert reasons(batch) == [set(), {Reason.UNKNOWN_SYMBOL}, {Reason.MALFORMED}]
    assert reasons(batch, known=[False])[0] == {Reason.UNKNOWN_SYMBOL}


def test_time_is_judged_by_the_wall_clock_where_it_is_told() -> None:
    batch = make_ticks([(0, 100), (400, 100), (403, 100)])
    now = OPEN + 401 * SECOND
    assert reasons(batch, now=now) == [{Reason.STALE}, set(), {Reason.FUTURE}]
    assert reasons(batch) == [set(), set(), set()]


def test_rows_outside_regular_hours_are_refused_where_only_those_are_wanted() -> None:
    batch = make_ticks([(-1, 100), (0, 100)])
    rules = TickRules(regular_hours_only=True)
    assert reasons(batch, rules) == [{Reason.OUTSIDE_SESSION}, set()]
    assert reasons(batch) == [set(), set()]


def test_a_little_disorder_is_no_fault_and_much_of_it_is() -> None:
    batch = make_ticks([(0, 100), (20, 100), (11, 100), (9, 100), (21, 100)])
    assert reasons(batch) == [set(), set(), set(), {Reason.OUT_OF_ORDER}, set()]
    assert reasons(batch, SORTED) == [set()] * 5


def test_a_sequence_that_comes_again_is_a_duplicate() -> None:
    batch = make_ticks([(0, 100), (1, 100), (1, 100), (0, 100), (2, 100)], sequence=7)
    batch.rows["sequence"] = [7, 8, 8, 7, 9]
    duplicate = {Reason.DUPLICATE}
    assert reasons(batch) == [set(), set(), duplicate, duplicate, set()]


def test_without_a_sequence_prints_alike_are_prints_of_their_own() -> None:
    assert reasons(make_ticks([(1, 100), (1, 100), (1, 100)])) == [set()] * 3


def test_in_a_file_what_is_said_twice_is_left_out_and_a_contradiction_refused() -> None:
    batch = make_ticks([(0, 100), (0, 100), (0, 101)], sequence=7)
    batch.rows["sequence"] = 7
    verdict = validate_ticks(batch, CALENDAR, Memory(), SORTED)
    assert (len(verdict.good), verdict.repeated, verdict.counts()) == (1, 1, {Reason.DUPLICATE: 1})


def test_after_a_new_connection_what_had_come_is_left_out() -> None:
    memory = Memory()
    numbered, plain = make_ticks([(0, 100), (1, 101)], sequence=5), make_ticks([(0, 9), (1, 9)])
    plain = TickBatch(("MSFT",), plain.rows)
    for batch in (numbered, plain):
        validate_ticks(batch, CALENDAR, memory)
    memory.resumed()
    again = validate_ticks(numbered, CALENDAR, memory)
    assert (len(again.good), len(again.bad), again.repeated) == (0, 0, 2)
    more = make_ticks([(1, 9), (1, 9), (2, 9)])
    replayed = validate_ticks(TickBatch(("MSFT",), more.rows), CALENDAR, memory)
    assert (len(replayed.good), replayed.repeated) == (2, 1)


def test_what_is_known_from_before_is_compared_with() -> None:
    memory = Memory()
    memory.prime("AAPL", make_ticks([(-1, 100), (0, 100)]).rows)
    memory.prime("MSFT", make_ticks([]).rows)
    verdict = validate_ticks(make_ticks([(1, 1000), (2, 101)]), CALENDAR, memory)
    assert verdict.counts() == {Reason.JUMP: 1}


def test_what_is_stored_may_come_again_with_a_sequence_or_without() -> None:
    stored = make_ticks([(0, 100), (1, 101), (1, 101)], sequence=1)
    for batch in (stored, make_ticks([(0, 100), (1, 101), (1, 101)])):
        memory = Memory()
        memory.prime("AAPL", stored.rows)
        verdict = validate_ticks(batch, CALENDAR, memory)
        assert (len(verdict.good), verdict.repeated) == (0, 3)


def test_a_new_level_is_believed_after_half_of_the_window() -> None:
    rows = [(i, 100.0) for i in range(30)] + [(30 + i, 400.0) for i in range(30)]
    refused = [bool(found) for found in reasons(make_ticks(rows))]
    assert refused == [False] * 30 + [True] * 10 + [False] * 20


def test_options_may_jump() -> None:
    batch = make_ticks([(0, 0.05), (1, 0.40)], symbol="AAPL261218C00250000")
    assert reasons(batch) == [set(), set()]


@given(
    values=st.lists(st.sampled_from([100.0, 101.0, 40.0, 300.0, 302.0, 1000.0, 1.0]), max_size=90),
    before=st.lists(st.sampled_from([100.0, 1000.0]), max_size=25),
)
def test_jumps_are_those_of_a_plain_rolling_median(
    values: list[float], before: list[float]
) -> None:
    if not values:
        return
    known, expected = before[-20:], []
    for value in values:
        middle = float(np.median(known[-20:])) if known else value
        expected.append(value > middle * 3 or value * 3 < middle)
        known = [*known, value]
    found = far_from_median(np.array(values), np.array(before), 3.0, 20)
    assert found.tolist() == expected


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 300), pieces=st.integers(1, 30))
def test_the_verdict_does_not_depend_on_the_cut(seed: int, count: int, pieces: int) -> None:
    rng = np.random.default_rng(seed)
    batch = random_ticks(rng, count, disorder=15.0, symbols=("A", "B", "C"))
    rows = batch.rows
    rows["price"][rng.random(count) < 0.05] *= 10
    rows["price"][rng.random(count) < 0.05] = np.nan
    copied = rng.random(count) < 0.1
    rows[copied] = rows[rng.integers(0, count, count)][copied]
    whole = validate_ticks(batch, CALENDAR, Memory())
    memory = Memory()
    parts = [validate_ticks(batch[piece], CALENDAR, memory) for piece in cut(count, rng, pieces)]
    assert [code for part in parts for code in part.codes.tolist()] == whole.codes.tolist()
    good = np.concatenate([part.good.rows for part in parts])
    assert good.tolist() == whole.good.rows.tolist()


# ------------------------------------------------------------------------------- quotes


def test_a_crossed_quote_is_refused_and_a_locked_one_is_not() -> None:
    verdict = validate_quotes(
        make_quotes([(0, 100, 101), (1, 101, 101), (2, 102, 101)]), CALENDAR, Memory(sides=2)
    )
    assert verdict.positions.tolist() == [2]
    assert verdict.counts() == {Reason.CROSSED: 1}


def test_one_side_is_enough_and_none_is_not() -> None:
    quotes = make_quotes([(0, 100, NAN), (1, 0, 101), (2, NAN, NAN)], partial=True)
    quotes.rows["bid_size"][1] = 0
    verdict = validate_quotes(quotes, CALENDAR, Memory(sides=2))
    assert np.isnan(verdict.good.rows["bid"][1])
    assert verdict.good.partial
    assert verdict.reasons() == [[Reason.EMPTY]]


@pytest.mark.parametrize(
    ("bid", "ask", "reason"),
    [(0, 101, Reason.NOT_POSITIVE), (-5, 101, Reason.NOT_POSITIVE), (NAN, 101, Reason.NOT_A_NUMBER),
     (100, INF, Reason.NOT_A_NUMBER), (100, 1010, Reason.JUMP), (10, 101, Reason.JUMP)],
)  # fmt: skip
def test_a_side_that_cannot_be_is_refused(bid: float, ask: float, reason: Reason) -> None:
    quotes = make_quotes([(i, 100, 101) for i in range(3)])
    quotes.rows["bid"][2], quotes.rows["ask"][2] = bid, ask
    verdict = validate_quotes(quotes, CALENDAR, Memory(sides=2))
    assert (verdict.positions.tolist(), verdict.reasons()) == ([2], [[reason]])


def test_a_negative_size_is_refused() -> None:
    quotes = make_quotes([(0, 100, 101)])
    quotes.rows["ask_size"] = -1
    verdict = validate_quotes(quotes, CALENDAR, Memory(sides=2))
    assert verdict.counts() == {Reason.NEGATIVE_SIZE: 1}


def test_other_columns_are_no_prints() -> None:
    with pytest.raises(TypeError, match="prints have the columns"):
        validate_ticks(TickBatch((), np.empty(0, dtype=QUOTE)), CALENDAR, Memory())
    assert reasons(make_ticks([])) == []
