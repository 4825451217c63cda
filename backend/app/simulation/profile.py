"""What goes wrong in a simulated run: probabilities and counts, drawn from the seed."""

from collections.abc import Callable
from random import Random
from typing import Any, Final

import msgspec

from app.core.errors import NotFound
from app.core.registry import suggestion

FRACTIONS: Final = (0.0, 0.02, 0.05, 0.15, 0.3)
"Probabilities that a fault of one kind is drawn from; half of the kinds do not happen at all."


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Faults of one run. Probabilities are per request, per report or per commit; counts per run.

    F-numbers are those of the reliability page.
    """

    name: str = "calm"
    # F5, F18: requests to the broker
    request_lost: float = 0.0
    "It never arrives, and no answer comes."
    answer_lost: float = 0.0
    "It arrives; the answer does not."
    late: float = 0.0
    "It arrives after our patience has ended: a late accept."
    throttled: float = 0.0
    "429: certainly not done."
    failing: float = 0.0
    "5xx: perhaps done."
    hung: float = 0.0
    "It arrives, and whoever sent it waits for ever."
    rejected: float = 0.0
    "A definite no: at once, or only after the acknowledgement."
    # F6: reports
    duplicated: float = 0.0
    reordered: float = 0.0
    early_fills: float = 0.0
    "A fill that is told before the acknowledgement."
    overfilled: float = 0.0
    busted: float = 0.0
    corrected: float = 0.0
    hesitant: float = 0.0
    "Orders and fills that the broker's lists show only after seconds."
    empty_lists: bool = False
    "Lists are empty for the first seconds of a connection."
    is_idempotent: bool = True
    "Whether a client order id that is known already makes no second order (Alpaca; not IBKR)."
    # F4, F7
    disconnects: int = 0
    reused_ids: bool = False
    "After a disconnect the broker numbers its orders from the start again."
    manual_orders: int = 0
    "Orders that a person makes in the broker's own application."
    # F1, F2, F9, F16
    crashes: int = 0
    crash_at_commit: float = 0.0
    refused_commits: float = 0.0
    "F10: the database refuses to append; nothing of it is stored."
    pauses: int = 0
    "SIGSTOP for longer than the lease, then SIGCONT: a zombie."
    database_outages: int = 0
    second_engine: bool = False
    clock_steps: int = 0
    # F8: the feed
    gaps: float = 0.0
    repeated: float = 0.0
    late_bars: float = 0.0
    bad_ticks: float = 0.0
    half_day: bool = False
    # F13, F17: people
    halts: int = 0
    commands: int = 4
    config_changes: int = 0


CALM: Final = Profile()


def _some(rng: Random) -> float:
    return rng.choice(FRACTIONS) if rng.random() < 0.5 else 0.0


def _times(rng: Random, most: int) -> int:
    return rng.randint(1, most) if rng.random() < 0.5 else 0


def chaos(rng: Random) -> Profile:
    """Anything together with anything."""
    drawn: dict[str, Any] = {name: _some(rng) for name in _PROBABLE}
    return Profile(
        name="chaos",
        **drawn,
        empty_lists=rng.random() < 0.3,
        is_idempotent=rng.random() < 0.5,
        disconnects=_times(rng, 3),
        reused_ids=rng.random() < 0.3,
        manual_orders=_times(rng, 2),
        crashes=_times(rng, 3),
        crash_at_commit=rng.choice((0.0, 0.0, 0.01, 0.03)),
        refused_commits=rng.choice((0.0, 0.0, 0.0, 0.01)),
        pauses=_times(rng, 2),
        database_outages=_times(rng, 2),
        second_engine=rng.random() < 0.3,
        clock_steps=_times(rng, 2),
        half_day=rng.random() < 0.3,
        halts=_times(rng, 2),
        commands=rng.randint(0, 8),
        config_changes=_times(rng, 2),
    )


_PROBABLE: Final = (
    "request_lost", "answer_lost", "late", "throttled", "failing", "hung", "rejected", "duplicated",
    "reordered", "early_fills", "overfilled", "busted", "corrected", "hesitant", "gaps", "repeated",
    "late_bars", "bad_ticks",
)  # fmt: skip


def _broker(rng: Random) -> Profile:
    drawn: dict[str, Any] = {
        name: rng.choice(FRACTIONS[1:]) for name in rng.sample(_PROBABLE[:14], 5)
    }
    return Profile(name="broker", **drawn, disconnects=2, is_idempotent=rng.random() < 0.5)


def _process(rng: Random) -> Profile:
    return Profile(
        name="process", crashes=3, crash_at_commit=0.03, pauses=2, database_outages=1,
        second_engine=rng.random() < 0.5, clock_steps=rng.randint(0, 2), answer_lost=0.05,
    )  # fmt: skip


def _people(rng: Random) -> Profile:
    return Profile(
        name="people", halts=3, commands=10, config_changes=3, manual_orders=2,
        answer_lost=rng.choice(FRACTIONS), crashes=rng.randint(0, 1),
    )  # fmt: skip


def _feed(rng: Random) -> Profile:
    return Profile(
        name="feed", gaps=0.1, repeated=0.1, late_bars=0.1, bad_ticks=0.1, half_day=True,
        crashes=rng.randint(0, 2),
    )  # fmt: skip


KINDS: Final[dict[str, Callable[[Random], Profile]]] = {
    "chaos": chaos,
    "broker": _broker,
    "process": _process,
    "people": _people,
    "feed": _feed,
    "calm": lambda _: CALM,
}
"""Profiles by name; `mixed` draws one of them."""
_MIX: Final = ("chaos", "chaos", "chaos", "broker", "process", "people", "feed", "calm")


def draw(seed: int, name: str = "mixed") -> Profile:
    """The faults of one seed. Raises NotFound for a profile that does not exist."""
    rng = Random(f"profile {seed}")  # nosec B311 - the seed must decide
    kind = rng.choice(_MIX) if name == "mixed" else name
    if kind not in KINDS:
        known = ("mixed", *KINDS)
        raise NotFound(f"There is no profile {name!r}.", remedy=suggestion(name, known))
    return KINDS[kind](rng)
