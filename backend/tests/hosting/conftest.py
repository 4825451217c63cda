"""A folder of users' strategies, and a catalogue that runs them in processes of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.strategies import StrategyOptions
from app.hosting.catalogue import HostedCatalogue
from tests.markets import STRATEGIES as MADE_UP

BACKEND = Path(__file__).parents[2]
BUILT_IN = {
    "breakout": "Breakout",
    "buy_and_hold": "BuyAndHold",
    "pairs": "Pairs",
    "rotation": "Rotation",
    "rsi_reversion": "RsiReversion",
    "sma_cross": "SmaCross",
}
"Module and class; a test compares them with the catalogue."
OURS = {f"my_{name}": (f"app.strategies.{name}", of) for name, of in BUILT_IN.items()} | {
    f"my_{name}": (of.__module__, of.__name__)
    for name, of in MADE_UP.items()
    if of.__module__.startswith("tests.")
}
"Users' strategies that do what built-in ones, and those of the laws, do."
FILE = """
from dataclasses import dataclass
from {module} import {of} as Base

@dataclass
class Mine(Base):
    name = "{name}"
"""
HEAD = """
from dataclasses import dataclass, field
import os, sys, time
import numpy as np
from tradewright import Opinion, Strategy

@dataclass
class Count:
    rows: int = 0

@dataclass
class {of}(Strategy):
    memory: Count = field(default_factory=Count, init=False)

    @property
    def lookback(self): return 2

    def prepare(self, bars):
        {prepare}
        return {{"price": bars["close"]}}

    def decide(self, row, held):
        self.memory.rows += 1
        {decide}
        return 1.0 if held == 0 else None
"""
Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "strategies"
    made.mkdir()
    return made


@pytest.fixture
def write(folder: Path) -> Write:
    """A strategy with these lines in `prepare` and `decide`."""

    def add(name: str, *, decide: str = "pass", prepare: str = "pass", top: str = "") -> Path:
        of = "".join(part.capitalize() for part in name.split("_"))
        path = folder / f"{name}.py"
        path.write_text(top + HEAD.format(of=of, decide=decide, prepare=prepare))
        return path

    return add


Host = Callable[..., HostedCatalogue]


@pytest.fixture
def host(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Catalogues with these options; patient unless a test says otherwise."""
    monkeypatch.setenv("PYTHONPATH", str(BACKEND))
    made: list[HostedCatalogue] = []

    def make(**options: object) -> HostedCatalogue:
        fields = {"silence_seconds": 60, "start_seconds": 120, **options}
        made.append(HostedCatalogue((folder,), StrategyOptions(**fields)))
        return made[-1]

    yield make
    for one in made:
        one.close()
