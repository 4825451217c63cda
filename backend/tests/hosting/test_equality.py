"""The same rows, the same targets: a strategy does over there what it does in this process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.strategies import StrategyOptions
from app.domain.events import DeploymentFailed
from app.domain.limits import UNLIMITED
from app.domain.market import Timeframe
from app.hosting.catalogue import HostedCatalogue
from app.hosting.remote import RemotePanelStrategy, RemoteStrategy
from app.research.backtest import BacktestResult, run_backtest
from app.strategies.catalog import Catalogue, built_in
from tests.markets import CALENDAR, THIN, random_batches

from .conftest import BACKEND, BUILT_IN, FILE, OURS

PARAMETERS: dict[str, dict[str, Any]] = {
    "my_sma_cross": {"fast": 2, "slow": 5, "short": True},
    "my_breakout": {},
    "my_rsi_reversion": {},
}
ALONE = {"my_pairs": 2}


@pytest.fixture(scope="module")
def imitations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of OURS as files."""
    folder = tmp_path_factory.mktemp("strategies")
    for name, (module, of) in OURS.items():
        (folder / f"{name}.py").write_text(FILE.format(module=module, of=of, name=name))
    return folder


@pytest.fixture(scope="module")
def there(imitations: Path) -> Iterator[HostedCatalogue]:
    """They run in processes of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(BACKEND))
        options = StrategyOptions(silence_seconds=60, start_seconds=120)
        catalogue = HostedCatalogue((imitations,), options)
        yield catalogue
        catalogue.close()


def backtest(catalogue: Catalogue, name: str, *, visit_all: bool = False) -> BacktestResult:
    return run_backtest(
        name,
        strategies=catalogue.make,
        parameters=PARAMETERS.get(name, {}),
        bars=random_batches(11, Timeframe.M5, 250, ALONE.get(name, 3)),
        timeframe=Timeframe.M5,
        calendar=CALENDAR,
        limits=UNLIMITED,
        model=THIN,
        visit_all=visit_all,
    )


def test_every_built_in_strategy_is_compared() -> None:
    assert {one.name for one in built_in()} == set(BUILT_IN)


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_backtest_over_there_is_the_same_event_for_event(
    name: str, imitations: Path, there: HostedCatalogue
) -> None:
    here = Catalogue((imitations,))
    made = there.make(name, PARAMETERS.get(name, {}))
    assert isinstance(made, RemoteStrategy | RemotePanelStrategy)
    expected, found = backtest(here, name), backtest(there, name)
    assert found.journal.events == expected.journal.events
    assert found.journal_hash == expected.journal_hash


def test_visiting_every_bar_is_the_same_too(imitations: Path, there: HostedCatalogue) -> None:
    here = Catalogue((imitations,))
    for name in ("my_trailing", "my_relay"):
        expected = backtest(here, name, visit_all=True)
        assert backtest(there, name, visit_all=True).journal_hash == expected.journal_hash
        assert expected.executions


@pytest.mark.parametrize("name", ["my_fragile", "my_brittle"])
def test_what_it_raises_comes_with_its_traceback(name: str, there: HostedCatalogue) -> None:
    result = backtest(there, name)
    (failed,) = [e for e in result.journal.events if isinstance(e, DeploymentFailed)]
    assert "tests/markets.py" in failed.traceback
    assert failed.reason.split(":")[0] in {"ArithmeticError", "RuntimeError"}
