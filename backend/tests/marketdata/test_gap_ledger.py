"""The ledger of gaps held against what is missing now."""

from hypothesis import given
from hypothesis import strategies as st

from app.marketdata.gap_ledger import (
    NO_TRADE,
    PROVIDER_HOLE,
    REPAIRED,
    UNEXPLAINED,
    Entry,
    compared,
)
from app.marketdata.quality import Hole


def entry(start: int, end: int, state: str = UNEXPLAINED) -> Entry:
    return Entry(start, start, end, end - start, state)


def hole(start: int, end: int) -> Hole:
    return Hole(start, end, end - start)


def test_what_nobody_knew_is_new_and_what_is_known_stays() -> None:
    changes = compared([entry(10, 12, NO_TRADE)], [hole(10, 12), hole(20, 25)])
    assert (changes.new, changes.shortened, changes.repaired) == ([hole(20, 25)], [], [])


def test_what_is_no_longer_missing_is_repaired_whatever_it_was() -> None:
    known = [entry(10, 12, NO_TRADE), entry(20, 25)]
    assert compared(known, []).repaired == known


def test_a_repaired_gap_that_is_there_again_is_new() -> None:
    assert compared([entry(10, 12, REPAIRED)], [hole(10, 12)]).new == [hole(10, 12)]


def test_a_gap_that_is_filled_at_its_end_is_shorter() -> None:
    assert compared([entry(10, 20)], [hole(10, 13)]).shortened == [
        Entry(10, 10, 13, 3, UNEXPLAINED)
    ]


def test_a_gap_that_is_filled_at_its_start_leaves_a_new_one() -> None:
    changes = compared([entry(10, 20)], [hole(15, 20)])
    assert changes.new == [hole(15, 20)]
    assert [(one.start, one.end) for one in changes.repaired] == [(10, 15)]


def test_gaps_side_by_side_keep_their_own_explanations() -> None:
    known = [entry(10, 14, NO_TRADE), entry(14, 20, PROVIDER_HOLE)]
    changes = compared(known, [hole(10, 20)])
    assert (changes.new, changes.shortened, changes.repaired) == ([], [], [])


def test_a_gap_that_grew_has_a_new_part() -> None:
    changes = compared([entry(10, 14, NO_TRADE)], [hole(8, 20)])
    assert changes.new == [hole(8, 10), hole(14, 20)]
    assert changes.repaired == []


MISSING = st.sets(st.integers(0, 30))


def joined(missing: set[int]) -> list[Hole]:
    found: list[Hole] = []
    for minute in sorted(missing):
        if found and found[-1].end == minute:
            found[-1] = Hole(found[-1].start, minute + 1, found[-1].bars + 1)
        else:
            found.append(Hole(minute, minute + 1, 1))
    return found


@given(st.lists(MISSING, min_size=1, max_size=6))
def test_after_any_history_the_ledger_says_exactly_what_is_missing(history: list[set[int]]) -> None:
    ledger: dict[int, Entry] = {}
    for missing in history:
        changes = compared(sorted(ledger.values(), key=lambda one: one.start), joined(missing))
        for one in changes.repaired:
            ledger[one.start] = Entry(one.id, one.start, one.end, one.bars, REPAIRED)
        for one in changes.shortened:
            ledger[one.start] = one
        for new in changes.new:
            ledger[new.start] = entry(new.start, new.end)
        held = [one for one in ledger.values() if one.state != REPAIRED]
        said = [minute for one in held for minute in range(one.start, one.end)]
        assert sorted(said) == sorted(missing)
        assert all(one.bars == one.end - one.start for one in held)
