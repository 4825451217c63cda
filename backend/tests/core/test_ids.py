"""Identifiers sort by time or repeat with their input."""

import string
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.core import ids

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_a_uuid7_is_one_and_sorts_by_its_time() -> None:
    early, late = ids.uuid7(NOON), ids.uuid7(NOON + timedelta(milliseconds=1))
    assert (early.version, early.variant) == (7, "specified in RFC 4122")
    assert early < late
    assert ids.uuid7() != ids.uuid7()


def test_correlation_ids_differ() -> None:
    assert len({ids.correlation_id() for _ in range(100)}) == 100


@given(st.lists(st.text() | st.integers(), min_size=1))
def test_a_derived_id_repeats_and_is_plain(parts: list[str | int]) -> None:
    found = ids.derived(*parts)
    assert found == ids.derived(*parts)
    assert len(found) == 20
    assert set(found) <= set(string.ascii_lowercase + "234567")


def test_parts_do_not_run_together() -> None:
    assert ids.derived("a", "bc") != ids.derived("ab", "c")
    assert ids.derived("a", length=8) == ids.derived("a")[:8]
