"""All cases of the contract, and running them one after the other at one venue."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final

from app.certification import books, changes, doubt, fills, groups, identity, orders
from app.certification.case import Case, Outcome, Status, attempt
from app.certification.venue import Venue

CASES: Final[tuple[Case, ...]] = (
    *orders.CASES,
    *identity.CASES,
    *fills.CASES,
    *changes.CASES,
    *groups.CASES,
    *doubt.CASES,
    *books.CASES,
)
IDS_A_CASE: Final = 100


async def run(
    venue: Venue, cases: Iterable[Case] = CASES, *, pause_seconds: float = 0.0
) -> AsyncIterator[Outcome]:
    """Outcomes as they come, at a venue that is joined. Ids of orders never come twice.

    `pause_seconds` after each case that asked something: brokers count requests.
    """
    for index, case in enumerate(cases):
        outcome = await attempt(case, venue, index * IDS_A_CASE)
        yield outcome
        if outcome.status is Status.NOT_TRIED:
            continue
        await asyncio.sleep(pause_seconds)
        if not venue.is_up:
            await venue.rejoin()
