"""Which test files begin first: those that take long, so that none of them is left for the end."""

from collections.abc import Sequence
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
LONGEST = (
    "torture/test_torture.py",
    "runner/test_runner_brokers.py",
    "ingest/test_live_feed_vendors.py",
    "test_replay_equals_backtest.py",
    "security/test_openapi_fuzz.py",
    "contracts/test_broker.py",
    "guardian/test_guardian_at_a_broker.py",
    "simulation/test_world.py",
    "torture/test_real_bars.py",
    "ingest/test_live_feed.py",
    "guardian/test_guardian_process.py",
    "test_supervisor.py",
    "test_runner_restart.py",
    "runner/test_two_engines.py",
    "runner/test_runner_ibkr.py",
    "runner/test_runner_core.py",
    "console/test_drill.py",
    "api/test_orders.py",
    "api/test_auth.py",
    "db/test_backup.py",
    "repositories/test_projection_changes.py",
    "test_models.py",
)
"""Files of a quarter of a minute or more, the longest first. A worker takes a whole file at a time,
and one that began the longest when all others are done would keep the run waiting for it."""


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The same tests; those of a file stay together and keep their order."""
    rank = {FOLDER / name: number for number, name in enumerate(LONGEST)}
    return sorted(items, key=lambda item: rank.get(item.path, len(rank)))
