"""Vendors that are switched on: can they be reached, how fast, and what time is it there."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
import msgspec

from app.core import clock
from app.repositories.paging import Row

ANSWER_SECONDS: Final = 5.0
SLOW_MS: Final = 3_000.0
OLD_SECONDS: Final = 600.0
"An answer that is older was written by a worker that is gone."


class Reached(msgspec.Struct, frozen=True):
    """How one vendor answered a request without a key: any answer below 500 means it is there."""

    vendor: str
    is_up: bool
    ms: float
    detail: str
    drift_ms: float | None = None
    "Our clock less the vendor's, to half a second; None where it tells no time."


async def reach(client: httpx.AsyncClient, vendor: str, url: str) -> Reached:
    """Ask once; never raises for what the network or the vendor does."""
    started = time.perf_counter()
    try:
        async with client.stream("GET", url) as answer:
            ms = (time.perf_counter() - started) * 1000
            middle = clock.now().timestamp() - ms / 2000
            drift = _drift(answer.headers.get("date"), middle)
            is_up = answer.status_code < 500
            return Reached(vendor, is_up, round(ms, 1), f"HTTP {answer.status_code}.", drift)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        ms = (time.perf_counter() - started) * 1000
        return Reached(vendor, False, round(ms, 1), f"{type(error).__name__}.")


async def reach_all(client: httpx.AsyncClient, vendors: Mapping[str, str]) -> list[Reached]:
    """All at once."""
    return list(await asyncio.gather(*(reach(client, *vendor) for vendor in vendors.items())))


def problems(rows: Iterable[Row]) -> list[str]:
    """What is wrong with the vendors that were asked lately, in sentences."""
    found: list[str] = []
    for row in _fresh(rows):
        name, state = str(row["name"]).partition(":")[2], row["state"]
        if not state["is_up"]:
            found.append(f"{name} cannot be reached: {state['detail']}")
        elif state["ms"] > SLOW_MS:
            found.append(f"{name} took {state['ms'] / 1000:.1f} s to answer.")
    return found


def sentence(rows: Iterable[Row]) -> str:
    """While nothing is wrong."""
    names = [str(row["name"]).partition(":")[2] for row in _fresh(rows)]
    return f"Reached: {', '.join(names)}." if names else "No vendor is switched on."


def _fresh(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["age_seconds"] <= OLD_SECONDS]


def _drift(date: str | None, ours: float) -> float | None:
    """In ms; the header tells whole seconds, so the middle of its second is taken."""
    if date is None:
        return None
    try:
        theirs = parsedate_to_datetime(date).timestamp() + 0.5
    except (TypeError, ValueError):
        return None
    return round((ours - theirs) * 1000, 1)
