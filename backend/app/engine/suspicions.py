"""What seems to differ, until enough looks agree: a broker's answers are not of one instant."""

from decimal import Decimal
from typing import Final

import msgspec

from app.domain.events import Difference
from app.engine.reconciliation import Kind

_OF_WHOLE: Final = frozenset({Kind.POSITION, Kind.CASH})
"Kinds that only a whole look judges."


class Doubts(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a difference certain; seconds."""

    settle: float = 2.0
    "Between two looks that count."
    looks: int = 3
    "So many must agree."
    patience: float = 60.0
    "How long a broker may owe the executions of what it says was filled."


class _Suspicion(msgspec.Struct):
    values: tuple[str, ...]
    since: float
    counted: float
    looks: int = 1


class Suspicions:
    """Of one account, from look to look."""

    def __init__(self, doubts: Doubts) -> None:
        self._doubts = doubts
        self._known: dict[str, _Suspicion] = {}
        self._believed: dict[str, Difference] = {}

    @property
    def believed(self) -> tuple[Difference, ...]:
        """Certain, and explained by nothing so far."""
        return tuple(self._believed.values())

    @property
    def is_doubtful(self) -> bool:
        """Something seems to differ."""
        return bool(self._known)

    @property
    def orders(self) -> list[str]:
        """Ids of the orders that something may be wrong with."""
        keys = (key.partition(":") for key in self._known)
        return [subject for kind, _, subject in keys if kind not in _OF_WHOLE]

    def judge(
        self, found: list[Difference], now: float, *, is_whole: bool, patience: float
    ) -> tuple[list[Difference], list[Difference]]:
        """What is certain of one look's differences, and what must be looked at again.

        What this look found no more is forgotten, where it was of a kind that it judges.
        `patience`: so long a broker may owe the executions of what it says was filled.
        """
        kept: dict[str, _Suspicion] = {}
        certain: list[Difference] = []
        doubtful: list[Difference] = []
        for one in found:
            known = kept[key_of(one)] = self._again(one, now)
            (certain if self._is_certain(one, known, now - patience) else doubtful).append(one)
        if not is_whole:
            kept |= {key: one for key, one in self._known.items() if _is_of_whole(key)}
        self._known = kept
        self._believed = {key: one for key, one in self._believed.items() if key in kept}
        return certain, doubtful

    def believe(self, one: Difference) -> None:
        """Nothing explains it, and nobody takes it over."""
        self._believed[key_of(one)] = one

    def drop(self, one: Difference) -> None:
        """It was taken over: there is nothing left of it."""
        self._known.pop(key_of(one), None)
        self._believed.pop(key_of(one), None)

    def _again(self, one: Difference, now: float) -> _Suspicion:
        known, values = self._known.get(key_of(one)), _values(one)
        if known is None or known.values != values:
            return _Suspicion(values, now, now)
        if now - known.counted >= self._doubts.settle:
            return _Suspicion(values, known.since, now, known.looks + 1)
        return known

    def _is_certain(self, one: Difference, known: _Suspicion, until: float) -> bool:
        if one.kind == Kind.FOREIGN_ORDER:
            return True
        if one.kind == Kind.FILLS and known.since > until:
            return False
        return known.looks >= self._doubts.looks


def key_of(one: Difference) -> str:
    """What the difference is about."""
    return f"{one.kind}:{one.subject}"


def _is_of_whole(key: str) -> bool:
    return key.partition(":")[0] in _OF_WHOLE


def _values(one: Difference) -> tuple[str, ...]:
    """What must stay the same: of positions and cash it is by how much they differ."""
    if one.kind in _OF_WHOLE:
        return (str(Decimal(one.theirs) - Decimal(one.ours)),)
    return one.ours, one.theirs
