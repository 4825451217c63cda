"""Many seeds on many processes, planted bugs, and what they came to."""

import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from typing import Final

import msgspec

from app.simulation.planted import BUGS
from app.simulation.world import Outcome, simulate

CHUNK: Final = 10
"Seeds that one process runs before it reports."
MOST_SEEDS: Final = 10_000
"A planted bug must be found within so many."
Progress = Callable[[int], None]


class Failure(msgspec.Struct, frozen=True):
    """A seed that broke an invariant."""

    seed: int
    profile: str
    violations: tuple[str, ...]


class Part(msgspec.Struct, frozen=True):
    """What some seeds came to."""

    seeds: int
    hashes: tuple[str, ...]
    failures: tuple[Failure, ...]
    events: int = 0
    orders: int = 0
    fills: int = 0
    crashes: int = 0


class Summary(msgspec.Struct, frozen=True):
    """What all of them came to."""

    seeds: int
    violations: int
    seeds_per_second: float
    trace_hash: str
    "Of all traces in the order of their seeds: equal on every machine."
    failures: tuple[Failure, ...]
    events: int
    orders: int
    fills: int
    crashes: int


def run_part(first: int, count: int, profile: str) -> Part:
    """Some seeds, one after the other."""
    outcomes = [simulate(seed, profile) for seed in range(first, first + count)]
    return Part(
        seeds=count,
        hashes=tuple(one.hash for one in outcomes),
        failures=tuple(_failure(one) for one in outcomes if one.violations),
        events=sum(one.events for one in outcomes),
        orders=sum(one.orders for one in outcomes),
        fills=sum(one.fills for one in outcomes),
        crashes=sum(one.crashes for one in outcomes),
    )


def _failure(outcome: Outcome) -> Failure:
    told = tuple(str(one) for one in outcome.violations)
    return Failure(outcome.seed, outcome.profile.name, told)


def _nothing(done: int) -> None:
    """Nobody wants to hear how far it is."""


def run(
    first: int, count: int, *, profile: str = "mixed", jobs: int = 1, progress: Progress = _nothing
) -> Summary:
    """`count` seeds from `first` on. Raises NotFound for a profile that does not exist."""
    began = time.perf_counter()
    digest, done = hashlib.sha256(), 0
    parts: list[Part] = []
    for part in _parts(first, count, profile, jobs):
        for one in part.hashes:
            digest.update(one.encode())
        parts.append(part)
        done += part.seeds
        progress(done)
    failures = tuple(failure for part in parts for failure in part.failures)
    return Summary(
        seeds=count,
        violations=len(failures),
        seeds_per_second=count / max(time.perf_counter() - began, 1e-9),
        trace_hash=digest.hexdigest(),
        failures=failures,
        events=sum(part.events for part in parts),
        orders=sum(part.orders for part in parts),
        fills=sum(part.fills for part in parts),
        crashes=sum(part.crashes for part in parts),
    )


def _parts(first: int, count: int, profile: str, jobs: int) -> Iterator[Part]:
    starts = range(first, first + count, CHUNK)
    sizes = [min(CHUNK, first + count - start) for start in starts]
    names = [profile] * len(sizes)
    if jobs == 1:
        yield from map(run_part, starts, sizes, names)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(run_part, starts, sizes, names)


class Found(msgspec.Struct, frozen=True):
    """After how many seeds a planted bug was found; None: it was not."""

    bug: str
    what: str
    seeds: int | None
    violation: str | None


def find(name: str, first: int = 0, most: int = MOST_SEEDS) -> Found:
    """Run seeds with a planted bug until one of them breaks an invariant."""
    bug = BUGS[name]
    with bug.patch() if bug.patch is not None else nullcontext():
        for number in range(most):
            outcome = simulate(first + number, bug.profile, bug.parts)
            if outcome.violations:
                return Found(name, bug.what, number + 1, str(outcome.violations[0]))
    return Found(name, bug.what, None, None)


def find_all(*, first: int = 0, most: int = MOST_SEEDS, jobs: int = 1) -> list[Found]:
    """Every planted bug, each looked for in a process of its own."""
    names, count = list(BUGS), len(BUGS)
    if jobs == 1:
        return [find(name, first, most) for name in names]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        return list(pool.map(find, names, [first] * count, [most] * count))
