"""Real minute bars traded at both loopback brokers while our side is killed: their books are ours.

A few kills here; `python -m tests.torture.real_bars --kills 200` in backend/ does it for long.
"""

import asyncio
from pathlib import Path

import pytest

from tests.torture.real_bars import trade


@pytest.mark.timeout(400)
def test_after_kills_the_books_of_both_brokers_are_ours(shared_data: Path, tmp_path: Path) -> None:
    if not (shared_data / "equity_minute").is_dir():
        pytest.skip("the minute bars are not at hand")
    tmp_path.chmod(0o711)
    found, traders = asyncio.run(trade(tmp_path / "home", kills=3, seconds=20, seed=2))
    assert found.found == []
    assert found.is_sound
    assert found.kills >= 1
    assert found.orders > 0
    assert all(trader.bars for trader in traders)
