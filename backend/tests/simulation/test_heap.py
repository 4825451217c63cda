"""While a seed runs nothing is collected; what it leaves behind is gone at once."""

import gc
import weakref

import pytest

from app.simulation.heap import undisturbed


class Node:
    """Something that only a collection can free."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_made_within_and_thrown_away_is_gone_afterwards() -> None:
    with undisturbed():
        assert not gc.isenabled()
        ghost = weakref.ref(Node())
        assert ghost() is not None
    assert ghost() is None
    assert gc.isenabled()


def test_it_ends_when_what_runs_within_breaks_and_keeps_what_was_switched_off() -> None:
    gc.disable()
    try:
        with pytest.raises(ZeroDivisionError), undisturbed():
            raise ZeroDivisionError
        assert not gc.isenabled()
        assert gc.get_freeze_count() == 0
    finally:
        gc.enable()
