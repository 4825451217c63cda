"""Quotes of one side become tops of book; of each second the last is picked out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.marketdata.batch import QUOTE, QuoteBatch
from app.marketdata.top_of_book import LastOfSecond, TopOfBook
from tests.ticks import OPEN, SECOND, cut, make_quotes

NAN = float("nan")


def sides(batch: QuoteBatch) -> list[tuple[float, float]]:
    return batch.rows[["bid", "ask"]].tolist()  # type: ignore[no-any-return]  # of structured rows


def test_a_side_stands_until_it_is_told_anew() -> None:
    book = TopOfBook()
    first = book.fold(make_quotes([(0, 10, NAN), (1, NAN, 12), (2, 11, NAN)], partial=True))
    assert sides(first)[1:] == [(10, 12), (11, 12)]
    second = book.fold(make_quotes([(3, NAN, 11.5)], partial=True))
    assert sides(second) == [(11, 11.5)]


def test_a_side_that_the_other_has_crossed_is_gone_until_it_is_told_anew() -> None:
    book = TopOfBook()
    rows = book.fold(
        make_quotes([(0, 10, NAN), (0, NAN, 11), (1, 12, NAN), (1, NAN, 13)], partial=True)
    )
    assert np.isnan(rows.rows["ask"][2])
    assert rows.rows["ask_size"][2] == 0
    assert sides(rows)[3] == (12, 13)


def test_whole_tops_pass_as_they_are() -> None:
    quotes = make_quotes([(0, 10, NAN)])
    assert TopOfBook().fold(quotes) is quotes


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 120), pieces=st.integers(1, 9))
def test_folding_does_not_depend_on_the_cut(seed: int, count: int, pieces: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.zeros(count, dtype=QUOTE)
    rows["at"] = OPEN + np.sort(rng.integers(0, 20 * SECOND, count))
    rows["symbol"] = rng.integers(0, 3, count)
    rows["bid"], rows["ask"] = rng.integers(90, 100, count), rng.integers(96, 106, count)
    rows["bid_size"] = rows["ask_size"] = 1
    for side in ("bid", "ask"):
        silent = rng.random(count) < 0.5
        rows[side][silent], rows[f"{side}_size"][silent] = np.nan, 0
    batch = QuoteBatch(("A", "B", "C"), rows, partial=True)
    book, keeper, whole_keeper = TopOfBook(), LastOfSecond(), LastOfSecond()
    folded = [book.fold(batch[piece]) for piece in cut(count, rng, pieces)]
    whole = TopOfBook().fold(batch)
    together = np.concatenate([part.rows for part in folded])
    assert str(together.tolist()) == str(whole.rows.tolist())
    kept = [keeper.add(part).rows for part in folded]
    once = whole_keeper.add(whole).rows
    assert sorted(map(str, np.concatenate(kept))) == sorted(map(str, once))
    assert len(keeper.flush(2**62)) == len(whole_keeper.flush(2**62))


def test_of_each_second_the_last_is_kept() -> None:
    keeper = LastOfSecond()
    kept = keeper.add(make_quotes([(0.1, 10, 11), (0.9, 10.5, 11), (1.5, 10.2, 11)]))
    assert sides(kept) == [(10.5, 11)]
    assert len(keeper.add(make_quotes([(0.95, 1, 2)]))) == 0  # too late
    assert keeper.flush(OPEN + SECOND) == []
    (rest,) = keeper.flush(OPEN + 2 * SECOND)
    assert sides(rest) == [(10.2, 11)]
    assert keeper.flush(OPEN + 9 * SECOND) == []
    assert len(keeper.add(make_quotes([]))) == 0
    assert pytest.approx(rest.rows["at"][0]) == OPEN + 1.5 * SECOND
