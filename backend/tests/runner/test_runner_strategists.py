"""Users' strategies in the trading process: the same decisions, and no harm when they misbehave."""

import json
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from app import bootstrap
from app.bootstrap import Parts
from app.core.config import get_settings
from app.domain.commands import CommandKind
from app.domain.market import Timeframe
from app.hosting.catalogue import HostedCatalogue
from app.repositories import commands, deployments, fold_check, strategies
from app.services.first_run import FirstRun
from tests import servers
from tests.core_process import REPLAY_OVER
from tests.hosting.conftest import BACKEND, FILE, HEAD
from tests.runner.conftest import answered, trading, until
from tests.servers import TestServers

DECISIONS = "SELECT seq, payload::text FROM trading_events WHERE stream = 'account:1' ORDER BY seq"
PAUSED = """
SELECT payload ->> 'reason' FROM trading_events WHERE event_type = 'deployment_paused'
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where users keep their strategies."""
    monkeypatch.setenv("PYTHONPATH", str(BACKEND))
    monkeypatch.setenv("STRATEGY_SILENCE_SECONDS", "60")
    made = tmp_path / "strategies"
    made.mkdir()
    return made


def imitate(folder: Path, name: str, of: str) -> str:
    (folder / f"{name}.py").write_text(FILE.format(module="tests.markets", of=of, name=name))
    return name


def write(folder: Path, name: str, decide: str) -> str:
    (folder / f"{name}.py").write_text(
        HEAD.format(of=name.capitalize(), prepare="pass", decide=decide)
    )
    return name


async def deploy(parts: Parts, name: str, symbols: list[str]) -> int:
    """A row and the command, as the API makes them."""
    strategy_id = await strategies.ensure(parts.pool, name, "", {}, {}, "a file")
    wish: dict[str, Any] = {"parameters": {}, "symbols": symbols, "capital": None}
    number = await deployments.add(
        parts.pool, account_id=1, strategy_id=strategy_id, name=name,
        timeframe=Timeframe.M1, created_by=None, **wish,
    )  # fmt: skip
    wish |= {"deployment_id": number, "strategy": name, "timeframe": "1m"}
    return await commands.submit(parts.pool, 1, CommandKind.DEPLOYMENT_START, wish, "ann")


async def replayed(parts: Parts, *names: str) -> None:
    """The account of the replay, with deployments of these strategies before its first bar."""
    app = parts.settings.app
    assert app.replay is not None
    first = FirstRun(parts.pool, parts.catalogue)
    await first.fill_strategies()
    await first.replay(app.replay, app.replay_symbols)
    for name in names:
        await deploy(parts, name, ["AAPL", "SPY"])


@pytest.fixture
def other_database_url(test_servers: TestServers, template_database: str) -> Iterator[str]:
    with servers.copied(test_servers.database_url, template_database) as url:
        yield url


def parts_of(
    url: str, patch: pytest.MonkeyPatch, **given: str
) -> AbstractAsyncContextManager[Parts]:
    patch.setenv("DATABASE_URL", url)
    for name, value in given.items():
        patch.setenv(name, value)
    get_settings.cache_clear()
    return bootstrap.parts()


async def test_a_replay_with_users_strategies_is_the_same_over_there(
    configured: None,
    folder: Path,
    database_url: str,
    other_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [imitate(folder, "my_trailing", "Trailing"), imitate(folder, "my_fragile", "Fragile")]
    told: list[list[tuple[Any, ...]]] = []
    for url, host in ((database_url, "process"), (other_database_url, "in_process")):
        async with parts_of(url, monkeypatch, STRATEGY_HOST=host) as parts:
            assert isinstance(parts.catalogue, HostedCatalogue) is (host == "process")
            await replayed(parts, *names)
            async with trading(parts):
                await until(parts, REPLAY_OVER)
            told.append([tuple(row) for row in await parts.pool.fetch(DECISIONS)])
            assert await fold_check.differences(parts.pool, 1) == []
    there, here = told
    assert [one for one in there if one not in here] == []
    assert there == here
    assert any("my_trailing" in payload for _, payload in there)


async def test_it_goes_on_with_its_memory_after_a_restart(
    configured: None, folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recovery asks again, and nothing that was decided differs."""
    name = imitate(folder, "my_trailing", "Trailing")
    async with parts_of(database_url, monkeypatch) as parts:
        await replayed(parts, name)
        async with trading(parts):
            await until(parts, REPLAY_OVER)
        await parts.pool.execute("DELETE FROM engine_checkpoints")
        async with trading(parts):
            await until(parts, "SELECT count(*) = 2 FROM reconciliations")
        assert await parts.pool.fetchval("SELECT bool_and(differences = '{}') FROM reconciliations")


@pytest.mark.parametrize("decide", ["while True: pass", "os._exit(1)"], ids=["silent", "crashed"])
async def test_one_that_is_lost_is_paused_with_an_alert_and_resumed_by_hand(
    configured: None, folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, decide: str
) -> None:
    monkeypatch.setenv("STRATEGY_SILENCE_SECONDS", "1")
    name = write(folder, "broken", f"if self.memory.rows > 5:\n            {decide}")
    async with parts_of(database_url, monkeypatch) as parts:
        await replayed(parts, name)
        async with trading(parts):
            await until(parts, REPLAY_OVER)
            assert "strategy host" in str(await parts.pool.fetchval(PAUSED))
            states = await parts.pool.fetch("SELECT state FROM deployments ORDER BY id")
            assert [row["state"] for row in states] == ["running", "paused"]
            alert = "SELECT title FROM alerts WHERE key LIKE 'strategy_host:2%'"
            assert await parts.pool.fetchval(alert) == "Deployment 2 (broken) is paused"
            write(folder, "broken", "pass")
            wish = await parts.pool.fetchval("SELECT payload FROM commands WHERE id = 2")
            again = await commands.submit(
                parts.pool, 1, CommandKind.DEPLOYMENT_START, json.loads(wish), "ann"
            )
            assert (await answered(parts, again))["status"] == "completed"
        await parts.pool.execute("DELETE FROM engine_checkpoints")
        async with trading(parts):
            await until(parts, "SELECT count(*) = 2 FROM reconciliations")
        assert await fold_check.differences(parts.pool, 1) == []


async def test_a_halt_does_not_wait_for_a_strategy_that_thinks(
    configured: None, folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command is journaled while the strategy is asked, not after it was killed."""
    name = write(folder, "slow", "time.sleep(600)")
    monkeypatch.setenv("STRATEGY_SILENCE_SECONDS", "600")
    async with parts_of(database_url, monkeypatch) as parts:
        await replayed(parts, name)
        async with trading(parts):
            thinks = "SELECT EXISTS (SELECT FROM deployments WHERE id = 2 AND state = 'running')"
            await until(parts, thinks)
            halt = await commands.submit(
                parts.pool, 1, CommandKind.TRADING_HALT, {"reason": "stop"}, "ann"
            )
            assert (await answered(parts, halt))["status"] == "completed"
        assert await fold_check.differences(parts.pool, 1) == []
