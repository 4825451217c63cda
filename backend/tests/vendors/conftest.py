"""Libraries of vendors ask asyncio's policy for the loop; an earlier `asyncio.run` cleared it."""

import asyncio

import pytest


@pytest.fixture(autouse=True)
async def loop_of_the_policy() -> None:
    asyncio.set_event_loop(asyncio.get_running_loop())
