"""Lanes in memory: priority chooses among keys, never within one; held keys hold nobody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events.lanes import Lanes, Waiting

LOW, NORMAL, HIGH, CRITICAL = range(4)


def waiting(key: str, seq: int, lane: int = NORMAL, **more: float) -> Waiting:
    return Waiting("system", seq, key, lane, "feed_connected", due_in=more.get("due_in", 0.0))


def seqs(taken: list[Waiting]) -> list[int]:
    return [one.seq for one in taken]


@pytest.fixture
def lanes() -> Lanes:
    return Lanes(most_of_a_key=3)


def test_the_most_urgent_key_is_first(lanes: Lanes) -> None:
    lanes.add([waiting("a", 1), waiting("b", 2, LOW), waiting("c", 3, CRITICAL)], 0)
    assert [seqs(lanes.take(9)) for _ in range(4)] == [[3], [1], [2], []]


def test_keys_of_a_lane_take_turns_in_the_order_of_their_coming(lanes: Lanes) -> None:
    lanes.add([waiting("a", 1), waiting("b", 2), waiting("a", 3)], 0)
    first = lanes.take(1)
    lanes.done(first)
    assert [seqs(first), seqs(lanes.take(1)), seqs(lanes.take(1))] == [[1], [2], [3]]


def test_an_urgent_event_hurries_its_key_and_overtakes_nothing_in_it(lanes: Lanes) -> None:
    lanes.add([waiting("a", 1), waiting("b", 2, LOW), waiting("b", 3, CRITICAL)], 0)
    assert seqs(lanes.take(9)) == [2, 3]


def test_a_key_at_work_is_not_taken_twice(lanes: Lanes) -> None:
    lanes.add([waiting("a", 1), waiting("a", 2)], 0)
    taken = lanes.take(1)
    lanes.add([waiting("a", 3, CRITICAL)], 0)
    assert lanes.take(1) == []
    lanes.done(taken)
    assert seqs(lanes.take(1)) == [2]


def test_a_held_key_waits_and_the_others_go_on(lanes: Lanes) -> None:
    lanes.add([waiting("a", 1, CRITICAL), waiting("a", 2), waiting("b", 3)], 0)
    (failed,) = lanes.take(1)
    lanes.hold(failed, 5.0)
    assert (lanes.held, lanes.next_due()) == (1, 5.0)
    assert seqs(lanes.take(1)) == [3]
    lanes.release(4.9)
    assert lanes.take(1) == []
    lanes.release(5.0)
    assert seqs(lanes.take(9)) == [1], "one by one after a failure"


def test_a_batch_that_failed_is_taken_one_by_one_until_one_came_through(lanes: Lanes) -> None:
    lanes.add([waiting("a", 1), waiting("a", 2), waiting("a", 3)], 0)
    lanes.one_by_one(lanes.take(9))
    taken = lanes.take(9)
    assert seqs(taken) == [1]
    lanes.done(taken)
    assert seqs(lanes.take(9)) == [2, 3]


def test_what_failed_before_a_restart_is_held_until_its_time(lanes: Lanes) -> None:
    lanes.add([waiting("a", 1, due_in=2.0), waiting("a", 2)], 10.0)
    assert lanes.take(1) == []
    lanes.release(12.0)
    assert seqs(lanes.take(1)) == [1]


def test_what_is_known_is_not_taken_in_again(lanes: Lanes) -> None:
    lanes.add([waiting("a", 1)], 0)
    taken = lanes.take(1)
    lanes.add([waiting("a", 1)], 0)
    lanes.done(taken)
    assert (len(lanes), lanes.take(1)) == (0, [])


def test_a_key_with_too_much_of_it_goes_on_from_the_database(lanes: Lanes) -> None:
    lanes.add([waiting("a", seq) for seq in range(1, 6)], 0)
    assert (len(lanes), lanes.to_refill()) == (3, [])
    taken = lanes.take(9)
    lanes.add([waiting("a", 6)], 0)  # must not overtake 4 and 5
    assert len(lanes) == 3
    lanes.done(taken)
    assert lanes.to_refill() == ["a"]
    lanes.refill("a", [waiting("a", seq) for seq in (4, 5, 6)], 0)
    taken = lanes.take(9)
    assert seqs(taken) == [4, 5, 6]
    lanes.done(taken)
    assert lanes.to_refill() == ["a"], "there were as many as fit: there may be more"
    lanes.refill("a", [], 0)
    assert lanes.to_refill() == []


@given(
    events=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=40),
    choices=st.lists(st.tuples(st.sampled_from(("done", "hold", "batch")), st.integers(1, 4))),
)
def test_whatever_fails_every_key_keeps_its_order_and_loses_nothing(
    events: list[tuple[str, int]], choices: list[tuple[str, int]]
) -> None:
    lanes, now = Lanes(), 0.0
    lanes.add([waiting(key, seq, lane) for seq, (key, lane) in enumerate(events)], now)
    handled: dict[str, list[int]] = {}
    steps = iter(choices)
    while len(lanes):
        now += 1
        lanes.release(now)
        what, most = next(steps, ("done", 1))
        taken = lanes.take(most)
        if not taken:
            continue
        if what == "hold":
            lanes.hold(taken[0], now + most)
        elif what == "batch" and len(taken) > 1:
            lanes.one_by_one(taken)
        else:
            handled.setdefault(taken[0].key, []).extend(seqs(taken))
            lanes.done(taken)
    expected: dict[str, list[int]] = {}
    for seq, (key, _) in enumerate(events):
        expected.setdefault(key, []).append(seq)
    assert handled == expected
