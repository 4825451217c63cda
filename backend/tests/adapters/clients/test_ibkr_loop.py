"""The libraries of Interactive Brokers are imported in whatever loop is running."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys
from app.adapters.clients.ibkr_wire import Wire

async def connect():
    return Wire(sys.argv[1], lambda *said: None, lambda: None).module.__name__

with asyncio.Runner() as runner:
    loop = runner.get_loop()
    asyncio.set_event_loop(None)  # as an earlier asyncio.run leaves it
    print(loop.run_until_complete(connect()))
"""


@pytest.mark.parametrize("library", ["ib_async", "ib_insync"])
def test_a_library_is_imported_where_nobody_has_set_a_loop(library: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, library],
        capture_output=True, text=True, check=False, cwd="backend",
    )  # fmt: skip
    assert done.stdout.strip() == library, done.stderr
